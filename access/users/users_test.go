package users

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"brine/access"
)

const password = "correct horse battery staple"

// An account is told from the one before by its ID where the password was changed, or somebody else got the name.
func TestID(t *testing.T) {
	f := newFile(t)
	seen := map[string]bool{}
	check := func(want int) {
		t.Helper()
		for range 2 {
			account, err := f.Find(t.Context(), "ANNA")
			if seen[account.ID] = true; err != nil || account.Name != "anna" || account.ID == "" || len(seen) != want {
				t.Errorf("%q, %v, %d IDs", account.Name, err, len(seen))
			}
		}
	}
	mustAdd(t, f, "anna", access.Viewer)
	check(1)
	if err := f.SetPassword(t.Context(), "anna", "another password"); err != nil {
		t.Fatal(err)
	}
	check(2)
	if err := f.Remove("anna"); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, f, "anna", access.Viewer)
	check(3)
}

// Hashes of these tests are cheap, but where one says otherwise.
var shipped = usual

func init() { usual.memory, usual.passes, usual.lanes = minMemory, 1, 1 }

func mustAdd(tb testing.TB, f *File, name string, roles ...access.Role) {
	tb.Helper()
	if err := f.Add(tb.Context(), name, password, access.RolesOf(roles...)); err != nil {
		tb.Fatal(err)
	}
}

func newFile(tb testing.TB) *File { return New(filepath.Join(tb.TempDir(), "users")) }

func content(tb testing.TB, f *File) string {
	tb.Helper()
	b, err := os.ReadFile(f.path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestUsers(t *testing.T) {
	f := newFile(t)
	try := func(name, password string, want access.Roles) {
		t.Helper()
		person, roles, err := login(t.Context(), f, name, password)
		if roles != want || (want == 0) != errors.Is(err, access.ErrDenied) || want != 0 && person != "anna" {
			t.Errorf("%q, %v, %v", person, roles, err)
		}
	}
	try("anna", password, 0) // there is no file
	mustAdd(t, f, "anna", access.Analyst, access.Privacy)
	mustAdd(t, f, "bert@example.org", access.Raw)
	try("anna", password, access.RolesOf(access.Analyst, access.Privacy))
	try("ANNA", password, access.RolesOf(access.Analyst, access.Privacy))
	for _, name := range []string{"", "nobody", "ann", "anna:", "*", "anna\x00", strings.Repeat("a", 10<<10), "#", "# who"} {
		try(name, password, 0)
	}
	for _, wrong := range []string{"", "wrong", password + " ", strings.ToUpper(password)} {
		try("anna", wrong, 0)
	}
	if err := f.SetPassword(t.Context(), "anna", "another password"); err != nil {
		t.Fatal(err)
	}
	try("anna", password, 0)
	try("anna", "another password", access.RolesOf(access.Analyst, access.Privacy))
	if roles, err := rolesOf(t.Context(), f, "bert@example.org"); roles != access.RolesOf(access.Raw) || err != nil {
		t.Error(roles, err)
	}
	if err := f.Remove("anna"); err != nil {
		t.Fatal(err)
	}
	try("anna", "another password", 0)
	if _, err := rolesOf(t.Context(), f, "anna"); !errors.Is(err, access.ErrDenied) {
		t.Error(err)
	}
	all, faults, err := f.List()
	if fmt.Sprint(all, faults, err) != "[{bert@example.org raw}] [] <nil>" {
		t.Error(all, faults, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(f.path)); len(left) != 2 { // and its lock
		t.Error("left over:", left)
	}
}

func TestRefused(t *testing.T) {
	f := newFile(t)
	mustAdd(t, f, "anna", access.Viewer)
	before := content(t, f)
	add := func(name, password string, roles ...access.Role) error {
		return f.Add(t.Context(), name, password, access.RolesOf(roles...))
	}
	for says, err := range map[string]error{
		"there already":        add("anna", password, access.Raw),
		"begins with a letter": add("-x", password, access.Raw),
		"a to z":               add("An:na", password, access.Raw),
		"1 to 64":              add(strings.Repeat("a", 65), password, access.Raw),
		"needs a role":         add("bert", password),
		"12 characters":        add("bert", "elevenchars", access.Raw),
		"at least 12":          add("bert", "ééééééééééé", access.Raw), // 22 bytes
		"again and again":      add("bert", "aaaaaaaaaaaaa", access.Raw),
		"more than the name":   add("bert.example", "Bert.example1", access.Raw),
		"cannot be typed":      add("bert", "with a\x00 NUL in it", access.Raw),
		"too long":             add("bert", strings.Repeat("long", 1000), access.Raw),
		"nobody":               f.Remove("bert"),
		`called ""`:            f.Remove(""),
		"no such person":       f.SetPassword(t.Context(), "bert", password),
	} {
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), password) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	if content(t, f) != before {
		t.Error("the file has changed")
	}
}

// A line that is broken keeps that person out, says where it is, and is nobody else's matter.
func TestBrokenLines(t *testing.T) {
	good := newFile(t)
	mustAdd(t, good, "anna", access.Raw)
	line := strings.SplitN(content(t, good), "\n", 3)[1]
	for name, c := range map[string]struct{ line, says string }{
		"CutInTheHash":  {line[:len(line)-1], "cut short"},
		"CutInTheSalt":  {line[:strings.LastIndex(line, "$")], "not all of it"},
		"CutInTheRoles": {"anna:ra", `"ra" is no role`},
		"CutInTheName":  {"anna", "is no role"},
		"Altered":       {line[:len(line)-1] + "_", "no argon2id hash"},
		"OtherHash":     {"anna:raw:$2y$10$abcdefghijklmnopqrstuu", "no argon2id hash"},
		"Plain":         {"anna:raw:" + password, "no argon2id hash"},
		"TooMuchMemory": {strings.Replace(line, "m=8192", "m=99999999", 1), "out of bounds"},
		"TooLittle":     {strings.Replace(line, "m=8192", "m=8", 1), "out of bounds"},
		"NoPasses":      {strings.Replace(line, "t=1", "t=0", 1), "out of bounds"},
		"ManyPasses":    {strings.Replace(line, "t=1", "t=9999", 1), "out of bounds"},
		"Twin":          {line + "\n" + line, "is in line 2 too"},
		"Garbage":       {"\xff\x00\x01", "no line of the form"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t)
			mustAdd(t, f, "bert", access.Viewer)
			text := content(t, f)
			text = strings.Replace(text, "\n", "\n"+c.line+"\n", 1)
			if err := os.WriteFile(f.path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := login(t.Context(), f, "anna", password); !errors.Is(err, access.ErrDenied) || name != "Garbage" && !strings.Contains(err.Error(), f.path+":2: ") {
				t.Error(err)
			}
			if _, roles, err := login(t.Context(), f, "bert", password); roles != access.RolesOf(access.Viewer) || err != nil {
				t.Error("another person:", err)
			}
			all, faults, err := f.List()
			if said := fmt.Sprint(faults); len(all) != 1 || !strings.Contains(said, f.path+":2: ") || !strings.Contains(said, c.says) || strings.Contains(said, password) || strings.Contains(said, "$argon2id") || err != nil {
				t.Error(all, said, err)
			}
			mustAdd(t, f, "carl", access.Viewer)
			if !strings.Contains(content(t, f), c.line+"\n") {
				t.Error("a broken line was changed")
			}
			if name == "Garbage" {
				return
			}
			if err := f.Remove("anna"); err != nil {
				t.Error(err)
			}
			if _, faults, _ := f.List(); len(faults) != 0 {
				t.Error("after its removal:", faults)
			}
		})
	}
}

// A file cut at any byte lets in nobody by a wrong password, and those whose lines are whole by the right one.
func TestCutAnywhere(t *testing.T) {
	f := newFile(t)
	mustAdd(t, f, "anna", access.Viewer)
	mustAdd(t, f, "bert", access.Raw)
	whole := content(t, f)
	annasEnd := strings.Index(whole, "\nbert")
	for n := range len(whole) {
		if err := os.WriteFile(f.path, []byte(whole[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		if roles, err := rolesOf(t.Context(), f, "anna"); (roles == access.RolesOf(access.Viewer)) != (n >= annasEnd) || (err == nil) != (n >= annasEnd) {
			t.Fatal(n, roles, err)
		}
		if roles, _ := rolesOf(t.Context(), f, "bert"); roles != 0 && n < len(whole)-1 {
			t.Fatal(n, roles)
		}
	}
}

func TestFileRefused(t *testing.T) {
	for says, spoil := range map[string]func(*File) error{
		"mode 0644":      func(f *File) error { return os.Chmod(f.path, 0o644) },
		"mode 0640":      func(f *File) error { return os.Chmod(f.path, 0o640) },
		"symbolic link":  func(f *File) error { return errors.Join(os.Rename(f.path, f.path+"2"), os.Symlink(f.path+"2", f.path)) },
		"hard link":      func(f *File) error { return os.Link(f.path, f.path+"2") },
		"not a regular":  func(f *File) error { return errors.Join(os.Remove(f.path), os.Mkdir(f.path, 0o700)) },
		"a regular file": func(f *File) error { return errors.Join(os.Remove(f.path), syscall.Mkfifo(f.path, 0o600)) },
		"larger than":    func(f *File) error { return os.Truncate(f.path, maxSize+1) },
	} {
		t.Run(says, func(t *testing.T) {
			f := newFile(t)
			mustAdd(t, f, "anna", access.Viewer)
			if err := spoil(f); err != nil {
				t.Fatal(err)
			}
			_, _, err := login(t.Context(), f, "anna", password)
			_, rolesErr := rolesOf(t.Context(), f, "anna")
			addErr := f.Add(t.Context(), "bert", password, access.RolesOf(access.Viewer))
			_, _, listErr := f.List()
			for _, err := range []error{err, rolesErr, addErr, listErr} {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Error(err)
				}
			}
			if !errors.Is(err, access.ErrUnavailable) || !errors.Is(rolesErr, access.ErrUnavailable) {
				t.Error(err, rolesErr)
			}
		})
	}
}

// What a killed command has left aside is in nobody's way.
func TestLeftAside(t *testing.T) {
	f := newFile(t)
	mustAdd(t, f, "anna", access.Viewer)
	if err := os.WriteFile(f.path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, f, "bert", access.Viewer)
	if all, faults, err := f.List(); len(all) != 2 || faults != nil || err != nil {
		t.Error(all, faults, err)
	}
}

// Readers see the file whole, however many change it.
func TestAtOnce(t *testing.T) {
	f := newFile(t)
	mustAdd(t, f, "anna", access.Viewer)
	var writers, readers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() { mustAdd(t, New(f.path), fmt.Sprint("user", i), access.Viewer) })
	}
	done := make(chan struct{})
	readers.Go(func() {
		for {
			if roles, err := rolesOf(t.Context(), f, "anna"); !roles.Has(access.Viewer) || err != nil {
				t.Error(roles, err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
	if all, faults, err := f.List(); len(all) != 9 || faults != nil || err != nil {
		t.Error(all, faults, err)
	}
}

// Both an unknown name and a known one hash, each when it is its turn.
func TestEveryLoginHashes(t *testing.T) {
	f := newFile(t)
	mustAdd(t, f, "anna", access.Viewer)
	for range hashesAtOnce {
		f.busy <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"anna", "nobody"} {
		if _, _, err := login(ctx, f, name, password); !errors.Is(err, access.ErrUnavailable) || !strings.Contains(err.Error(), "too many logins") {
			t.Errorf("%s: %v", name, err)
		}
	}
	<-f.busy
	if _, _, err := login(t.Context(), f, "anna", password); err != nil {
		t.Error(err)
	}
}

func TestHash(t *testing.T) {
	cheap := usual
	usual = shipped
	defer func() { usual = cheap }()
	f := newFile(t)
	mustAdd(t, f, "anna", access.Viewer)
	if text := content(t, f); !strings.Contains(text, "\nanna:viewer:$argon2id$v=19$m=65536,t=3,p=4$") || !bytes.HasSuffix([]byte(text), []byte("\n")) {
		t.Error(text)
	}
	if _, _, err := login(t.Context(), f, "anna", password); err != nil {
		t.Error(err)
	}
	// Made by the reference implementation: echo -n password | argon2 somesaltsomesalt -id -m 16 -t 2 -p 1 -l 32 -e
	h, err := parseHash("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$/DO3gTkjHTS3Fia9YkXB1y76GQrWBcPYFmpyrc7fosI")
	if err != nil {
		t.Fatal(err)
	}
	if fits, err := f.fits(t.Context(), h, "password"); !fits || err != nil {
		t.Error("the reference implementation's hash does not fit")
	}
}

func FuzzLine(f *testing.F) {
	f.Add("anna:raw:" + decoy().String())
	f.Add("anna:raw,viewer:$argon2id$v=19$m=1,t=1,p=1$$")
	f.Add("# comment")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLine(text)
		if l.String() != text {
			t.Errorf("%q became %q", text, l)
		}
		if err == nil && l.name != "" && (l.roles == 0 || len(l.hash.key) != keyLength || l.hash.memory > maxMemory) {
			t.Errorf("%q is in order", text)
		}
	})
}

func login(ctx context.Context, d access.Directory, name, password string) (person string, roles access.Roles, err error) {
	account, err := d.Login(ctx, name, password)
	return account.Name, account.Roles, err
}

func rolesOf(ctx context.Context, d access.Directory, name string) (access.Roles, error) {
	account, err := d.Find(ctx, name)
	return account.Roles, err
}
