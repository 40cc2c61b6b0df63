package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"brine/access/ldap/slapdtest"
)

// people are those of the directory, and the role that the group of the same name gives.
var people = map[string]string{"vera": "viewer", "anna": "analyst", "rosa": "raw", "dora": "privacy", "norman": ""}

// startWithLDAP starts a slapd, and a brine that asks it.
func startWithLDAP(t *testing.T) (*slapdtest.Server, *brine) {
	t.Helper()
	s := slapdtest.Start(t, slapdtest.Options{})
	roles := ""
	for name, role := range people {
		s.AddPerson(name, passwordOf(name))
		if role != "" {
			s.AddGroup("brine-"+role, slapdtest.Person(name))
			roles += fmt.Sprintf("%s: [%q], ", role, slapdtest.Group("brine-"+role))
		}
	}
	return s, startBrine(t, fmt.Sprintf("ldap: {urls: [%q], ca_file: %q, bind_dn: %q, bind_password_file: %q, user_base: %q, group_base: %q, roles: {%s}}",
		s.URL, s.CAFile, slapdtest.ServiceDN, s.PasswordFile, slapdtest.People, slapdtest.Groups, roles))
}

// The directory alone says who reads what; the policy page says the same; and where the directory is gone nobody new is let in.
func TestLDAP(t *testing.T) {
	t.Parallel() // it waits more than it works
	s, b := startWithLDAP(t)
	said := b.published(t).statements()
	opened := map[string][]string{ // by role
		"viewer":  {"/api/v1/status"},
		"analyst": {"/api/v1/status", "/api/v1/events/interaction"},
		"raw":     {"/api/v1/status", "/api/v1/events/interaction", allRaw},
		"privacy": {"/api/v1/audit"},
	}
	for name, role := range people {
		if role == "" {
			continue
		}
		if text := said["reader_"+role]; !strings.Contains(text, "brine-"+role) || strings.Contains(text, "ou=") {
			t.Errorf("of the role %s the policy page says %q", role, text)
		}
		token := b.makeToken(name, role)
		for _, route := range []string{"/api/v1/status", "/api/v1/events/interaction", allRaw, "/api/v1/audit"} {
			want := http.StatusForbidden
			if strings.Contains(strings.Join(opened[role], " ")+" ", route+" ") {
				want = http.StatusOK
			}
			b.wantStatus(token, route, want)
		}
	}
	if said["readers_users"] != "" || said["readers_recorded"] == "" {
		t.Errorf("the policy page says %q and %q", said["readers_users"], said["readers_recorded"])
	}

	p := openPage(t, b.private+"/api/v1/status")
	p.keyIn("norman", passwordOf("norman"))
	p.do(chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	p.do(chromedp.Navigate(b.private + "/api/v1/status"))
	p.keyIn("anna", passwordOf("anna"))
	p.do(chromedp.WaitReady(chromedp.CSS("pre")))

	token := b.makeToken("dora", "privacy")
	b.restart() // so that nothing is remembered of her
	s.Stop()
	res, err := b.read(token, "a test", "/api/v1/audit")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "directory") {
		t.Errorf("without a directory: %d %s", res.StatusCode, body)
	}
	for _, secret := range []string{passwordOf("anna"), passwordOf("norman"), slapdtest.ServicePassword, token} {
		if strings.Contains(b.output(), secret) {
			t.Error("something that lets in is in the log")
		}
	}
}
