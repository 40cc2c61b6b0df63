package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// brineTold is brine with something on standard input.
func brineTold(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, &globals{t.Context(), strings.NewReader(stdin), &out, &errs})
	return out.String(), errs.String(), code
}

func TestUser(t *testing.T) {
	inFolder(t, nil)
	const good = "correct horse battery staple\n"
	for _, c := range []struct {
		line, stdin string
		code        int
		says        string
	}{
		{"user list", "", exitOK, "there is no user (brine user add NAME --role ROLE)"},
		{"user list --json", "", exitOK, `{"users":[],"faults":[]}`},
		{"user add anna --role analyst", good, exitOK, "added anna: analyst"},
		{"user add bert --role raw --role privacy", strings.TrimSuffix(good, "\n"), exitOK, "added bert: raw, privacy"},
		{"user add anna --role raw", good, exitFailed, "anna is there already"},
		{"user add carl --role raw", "", exitFailed, "no password on standard input"},
		{"user add carl --role raw", "\n" + good, exitFailed, "no password on standard input"},
		{"user add carl --role raw", "short\n", exitFailed, "at least 12 characters"},
		{"user add carl --role raw", strings.Repeat("long", 1000), exitFailed, "too long"},
		{"user add carl --role admin", good, exitUsage, `--role: "admin" is no role`},
		{"user add carl", good, exitUsage, "--role"},
		{"user add Carl --role raw", good, exitFailed, "a name is 1 to 64"},
		{"user passwd anna", "another password\r\n", exitOK, "changed the password of anna"},
		{"user passwd carl", good, exitFailed, "no such person"},
		{"user list", "", exitOK, "anna  analyst\nbert  raw, privacy\n"},
		{"user list --json", "", exitOK, `{"users":[{"name":"anna","roles":["analyst"]},{"name":"bert","roles":["raw","privacy"]}],"faults":[]}`},
		{"user remove bert", "", exitOK, "removed bert"},
		{"user remove bert", "", exitFailed, `nobody in data/users is called "bert"`},
		{"user list", "", exitOK, "anna  analyst\n"},
		{"user add carl --role raw --role privacy --json", good, exitOK, `{"name":"carl","roles":["raw","privacy"]}`},
		{"user passwd carl --json", good, exitOK, `{"name":"carl"}`},
		{"user remove carl --json", "", exitOK, `{"name":"carl","tokens_revoked":0}`},
		{"user add --help", "", exitOK, "Example"},
		{"user remove --help", "", exitOK, "Example"},
		{"user list --help", "", exitOK, "Example"},
		{"user passwd --help", "", exitOK, "Example"},
	} {
		stdout, stderr, code := brineTold(t, c.stdin, strings.Fields(c.line)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) || strings.Contains(stdout+stderr, "horse") {
			t.Errorf("brine %s: exit code %d, want %d and %q\n%s%s", c.line, code, c.code, c.says, stdout, stderr)
		}
	}
	if info, err := os.Stat("data/users"); err != nil || info.Mode() != 0o600 {
		t.Error(info, err)
	}
}

// A broken line is told by list and by check.
func TestUserBrokenLine(t *testing.T) {
	inFolder(t, map[string]string{"data/users": "# who may read\nanna:raw:$argon2id$v=19$m=65536\n"})
	for _, line := range []string{"user list", "user list --json", "check"} {
		if stdout, _, code := brine(t, strings.Fields(line)...); code != exitFailed || !strings.Contains(stdout, "data/users:2: anna: the hash is no argon2id hash") {
			t.Errorf("brine %s: exit code %d\n%s", line, code, stdout)
		}
	}
	if err := os.Chmod("data/users", 0o644); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := brine(t, "user", "list"); code != exitFailed || !strings.Contains(stderr, "mode 0644, and must have 0600 (chmod 600 data/users)") {
		t.Error(code, stderr)
	}
}

// On a terminal the password is asked for twice, and not shown.
func TestUserTerminal(t *testing.T) {
	inFolder(t, nil)
	for _, c := range []struct {
		typed string
		code  int
		says  string
	}{
		{"correct horse battery\ncorrect horse battery\n", exitOK, "added anna"},
		{"correct horse battery\ncorrect house battery\n", exitFailed, "the two passwords differ"},
	} {
		os.RemoveAll("data")
		master, slave := openTerminal(t)
		if _, err := master.WriteString(c.typed); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := run([]string{"user", "add", "anna", "--role", "raw"}, &globals{t.Context(), slave, &out, &errs})
		if said := out.String() + errs.String(); code != c.code || !strings.Contains(said, c.says) || strings.Count(errs.String(), "\n") < 2 {
			t.Errorf("exit code %d\n%s", code, said)
		}
		if shows, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS); err != nil || shows.Lflag&unix.ECHO == 0 {
			t.Error("the terminal stays without echo", err)
		}
	}
}

// openTerminal makes a pair of a terminal and who types on it.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(filepath.Join("/dev/pts", strconv.Itoa(n)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// A token goes by the name as the users file spells it, and works for nobody who gets the name later.
func TestUserRemoveEndsTokens(t *testing.T) {
	inFolder(t, nil)
	const good = "correct horse battery staple\n"
	for _, c := range []struct{ line, says string }{
		{"user add anna --role analyst", "added anna"},
		{"token create --owner ANNA --role analyst --json", `"owner":"anna"`},
		{"user passwd anna", "tokens stay"},
		{"token list", "works"},
		{"user remove anna", "removed anna; tokens revoked: 1"},
		{"user add anna --role analyst", "added anna"},
		{"token list", "revoked"},
	} {
		if stdout, stderr, code := brineTold(t, good, strings.Fields(c.line)...); code != exitOK || !strings.Contains(stdout, c.says) {
			t.Errorf("brine %s: exit code %d, want %q\n%s%s", c.line, code, c.says, stdout, stderr)
		}
	}
}

// Where it cannot be recorded, no user is added, changed or removed.
func TestUserIsRecordedBefore(t *testing.T) {
	inFolder(t, nil)
	const good = "correct horse battery staple\n"
	if _, stderr, code := brineTold(t, good, "user", "add", "anna", "--role", "raw"); code != exitOK {
		t.Fatal(stderr)
	}
	before, err := os.ReadFile("data/users")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod("data/audit", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"user add bert --role raw", "user passwd anna", "user remove anna"} {
		if _, stderr, code := brineTold(t, good, strings.Fields(line)...); code != exitFailed || !strings.Contains(stderr, "audit") {
			t.Errorf("brine %s: exit code %d\n%s", line, code, stderr)
		}
	}
	if after, err := os.ReadFile("data/users"); err != nil || !bytes.Equal(before, after) {
		t.Error("the users file has changed", err)
	}
}
