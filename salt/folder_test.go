package salt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	q3 = "2026070100_2026100100_2026100300"
	q4 = "2026100100_2027010100_2027010300"
	q1 = "2027010100_2027040100_2027040300"
)

func TestForBoundary(t *testing.T) {
	h := newHouse(t, "2026-10-02T23")
	h.put(q3, testKey("q3"))
	h.put(q4, testKey("q4")+"\n")
	if got := string(h.mustFor("2026-09-30T23").key()); got != testKey("q3") {
		t.Error("the last hour of a period has another salt")
	}
	if got := string(h.mustFor("2026-10-01T00").key()); got != testKey("q4") {
		t.Error("the first hour of a period has another salt")
	}
	h.now = at("2026-10-03T00").Add(-1)
	h.mustFor("2026-09-30T23")
	h.now = at("2026-10-03T00") // DELETION: not used any more, although its file is there yet
	h.wantFor("2026-09-30T23", ErrForgotten, "the time of "+q3+" has passed")
	h.wantFor("2026-03-01T00", ErrForgotten, "it was to be destroyed at 2026-04-03T00:00Z")
	h.wantFor("2027-01-01T00", ErrMissing, "run brine salt rotate")
}

// What is not as it must be is refused by name, for every hour, with what to do.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(h *house)
		says  string
	}{
		"Foreign":      {func(h *house) { h.put("hello", testKey("x")) }, "salts/hello: not a name of a salt"},
		"Hidden":       {func(h *house) { h.put(".2026100100_2027010100_2027010300.swp", testKey("x")) }, ".swp: the name's START is no time"},
		"Folder":       {func(h *house) { h.mkdir("lost+found") }, "salts/lost+found: not a name of a salt"},
		"NoDeletion":   {func(h *house) { h.put("2027010100_2027040100", testKey("x")) }, "the name has no DELETION"},
		"FolderAsSalt": {func(h *house) { h.mkdir(q1) }, q1 + ": it is no file"},
		"Mode":         {func(h *house) { h.chmod(q4, 0o640) }, q4 + ": it has mode 0640, it must be 0600 (chmod 600 "},
		"ModeTooFew":   {func(h *house) { h.chmod(q4, 0o400) }, q4 + ": it has mode 0400, it must be 0600"},
		"FolderMode":   {func(h *house) { h.chmod(".", 0o750) }, "salts: the salts folder has mode 0750, it must be 0700 (chmod 700 "},
		"Symlink":      {func(h *house) { h.move(q4, "../elsewhere"); h.link("../elsewhere", q4) }, q4 + ": it is a symbolic link"},
		"DeadSymlink":  {func(h *house) { h.link("../nowhere", q1) }, q1 + ": it is a symbolic link"},
		"HardLink":     {func(h *house) { h.hardLink(q4, "../elsewhere") }, q4 + ": it is a hard link"},
		"FolderLink":   {func(h *house) { h.move(".", "../real"); h.link("real", ".") }, "salts: the salts folder is a symbolic link"},
		"FolderFile":   {func(h *house) { h.remove(q3); h.remove(q4); h.remove("."); h.put(".", "x") }, "salts: the salts folder is no folder"},
		"NoFolder":     {func(h *house) { h.move(".", "../away") }, "salts: the salts folder is not there (run brine salt rotate"},
		"Empty":        {func(h *house) { h.put(q4, "") }, q4 + ": it holds 0 bytes"},
		"Short":        {func(h *house) { h.put(q4, "0123456789abcdef\n") }, q4 + ": it holds 16 bytes"},
		"Zeros":        {func(h *house) { h.put(q4, strings.Repeat("\x00", 64)) }, q4 + ": it holds bytes that are no text"},
		"Changed":      {func(h *house) { h.mustFor("2026-10-01T00"); h.put(q4, testKey("other")) }, q4 + ": it was changed: its fingerprint was "},
		"Overlap":      {func(h *house) { h.put("2026123123_2027040100_2027040300", testKey("x")) }, q4 + " and 2026123123_2027040100_2027040300: these salts overlap: hours from 2026-12-31T23:00Z would have two"},
		"Twice":        {func(h *house) { h.put("2026100100_2027010100_2027020100", testKey("x")) }, q4 + " and 2026100100_2027010100_2027020100: these salts overlap"},
		"Within":       {func(h *house) { h.put("2026110100_2026110200_2027010100", testKey("x")) }, "these salts overlap"},
		"Gap":          {func(h *house) { h.put("2027010101_2027040100_2027040300", testKey("x")) }, "there is a gap between these salts: hours from 2027-01-01T00:00Z on have none"},
		"Records":      {func(h *house) { h.write(h.options.Records, "rubbish\n") }, "salts.ndjson:1: not a record of a salt"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, "2026-10-02T12")
			h.put(q3, testKey("q3"))
			h.put(q4, testKey("q4"))
			c.spoil(h)
			for _, hour := range []string{"2026-09-30T23", "2026-10-01T00"} {
				salt, err := h.folder.For(at(hour))
				if err == nil || salt != nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: %v, %v; want %q", hour, salt, err, c.says)
				}
				if err != nil && (strings.Contains(err.Error(), testKey("q4")[:12]) || strings.Contains(err.Error(), testKey("q3")[:12])) {
					t.Errorf("an error shows a salt: %v", err)
				}
			}
			if st := h.folder.Status(); !strings.Contains(strings.Join(st.Faults, "\n"), c.says) {
				t.Errorf("status does not tell it: %q", st.Faults)
			}
			if steps, err := h.folder.Rotate(at("2026-12-31T00"), false); name != "NoFolder" && (err == nil || strings.Contains(what(steps), string(Make))) {
				t.Errorf("something was made: %s, %v", what(steps), err)
			}
		})
	}
}

func (h *house) file(name string) string { return filepath.Join(h.dir, name) }

func (h *house) do(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) mkdir(name string) { h.t.Helper(); h.do(os.Mkdir(h.file(name), 0o700)) }
func (h *house) chmod(name string, mode os.FileMode) {
	h.t.Helper()
	h.do(os.Chmod(h.file(name), mode))
}
func (h *house) move(from, to string)     { h.t.Helper(); h.do(os.Rename(h.file(from), h.file(to))) }
func (h *house) link(to, name string)     { h.t.Helper(); h.do(os.Symlink(to, h.file(name))) }
func (h *house) hardLink(from, to string) { h.t.Helper(); h.do(os.Link(h.file(from), h.file(to))) }
func (h *house) write(path, content string) {
	h.t.Helper()
	h.do(os.WriteFile(path, []byte(content), 0o600))
}

// A folder or file of another user is refused. Root alone can make one.
func TestRefusedOwner(t *testing.T) {
	h := newHouse(t, "2026-10-02T12")
	h.put(q4, testKey("q4"))
	h.folder.o.disk = foreignOwner{osDisk{}, q4}
	if _, err := h.folder.For(at("2026-10-01T00")); !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), q4+": it belongs to uid 4242, and the folder to uid ") {
		t.Error(err)
	}
}

// foreignOwner is a disk on which one file belongs to another user.
type foreignOwner struct {
	disk
	name string
}

func (d foreignOwner) list(folder string) ([]info, error) {
	all, err := d.disk.list(folder)
	for i := range all {
		if all[i].name == d.name {
			all[i].uid = 4242
		}
	}
	return all, err
}

// A salt that was used and is not there any more is missing, not forgotten, until its time has
// passed: nobody makes a second one for its period.
func TestLost(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	h.rotateAt(h.now)
	key := h.content(q4)
	h.remove(q4)
	h.wantFor("2026-11-25T10", ErrMissing, q4+" was here and is not any more: put it back")
	if steps, err := h.folder.Rotate(at("2026-12-31T00"), false); !errors.Is(err, ErrMissing) || len(steps) > 0 || h.names() != "" {
		t.Errorf("%s, %v: %s", what(steps), err, h.names())
	}
	if got := h.folder.Status(); len(got.Salts) != 1 || got.Salts[0].State != Missing || len(got.Faults) != 1 {
		t.Errorf("%+v", got)
	}
	h.put(q4, key)
	h.mustFor("2026-11-25T10")
	h.remove(q4)
	h.now = at("2027-01-03T00")
	h.wantFor("2026-11-25T10", ErrForgotten, "the time of "+q4+" has passed")
	if got := what(h.rotateAt(h.now)); got != "forget "+q4+", make "+q1 {
		t.Error(got)
	}
	h.wantFor("2026-11-25T10", ErrForgotten, "")
}

// The records of salts outlive a folder that is not mounted: it is not made anew.
func TestFolderNotMounted(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	h.rotateAt(h.now)
	h.move(".", "../away")
	for _, dry := range []bool{true, false} {
		if _, err := h.folder.Rotate(h.now, dry); !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "is its folder mounted?") {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(h.dir); err == nil {
		t.Error("the folder was made")
	}
}

func TestExternal(t *testing.T) {
	h := newHouse(t, "2026-10-02T12")
	h.options.External = true
	h.open()
	h.wantFor("2026-10-01T00", ErrMissing, "the tool that keeps the salts has not put one there")
	h.put(q3, testKey("q3"))
	h.put(q4, testKey("q4"))
	h.mustFor("2026-09-30T23")
	if _, err := h.folder.Rotate(h.now, false); !errors.Is(err, ErrExternal) {
		t.Error(err)
	}
	if _, err := h.folder.Destroy(q4); !errors.Is(err, ErrExternal) {
		t.Error(err)
	}
	if got := h.names(); got != q3+" "+q4 {
		t.Error(got)
	}
	h.remove(q3) // by the other tool, on time or before it
	h.wantFor("2026-09-30T23", ErrMissing, q3)
	h.now = at("2026-10-03T00")
	h.wantFor("2026-09-30T23", ErrForgotten, "the time of "+q3+" has passed")
	h.mustFor("2026-10-01T00")
	h.put(".new-"+q1, testKey("x"))
	h.wantFor("2026-10-01T00", ErrBroken, "only salts may lie in this folder")
}

// The times of files tell the hour and no more.
func TestCoarseTimes(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	h.rotateAt(h.now)
	for _, path := range []string{h.dir, h.file(q4), h.options.Records} {
		if i := must(os.Stat(path)); i.ModTime() != i.ModTime().Truncate(time.Hour) {
			t.Errorf("%s has the time %s", path, i.ModTime())
		}
	}
	if strings.Contains(h.recorded(), testKey("")[:8]) || strings.Contains(h.recorded(), strings.TrimSpace(h.content(q4))) {
		t.Error("the records hold a salt")
	}
}
