package main

import (
	"strings"
	"testing"
)

// A file that systemd hands to the service is none of the commands' beside it, like those of the timers: the service alone refuses to start without it.
func TestHandedToTheService(t *testing.T) {
	const key = "/run/credentials/brine-of-a-test.service/door.key"
	inFolder(t, map[string]string{"brine.yaml": "public: {tls: {cert: " + key + ", key: " + key + "}}\n" +
		"private: {tls: {cert: " + key + ", key: " + key + "}}\nldap: {urls: [\"ldaps://a.example\"], user_base: \"dc=a\", group_base: \"dc=a\", bind_dn: \"cn=a\", bind_password_file: " + key + ", roles: {raw: [\"cn=r,dc=a\"]}}\n"})
	history(t, 1)
	for _, line := range []string{"sanitize", "purge", "salt rotate", "backup --to backup", "restore --from backup --without-removals --data restored", "status"} {
		mustRun(t, strings.Fields(line)...)
	}
	stdout, _, code := brine(t, "check")
	for _, path := range []string{"public.tls.key", "private.tls.cert", "ldap.bind_password_file"} {
		if code != exitOK || !strings.Contains(stdout, path+": no file "+key) {
			t.Errorf("check, of %s: exit code %d\n%s", path, code, stdout)
		}
	}
	for _, command := range []string{"serve", "collect"} {
		if _, stderr, code := brine(t, command); code != exitFailed || !strings.Contains(stderr, "brine.yaml:1: public.tls.key: no file "+key) {
			t.Errorf("%s: exit code %d\n%s", command, code, stderr)
		}
	}
}
