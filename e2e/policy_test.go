package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// published is the policy as /privacy.json gives it.
type published struct {
	Policy struct {
		Streams []struct {
			Name   string
			Fields []listedField
		}
	}
	Document struct {
		Sections []struct {
			ID         string
			Statements []struct{ ID, Text string }
		}
	}
}

// listedField is a field that the page lists.
type listedField struct {
	Path, Type string
	Rule       *struct{ Name, Floor string }
}

// statements are all that it says, by section and id where one is said in more than one section.
func (p *published) statements() map[string]string {
	all := map[string]string{}
	for _, section := range p.Document.Sections {
		for _, s := range section.Statements {
			id := s.ID
			if strings.HasPrefix(section.ID, "stream-app") {
				id = "app." + id
			}
			all[id] = s.Text
		}
	}
	return all
}

func (b *brine) published(t *testing.T) *published {
	t.Helper()
	p := &published{}
	if err := json.Unmarshal(b.privacy(t, "/privacy.json").body, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// privacy asks the public door for a page; headers come in pairs.
func (b *brine) privacy(t *testing.T, path string, headers ...string) reply {
	t.Helper()
	return b.request(t, "GET", path, "", headers...)
}

// request sends a request; headers come in pairs. A redirect is not followed.
func (b *brine) request(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequest(method, b.public+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	client := &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, answer}
}

// contains says whether all these texts are there.
func contains(body []byte, texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(string(body), text) })
}

// What changes while it runs is on the page at once, and each policy that was in force is kept with its day.
func TestPolicyChangesLive(t *testing.T) {
	b := startWithPolicy(t)
	today := time.Now().UTC().Format(time.DateOnly)
	b.eventually(30*time.Second, "the policy is kept", func() bool { return contains(b.privacy(t, "/privacy").body, "In force since "+today) })
	b.configure("sampling: {interaction: 0.25}")
	b.eventually(30*time.Second, "the page says the new rate", func() bool {
		return strings.Contains(b.published(t).statements()["sampling"], "25 % of them")
	})
	b.eventually(30*time.Second, "the new policy is kept", func() bool {
		return contains(b.privacy(t, "/privacy/history").body, "/privacy/history/"+today+"?", "/privacy/history/"+today+".2?")
	})
	b.restart()
	if body := b.privacy(t, "/privacy/history").body; contains(body, today+".3") {
		t.Error("a restart makes another policy")
	}
	if page := b.privacy(t, "/privacy/history/"+today); !contains(page.body, "All of them are recorded.") || contains(page.body, "25 %") {
		t.Errorf("%s", page.body)
	}
	b.configure("opt_out: {dnt: false}\nconsent: opt-in")
	b.restart()
	said := b.published(t).statements()
	if !strings.Contains(said["choice_dnt"], "does not count here") || !strings.Contains(said["consent"], "only if you say yes") {
		t.Errorf("%v", said)
	}
	if got := b.privacy(t, "/wsapi/session_context", "DNT", "1"); !contains(got.body, `"opted_out":false`, `"consent":"opt-in"`, `"dnt":false`) {
		t.Errorf("%s", got.body)
	}
	if page := b.privacy(t, "/privacy", "DNT", "1"); !contains(page.body, `data-state="ask"`) {
		t.Errorf("%s", page.body)
	}
	b.checkModes()
}

// Where the allowlist was never right nothing is sanitized, and the page does not say that it is. One that breaks later
// leaves the one before in force, and on the page.
func TestPolicyOfABrokenAllowlist(t *testing.T) {
	b := startWithPolicy(t)
	b.stop()
	b.writeAllowlist("app_session: {dtt: keep}")
	b.start()
	said := b.published(t).statements()
	if !strings.HasPrefix(said["reduced"], "At present no reduced copy is made") || said["pseudonyms"] != "" {
		t.Errorf("%v", said)
	}
	if contains(b.privacy(t, "/privacy").body, "In the reduced copy") {
		t.Error("there is a column of what is kept")
	}
	b.writeAllowlist(policyAllowlist)
	reduced := func() bool {
		said := b.published(t).statements()
		return strings.HasPrefix(said["reduced"], "A reduced copy of records is made") && said["pseudonyms"] != ""
	}
	b.eventually(30*time.Second, "the page says that there is a reduced copy", reduced)
	b.writeAllowlist("app_session: {")
	b.eventually(30*time.Second, "it is told", func() bool { return strings.Contains(b.output(), "the one before stays in force") })
	if !reduced() {
		t.Error("the one before is off the page")
	}
}

// A disk that cannot keep the policy stops neither the page nor the door, and it is kept later.
func TestPolicyThatCannotBeKept(t *testing.T) {
	b := startWithPolicy(t)
	folder := filepath.Join(b.data, "policy")
	b.eventually(30*time.Second, "the policy is kept", func() bool { return b.kept(t) == 1 })
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	b.configure("sampling: {interaction: 0.5}")
	b.eventually(30*time.Second, "it is told", func() bool { return strings.Contains(b.output(), "the policy in force could not be kept") })
	if page := b.privacy(t, "/privacy"); page.status != 200 || !contains(page.body, "50 % of them") {
		t.Errorf("%d", page.status)
	}
	if err := os.Rename(folder+".away", folder); err != nil {
		t.Fatal(err)
	}
	b.configure("sampling: {interaction: 0.75}")
	b.eventually(30*time.Second, "the policy is kept again", func() bool { return b.kept(t) == 2 })
}

func (b *brine) kept(t *testing.T) int {
	t.Helper()
	return strings.Count(string(b.privacy(t, "/privacy/history").body), "<li><a href=\"/privacy/history/")
}

// Whatever is asked, the answer is a page or says what was wrong.
func TestPolicyAskedBadly(t *testing.T) {
	b := startWithPolicy(t)
	long := strings.Repeat("de-", 4000)
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
	}{
		{"GET", "/privacy", []string{"Accept-Language", long}, 200},
		{"GET", "/privacy", []string{"Accept-Language", strings.Repeat("_", 9000)}, 200},
		{"GET", "/privacy?lang=" + long, nil, 200},
		{"GET", "/privacy?lang=%ff%00", nil, 200},
		{"GET", "/privacy", []string{"Cookie", `brine_optout="; brine_optout; =; ` + strings.Repeat("a=b;", 2000)}, 200},
		{"HEAD", "/privacy", nil, 200},
		{"GET", "/privacy.json", []string{"Accept-Language", "xx"}, 200},
		{"GET", "/privacy/", nil, 404},
		{"GET", "/privacy/history/", nil, 404},
		{"GET", "/privacy/history/../../lock", nil, 404},
		{"GET", "/privacy/history/%2e%2e%2f%2e%2e%2flock", nil, 404},
		{"POST", "/privacy", nil, 405},
		{"GET", "/privacy/opt-out", nil, 405},
		{"POST", "/privacy/opt-out", nil, 415},
		{"POST", "/privacy/opt-out", []string{"Content-Type", "application/x-www-form-urlencoded"}, 403},
		{"POST", "/privacy/opt-out", []string{"Content-Type", "application/json"}, 400},
	} {
		got := b.request(t, c.method, c.path, "", c.headers...)
		if got.status != c.status || c.method != "HEAD" && len(got.body) == 0 {
			t.Errorf("%s %.60s: %d %.200s", c.method, c.path, got.status, got.body)
		}
	}
	if strings.Contains(b.output(), "panicked") {
		t.Error("a request panicked")
	}
}
