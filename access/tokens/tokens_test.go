package tokens

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"brine/access"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// house is a file of tokens and a clock that a test sets.
type house struct {
	*File
	t    *testing.T
	path string
	now  time.Time
}

func open(t *testing.T) *house {
	h := &house{t: t, path: filepath.Join(t.TempDir(), "tokens"), now: noon}
	h.File = Open(h.path, func() time.Time { return h.now })
	return h
}

// other is the same file in another process.
func (h *house) other() *File { return Open(h.path, func() time.Time { return h.now }) }

func (h *house) make(lasts time.Duration) (secret string, number int) {
	h.t.Helper()
	secret, made, err := h.Create("mira", access.RolesOf(access.Analyst, access.Privacy), h.now.Add(lasts), "weekly report")
	if err != nil {
		h.t.Fatal(err)
	}
	return secret, made.Number
}

func (h *house) works(f *File, secret string) bool {
	h.t.Helper()
	_, unnoted, err := f.Find(secret)
	if unnoted != nil || err != nil && !errors.Is(err, ErrUnknown) {
		h.t.Fatal(unnoted, err)
	}
	return err == nil
}

func TestToken(t *testing.T) {
	h := open(t)
	secret, _ := h.make(90 * day)
	if !strings.HasPrefix(secret, Prefix) || !Is(secret) {
		t.Errorf("the token has not the form of one")
	}
	found, _, err := h.other().Find(secret)
	if err != nil || found.Owner != "mira" || found.Number != 1 || found.Set() != access.RolesOf(access.Analyst, access.Privacy) || found.Hash != "" {
		t.Errorf("%+v, %v", found, err)
	}
	text, err := os.ReadFile(h.path)
	if err != nil || strings.Contains(string(text), strings.TrimPrefix(secret, Prefix)) {
		t.Error("the file holds the token")
	}
	all, err := h.List()
	if err != nil || len(all) != 1 || all[0].LastUse != "2026-11-21" || all[0].Hash != "" || all[0].Note != "weekly report" {
		t.Errorf("%+v, %v", all, err)
	}
}

// A token that was altered, cut or made up is unknown, and the reason does not repeat it.
func TestUnknown(t *testing.T) {
	h := open(t)
	secret, _ := h.make(day)
	flipped := []byte(secret)
	flipped[20] ^= 1
	for _, text := range []string{"", Prefix, New(), string(flipped), secret[:len(secret)-1], secret + "A", " " + secret, strings.ToUpper(secret), Hash(secret), strings.Repeat("A", 1<<20)} {
		if _, _, err := h.Find(text); !errors.Is(err, ErrUnknown) || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// Whoever is removed leaves no token behind for the next person of that name.
func TestRevokeOf(t *testing.T) {
	h := open(t)
	first, _ := h.make(day)
	short, _ := h.make(time.Hour)
	other, _, err := h.Create("anna", access.RolesOf(access.Viewer), noon.Add(day), "")
	if err != nil {
		t.Fatal(err)
	}
	h.now = noon.Add(2 * time.Hour)
	if n, err := h.RevokeOf("MIRA"); n != 1 || err != nil {
		t.Error(n, err)
	}
	h.now = noon // also what had expired: clocks go back
	if h.works(h.other(), first) || h.works(h.other(), short) || !h.works(h.other(), other) {
		t.Error("the wrong tokens work")
	}
}

func TestEnds(t *testing.T) {
	h := open(t)
	secret, number := h.make(time.Hour)
	longer, _ := h.make(365 * day)
	running := h.other()
	for _, c := range []struct {
		at           time.Duration
		first, other bool
	}{
		{time.Hour - time.Second, true, true}, {time.Hour, false, true}, {365*day - time.Second, false, true}, {365 * day, false, false},
		{-time.Hour, false, false}, // the clock went back: nobody knows what time it is
		{0, true, true},
	} {
		h.now = noon.Add(c.at)
		if h.works(running, secret) != c.first || h.works(running, longer) != c.other {
			t.Errorf("after %s", c.at)
		}
	}
	if _, err := h.Revoke(number); err != nil { // beside the running one
		t.Fatal(err)
	}
	if h.works(running, secret) || !h.works(running, longer) {
		t.Error("a revoked token works, or another one does not")
	}
	if again, err := h.Revoke(number); err != nil || !again.Revoked.Equal(noon) {
		t.Error(again, err)
	}
	if _, err := h.Revoke(7); err == nil {
		t.Error("a token that is not there can be revoked")
	}
}

func TestRefused(t *testing.T) {
	h := open(t)
	analyst := access.RolesOf(access.Analyst)
	for name, c := range map[string]struct {
		owner string
		roles access.Roles
		lasts time.Duration
		note  string
	}{
		"no owner": {"", analyst, day, ""}, "no role": {"mira", 0, day, ""}, "over a year": {"mira", analyst, 365*day + time.Second, ""}, "over": {"mira", analyst, 0, ""},
		"long note": {"mira", analyst, day, strings.Repeat("x", 201)}, "two lines": {"mira", analyst, day, "a\nb"}, "a token in the note": {"mira", analyst, day, New()},
	} {
		if _, _, err := h.Create(c.owner, c.roles, h.now.Add(c.lasts), c.note); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	if _, err := os.Stat(h.path); err == nil {
		t.Error("a refused token leaves a file")
	}
}

// A file that others may read, or that is broken, lets nobody in.
func TestBadFile(t *testing.T) {
	h := open(t)
	secret, _ := h.make(day)
	for name, spoil := range map[string]func() error{
		"readable": func() error { return os.Chmod(h.path, 0o640) },
		"half": func() error {
			text, err := os.ReadFile(h.path)
			return errors.Join(err, os.WriteFile(h.path, text[:len(text)/2], 0o600))
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Find(secret); err == nil || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), h.path) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := h.Create("mira", access.RolesOf(access.Viewer), h.now.Add(day), ""); err == nil {
			t.Errorf("%s: it is written over", name)
		}
		os.Chmod(h.path, 0o600)
	}
}

// Whatever else stands where the file belongs is refused at once, also a pipe, which nobody may ever write.
func TestNoFile(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(h *house) error
		says  string
	}{
		"hard link": {func(h *house) error { return os.Link(h.path, h.path+".other") }, "hard link"},
		"link": {func(h *house) error {
			return errors.Join(os.Rename(h.path, h.path+".other"), os.Symlink(h.path+".other", h.path))
		}, "symbolic link"},
		"pipe": {func(h *house) error { return errors.Join(os.Remove(h.path), unix.Mkfifo(h.path, 0o600)) }, "not a regular file"},
	} {
		h := open(t)
		secret, _ := h.make(day)
		if err := c.spoil(h); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Find(secret); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A lock that another process holds for good does not hold up a request for good: the token works, and its use is not noted.
func TestLockIsHeld(t *testing.T) {
	h := open(t)
	secret, _ := h.make(day)
	lock, err := os.OpenFile(h.path+".lock", os.O_RDWR, 0)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	_, unnoted, err := h.Find(secret)
	if err != nil || unnoted == nil || !strings.Contains(unnoted.Error(), "another process has held") {
		t.Error(unnoted, err)
	}
}

// Several processes lose no token.
func TestAtOnce(t *testing.T) {
	h := open(t)
	var all sync.WaitGroup
	secrets := make(chan string, 40)
	for range 4 {
		f := h.other()
		all.Go(func() {
			for range 10 {
				secret, _, err := f.Create("mira", access.RolesOf(access.Viewer), noon.Add(day), "")
				if err != nil {
					t.Error(err)
				}
				secrets <- secret
			}
		})
	}
	all.Wait()
	close(secrets)
	for secret := range secrets {
		if !h.works(h.File, secret) {
			t.Error("a token is lost")
		}
	}
	if list, err := h.List(); err != nil || len(list) != 40 || list[39].Number != 40 {
		t.Error(len(list), err)
	}
}

// Nothing in the folder says finer than its hour when it was changed, and only the owner may read it.
func TestFile(t *testing.T) {
	h := open(t)
	h.make(day)
	for _, path := range []string{h.path, h.path + ".lock"} {
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 || !info.ModTime().Equal(info.ModTime().Truncate(time.Hour)) {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if left, _ := filepath.Glob(h.path + ".new"); left != nil {
		t.Error(left)
	}
}

// What has not worked for a year is forgotten, and its number is not used again.
func TestForgotten(t *testing.T) {
	h := open(t)
	h.make(day)
	h.now = noon.Add(300 * day)
	if _, number := h.make(day); number != 2 {
		t.Error(number)
	}
	h.now = noon.Add(400 * day)
	_, number := h.make(day)
	all, err := h.List()
	if err != nil || number != 3 || len(all) != 2 || all[0].Number != 2 {
		t.Errorf("%d, %+v, %v", number, all, err)
	}
}
