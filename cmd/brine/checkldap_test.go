package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"brine/access/ldap/slapdtest"
)

// ldapConfig is a brine.yaml for a test's slapd.
func ldapConfig(s *slapdtest.Server, urls ...string) string {
	list, _ := json.Marshal(urls)
	return fmt.Sprintf(`
ldap:
  urls: %s
  ca_file: %s
  bind_dn: %s
  bind_password_file: %s
  user_base: %s
  group_base: %s
  roles: {analyst: ["%s"]}
`, list, s.CAFile, slapdtest.ServiceDN, s.PasswordFile, slapdtest.People, slapdtest.Groups, slapdtest.Group("analysts"))
}

func TestCheckLDAP(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	s.AddPerson("anna", "password of anna")
	s.AddGroup("analysts", slapdtest.Person("anna"))
	nobody := "ldaps://127.0.0.1:1"
	for _, c := range []struct {
		name, config string
		args         string
		code         int
		says         []string
	}{
		{"Offline", ldapConfig(s, nobody), "check", exitOK, []string{"config ok"}},
		{"Answers", ldapConfig(s, s.URL, s.TLSURL), "check --ldap", exitOK,
			[]string{"ldap: " + s.URL + " answers, and has all", "ldap: " + s.TLSURL + " answers"}},
		{"OneDown", ldapConfig(s, nobody, s.TLSURL), "check --ldap", exitFailed,
			[]string{"brine.yaml:3: ldap.urls: " + nobody + ": dial", "connection refused", "ldap: " + nobody + " would let nobody in", "ldap: " + s.TLSURL + " answers"}},
		{"JSON", ldapConfig(s, s.URL), "check --ldap --json", exitOK, []string{`"ldap":[{"url":"` + s.URL + `","ok":true}]`}},
		{"NoSuchGroup", strings.Replace(ldapConfig(s, s.URL), "cn=analysts", "cn=analyst", 1), "check --ldap", exitFailed,
			[]string{s.URL + ": roles.analyst: cn=analyst,ou=groups,dc=example,dc=org: there is no such entry, or the service account may not see it"}},
		{"NoSuchBase", strings.Replace(ldapConfig(s, s.URL), "ou=people", "ou=person", 1), "check --ldap", exitFailed,
			[]string{s.URL + ": user_base: ou=person,dc=example,dc=org: there is no such entry"}},
		{"OtherCA", strings.Replace(ldapConfig(s, s.URL), s.CAFile, s.PasswordFile, 1), "check", exitFailed, []string{"brine.yaml:4: ldap.ca_file: ", "no certificate in it"}},
		{"NoServer", "", "check --ldap", exitFailed, []string{"ldap.urls: there is no server to try"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inFolder(t, map[string]string{"brine.yaml": c.config})
			stdout, stderr, code := brine(t, strings.Fields(c.args)...)
			for _, says := range c.says {
				if code != c.code || !strings.Contains(stdout, says) || strings.Contains(stdout, slapdtest.ServicePassword) || stderr != "" {
					t.Errorf("exit code %d, want %q\n%s%s", code, says, stdout, stderr)
				}
			}
		})
	}
}

// What can be told without a server is: a password that others may read, and a users file that is not used.
func TestCheckLDAPFiles(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{})
	inFolder(t, map[string]string{"brine.yaml": ldapConfig(s, s.URL), "data/users": ""})
	if stdout, _, code := brine(t, "check"); code != exitOK || !strings.Contains(stdout, "there is a users file too") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
	if err := os.Chmod(s.PasswordFile, 0o640); err != nil {
		t.Fatal(err)
	}
	if stdout, _, code := brine(t, "check"); code != exitFailed || !strings.Contains(stdout, "ldap.bind_password_file: "+s.PasswordFile+" has mode 0640: others than its owner may read") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}
