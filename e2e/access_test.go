package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"brine/access/audit"
)

// addUser adds somebody to the users file.
func (b *brine) addUser(name string, roles ...string) {
	b.tb.Helper()
	args := []string{"user", "add", name}
	for _, role := range roles {
		args = append(args, "--role", role)
	}
	if stdout, stderr, code := b.command(strings.NewReader(passwordOf(name)+"\n"), args...); code != 0 {
		b.tb.Fatalf("brine user add: %s%s", stdout, stderr)
	}
}

func passwordOf(name string) string { return name + " likes long passwords" }

// makeToken gives a token of the users file's people, which outlives a restart.
func (b *brine) makeToken(owner, role string) string {
	b.tb.Helper()
	stdout, stderr, code := b.command(nil, "token", "create", "--owner", owner, "--role", role, "--expires", "1d", "--note", "end-to-end tests")
	if code != 0 {
		b.tb.Fatalf("brine token create: %s", stderr)
	}
	return strings.TrimSpace(stdout)
}

// read asks the private door with a token and a purpose.
func (b *brine) read(token, purpose, route string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, b.private+route, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/x-ndjson")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Purpose", purpose)
	return plain.Do(req)
}

func (b *brine) wantStatus(token, route string, want int) {
	b.tb.Helper()
	res, err := b.read(token, "a test", route)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != want {
		b.tb.Errorf("%s is answered %d, want %d: %.300s", route, res.StatusCode, want, body)
	}
}

const allRaw = "/api/v1/events/interaction?dataset=raw"

var hiddenToken = regexp.MustCompile(`name="csrf" value="([0-9a-f]{64})"`)

// visit signs in as a browser does, by a link or as somebody, and gives what that shows to the browser: cookies and tokens of forms.
func (b *brine) visit(link, name string) (secrets []string) {
	b.tb.Helper()
	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar}
	do := func(method, link string, form url.Values) {
		req, err := http.NewRequest(method, link, strings.NewReader(form.Encode()))
		if err != nil {
			b.tb.Fatal(err)
		}
		req.Header.Set("Accept", "text/html")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := browser.Do(req)
		if err != nil {
			b.tb.Fatal(err)
		}
		defer res.Body.Close()
		page, _ := io.ReadAll(res.Body)
		found := hiddenToken.FindSubmatch(page)
		if found == nil || res.StatusCode != http.StatusOK {
			b.tb.Fatalf("%s is answered %d, without a form: %.300s", res.Request.URL.Path, res.StatusCode, page)
		}
		secrets = append(secrets, string(found[1]))
		for _, c := range jar.Cookies(req.URL) {
			secrets = append(secrets, c.Value)
		}
	}
	do(http.MethodGet, link, nil)
	if name != "" {
		do(http.MethodPost, link, url.Values{"csrf": {secrets[0]}, "name": {name}, "password": {passwordOf(name)}})
	}
	return secrets
}

// Whoever was not named reads nothing; a token is for its owner's roles, while they have them, and can be revoked beside a running brine.
func TestTokens(t *testing.T) {
	b := startBrine(t)
	stdout, stderr, code := b.command(nil, "token", "setup", "--json")
	var setup struct{ Token, Link string }
	if err := json.Unmarshal([]byte(stdout), &setup); err != nil || code != 0 {
		t.Fatal(err, stderr)
	}
	guest := setup.Token
	_, once, _ := strings.Cut(setup.Link, "once=")
	secrets := append(b.visit(setup.Link, ""), once)
	if made := b.entries("--action", "token"); len(made) != 1 || !strings.HasPrefix(made[0].Who, "os:") {
		t.Errorf("of the guest's token is recorded %+v", made)
	}
	b.wantStatus(guest, allRaw, http.StatusOK)
	b.wantStatus("", allRaw, http.StatusUnauthorized)
	if _, stderr, code := b.command(nil, "token", "create", "--owner", "mira", "--role", "raw"); code != 1 || !strings.Contains(stderr, "brine user add") {
		t.Errorf("a token without people: %d %s", code, stderr)
	}

	b.addUser("mira", "analyst")
	b.wantStatus(guest, allRaw, http.StatusUnauthorized) // there are people now, so there are no guests
	if _, stderr, code := b.command(nil, "token", "setup"); code != 1 || !strings.Contains(stderr, "access is set up") {
		t.Errorf("%d %s", code, stderr)
	}
	if _, stderr, code := b.command(nil, "token", "create", "--owner", "mira", "--role", "raw"); code != 1 || !strings.Contains(stderr, "has not the role raw") {
		t.Errorf("a token of more than its owner has: %d %s", code, stderr)
	}
	token := b.makeToken("mira", "analyst")
	b.wantStatus(token, "/api/v1/status", http.StatusOK)
	b.wantStatus(token, allRaw, http.StatusForbidden)
	b.restart()
	b.wantStatus(token, "/api/v1/status", http.StatusOK)
	secrets = append(secrets, b.visit(b.private+"/login", "mira")...)
	list, stderr, code := b.command(nil, "token", "list")
	if code != 0 || !strings.Contains(list, "end-to-end tests") || !strings.Contains(list, time.Now().UTC().Format(time.DateOnly)) || strings.Contains(list, token) {
		t.Errorf("%d %s%s", code, list, stderr)
	}
	if _, stderr, code := b.command(nil, "token", "revoke", "1"); code != 0 {
		t.Error(stderr)
	}
	b.wantStatus(token, "/api/v1/status", http.StatusUnauthorized)

	for _, secret := range append(secrets, token, guest, passwordOf("mira")) {
		if len(secret) < 20 {
			t.Errorf("%q is no secret", secret)
		}
		if strings.Contains(b.output(), secret) {
			t.Error("something that lets in is in the log")
		}
		for path, info := range b.files() {
			if content, err := os.ReadFile(path); info.Mode().IsRegular() && (err != nil || bytes.Contains(content, []byte(secret))) {
				t.Errorf("something that lets in is in %s (%v)", path, err)
			}
		}
	}
}

// A read of many rows leaves one beginning and one end with their number.
func TestReadIsRecorded(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := newBrine(t)
	b.addUser("rosa", "raw")
	token := b.makeToken("rosa", "raw")
	b.start()
	history := simulated(t, 20, 5_000)
	b.importHistory(history, len(history), 0)
	res, err := b.read(token, "count them", allRaw)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n := countLines(res.Body); n != int64(len(history)) {
		t.Fatalf("%d of %d rows", n, len(history))
	}
	var all []audit.Entry
	b.eventually(30*time.Second, "the read has an end", func() bool {
		all = b.entries("--who", "rosa", "--action", "read-begin")
		return len(all) == 1 && all[0].State == audit.Ended
	})
	e := all[0]
	if e.Purpose != "count them" || e.Via != "token 1" || *e.End.Rows != int64(len(history)) || e.End.Outcome != "ok" {
		t.Errorf("%+v, %+v", e, e.End)
	}
}

func countLines(r io.Reader) (n int64) {
	lines := bufio.NewReader(r)
	for {
		if _, err := lines.ReadSlice('\n'); err == nil {
			n++
		} else if err != bufio.ErrBufferFull {
			return n
		}
	}
}
