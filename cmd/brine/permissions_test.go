package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/access/ldap"
	"brine/config"
	"brine/door"
	"brine/door/doortest"
	"brine/intake"
)

// checkedPaths is a site with everything that is looked at, as it should be.
func checkedPaths(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range map[string]string{
		"brine.yaml":    "data: data\nsalts: {dir: salts}\npublic: {csrf_key_file: csrf.key}\nallowlist: allowlist.yaml\nschemas: schemas\n",
		"csrf.key":      strings.Repeat("k", 64),
		"data/lake/f":   "",
		"data/users":    "",
		"data/audit/1":  "",
		"salts/.keep":   "",
		"schemas/.keep": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove(filepath.Join(dir, "salts/.keep"))
	os.Remove(filepath.Join(dir, "schemas/.keep"))
	if err := os.WriteFile(filepath.Join(dir, "allowlist.yaml"), []byte("interaction: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPermissions(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		mode os.FileMode
		says string // "" for nothing: it is right so
	}{
		"AsMade":            {"data", 0o700, ""},
		"DataForAll":        {"data", 0o755, "data: its mode is 0755: everyone may reach it (chmod 700 "},
		"DataForTheGroup":   {"data", 0o750, "data: its mode is 0750: its group may reach it (chmod 700 "},
		"LakeFile":          {"data/lake/f", 0o644, "data/lake/f: its mode is 0644: everyone may reach it (chmod 600 "},
		"Users":             {"data/users", 0o640, "data/users: its mode is 0640: its group may reach it"},
		"Audit":             {"data/audit/1", 0o604, "data/audit/1: its mode is 0604: everyone"},
		"Salts":             {"salts", 0o710, "salts: its mode is 0710: its group may reach it (chmod 700 "},
		"CSRFKey":           {"csrf.key", 0o640, "csrf.key: its mode is 0640: its group may reach it (chmod 600 "},
		"ConfigMayBeRead":   {"brine.yaml", 0o644, ""},
		"ConfigWritable":    {"brine.yaml", 0o664, "brine.yaml: its mode is 0664: its group may change it, and with it what Brine does (chmod go-w "},
		"AllowlistWritable": {"allowlist.yaml", 0o666, "allowlist.yaml: its mode is 0666: everyone may change it"},
		"SchemasWritable":   {"schemas", 0o777, "schemas: its mode is 0777: everyone may change it"},
		"Above":             {".", 0o777, "everyone may put another folder in the place of one in it (chmod o-w "},
		"AboveSticky":       {".", 0o777 | os.ModeSticky, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkedPaths(t)
			if err := os.Chmod(filepath.Join(dir, c.path), c.mode); err != nil {
				t.Fatal(err)
			}
			r := checked(t, dir)
			switch {
			case c.says == "" && len(r) > 0:
				t.Errorf("it says %v", r)
			case c.says != "" && !slices.ContainsFunc(r, func(m config.Mistake) bool { return strings.Contains(m.Error(), c.says) }):
				t.Errorf("it does not say %q, but %v", c.says, r)
			}
		})
	}
}

// checked are the faults of a site.
func checked(t *testing.T, dir string) config.Mistakes {
	t.Helper()
	cfg, err := config.Load(filepath.Join(dir, "brine.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	r.checkPermissions(cfg)
	return r.Mistakes
}

// A file of another user is told, with the chown that mends it.
func TestPermissionsOwner(t *testing.T) {
	dir := checkedPaths(t)
	path := filepath.Join(dir, "data", "users")
	p := &permissions{uid: os.Geteuid() + 1, User: "brine"}
	p.private(path)
	if len(p.faults) != 1 || !strings.Contains(p.faults[0].Fix, "chown brine "+path) {
		t.Errorf("%v", p.faults)
	}
}

// The command fails and says what to do, and says that all is well.
func TestCheckPermissions(t *testing.T) {
	dir := checkedPaths(t)
	os.Remove(filepath.Join(dir, "allowlist.yaml"))
	if err := os.WriteFile(filepath.Join(dir, "brine.yaml"), []byte("data: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"check", "--permissions", "--config", filepath.Join(dir, "brine.yaml")}
	if out, errs, code := brine(t, args...); code != exitOK || !strings.Contains(out, "permissions ok: ") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if err := os.Chmod(filepath.Join(dir, "data", "lake"), 0o750); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := brine(t, args...); code != exitFailed || !strings.Contains(out, "(chmod 700 ") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// Every key of the config that names a file with a secret is found by its name.
func TestSecretFiles(t *testing.T) {
	cfg := config.Default()
	cfg.Public.CSRFKeyFile, cfg.Public.TLS, cfg.Private.TLS = "a", config.TLS{Cert: "x", Key: "b"}, config.TLS{Cert: "x", Key: "c"}
	if got := secretFiles(reflect.ValueOf(*cfg)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Error(got)
	}
}

// What systemd hands over may be read by its group, as systemd makes it, and by nobody else.
func TestCredentials(t *testing.T) {
	dir := checkedPaths(t)
	handed := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", handed)
	cert, key := doortest.NewPair(t, time.Hour).Files(t, handed)
	csrf, password := filepath.Join(handed, "csrf.key"), filepath.Join(handed, "password")
	for path, content := range map[string]string{csrf: strings.Repeat("k", 64), password: "a service's password"} {
		if err := os.WriteFile(path, []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf("data: data\npublic: {csrf_key_file: %q, tls: {cert: %q, key: %q}}\nldap: {urls: [\"ldaps://a.example\"], user_base: \"dc=a\", bind_dn: \"cn=a\", bind_password_file: %q, group_base: \"dc=a\", roles: {raw: [\"cn=r,dc=a\"]}}\n",
		csrf, cert, key, password)
	if err := os.WriteFile(filepath.Join(dir, "brine.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{0o440: true, 0o400: true, 0o444: false} {
		for _, path := range []string{key, csrf, password} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		_, certErr := door.OpenCertificate(cert, key)
		_, csrfErr := intake.LoadCSRFKey(csrf)
		_, passwordErr := ldap.ReadPassword(password)
		for what, err := range map[string]error{"the key of TLS": certErr, "the CSRF key": csrfErr, "the password": passwordErr} {
			if (err == nil) != want {
				t.Errorf("%s with mode %04o: %v", what, mode, err)
			}
		}
		if faults := checked(t, dir); want != (len(faults) == 0) {
			t.Errorf("with mode %04o check --permissions says %v", mode, faults)
		}
	}
}
