package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// Finding is what is wrong, and where.
type Finding struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"` // 0: the file as a whole
	What string `json:"what"`
}

func (f Finding) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.What
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.What)
}

// Verified is what [Verify] found.
type Verified struct {
	Records  uint64    `json:"records"`           // that are there
	First    uint64    `json:"first,omitempty"`   // number of the oldest
	Number   uint64    `json:"number"`            // of the last record
	Hash     string    `json:"hash"`              // of the last record
	Findings []Finding `json:"findings"`          // at most maxFindings
	Notes    []string  `json:"notes,omitempty"`   // what a crash has left, which nobody was told is kept
	Further  int       `json:"further,omitempty"` // findings that are left out
}

const maxFindings = 100

// Verify reads all of a folder and finds each changed byte, each line that was removed or put elsewhere, each gap and a cut
// tail; also while others append. noted, where it is not nil, is the number and hash of a record that were
// noted elsewhere: they find also that all was written anew. An error is one of the disk.
func Verify(dir string, noted *Anchor) (Verified, error) { return verify(osDisk{}, dir, noted) }

func verify(d disk, dir string, noted *Anchor) (v Verified, err error) {
	for range 3 {
		c := &checker{disk: d, dir: dir, noted: noted, last: Anchor{0, genesis}, v: Verified{Findings: []Finding{}}}
		if err = c.check(); !errors.Is(err, fs.ErrNotExist) { // else a purge has just removed a file
			return c.v, err
		}
	}
	return v, err
}

// checker reads the records in their order.
type checker struct {
	disk  disk
	dir   string
	noted *Anchor
	v     Verified

	head   heads
	noHead error
	last   Anchor // the record before
	file   string // which holds it
	line   int
	start  *Anchor // before the oldest record, where that is not the first: a later one must say that what was before is purged
	known  bool    // head's record was seen
	seen   bool    // noted's was
	cut    string  // what follows the last record and is none
}

func (c *checker) check() error {
	files, err := c.snapshot()
	if err != nil {
		return err
	}
	for n, i := range files {
		if err := c.checkFile(i, n == len(files)-1); err != nil {
			return err
		}
	}
	c.v.Number, c.v.Hash = c.last.Number, c.last.Hash
	c.checkStart()
	c.checkHead(files)
	c.checkNoted()
	return nil
}

// snapshot takes head and the sizes of the files at one moment, between two groups.
func (c *checker) snapshot() (files []info, err error) {
	unlock, err := c.disk.lock(c.dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	c.head, c.noHead = readHeads(c.disk, c.dir)
	if c.noHead != nil && !errors.Is(c.noHead, errNoHead) && !errors.Is(c.noHead, fs.ErrNotExist) {
		return nil, c.noHead
	}
	all, err := c.disk.list(c.dir)
	for _, i := range all {
		switch {
		case fileName.MatchString(i.name):
			files = append(files, i)
		case i.name != headFile:
			c.find(i.name, 0, "this is no file of the audit")
		}
	}
	return files, err
}

func (c *checker) find(file string, line int, format string, args ...any) {
	if len(c.v.Findings) == maxFindings {
		c.v.Further++
		return
	}
	c.v.Findings = append(c.v.Findings, Finding{filepath.Join(c.dir, file), line, fmt.Sprintf(format, args...)})
}

func (c *checker) checkFile(i info, newest bool) error {
	f, err := c.disk.open(filepath.Join(c.dir, i.name))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := newLineReader(f, 0, i.size)
	for n := 1; ; n++ {
		at := lines.at
		line, whole, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r, wrong := parseLine(line)
		if !whole {
			wrong = errNoRecord
		}
		if wrong != nil && newest && c.beyondHead(i.name, at) {
			c.cut = fmt.Sprintf("%s:%d and what follows: no whole line, and no record that anybody was told is kept", filepath.Join(c.dir, i.name), n)
			return nil // the next append cuts it off
		}
		if wrong != nil {
			c.find(i.name, n, "%v", wrong)
			continue
		}
		c.checkRecord(r, line, i.name, n)
	}
}

// beyondHead says whether a place is after all that head knows, where a crash may leave anything.
func (c *checker) beyondHead(file string, at int64) bool {
	return c.noHead == nil && c.known && (file > c.head.file || at >= c.head.size) || c.noHead == nil && c.head.Number == 0
}

// checkRecord holds a record to the one before.
func (c *checker) checkRecord(r Record, line []byte, file string, n int) {
	switch {
	case c.v.Records == 0 && (r.Number != 1 || r.Before != genesis):
		c.start = &Anchor{r.Number - 1, r.Before}
	case r.Number <= c.last.Number:
		c.find(file, n, "record %d stands after record %d", r.Number, c.last.Number)
	case r.Number > c.last.Number+1:
		c.find(file, n, "records %d to %d are missing before this one", c.last.Number+1, r.Number-1)
	case r.Before != c.last.Hash:
		c.find(c.file, c.line, "record %d was changed: it is not what record %d was written after", c.last.Number, r.Number)
	}
	if c.v.Records == 0 {
		c.v.First = r.Number
	}
	c.v.Records++
	c.last, c.file, c.line = Anchor{r.Number, hashOf(line)}, file, n
	if c.start != nil && r.Action == Purge && r.Anchor == c.start.String() {
		c.start = nil
	}
	if r.Action == Audit && r.Outcome == "failed" {
		c.find(file, n, "recorded on %s: %s", r.Time.Format("2006-01-02 15:04"), r.Note)
	}
	if r.Number == c.head.Number {
		c.known = c.known || c.matches(c.head.Anchor, "head says")
	}
	if c.noted != nil && r.Number == c.noted.Number {
		c.seen = true
		c.matches(*c.noted, "was noted")
	}
}

// matches holds the record that was just read to what is known of it elsewhere.
func (c *checker) matches(a Anchor, says string) bool {
	if a.Hash != c.last.Hash {
		c.find(c.file, c.line, "record %d was changed: its hash is not the one that %s", a.Number, says)
	}
	return true
}

func (c *checker) checkStart() {
	if c.start != nil {
		c.find(headFile, 0, "record %d is the oldest, and no record says that those before it were purged: they are missing, or it was changed", c.v.First)
	}
}

// checkHead finds a cut tail. A crash leaves records that head does not know, of one group, and of head one slot that is not whole.
func (c *checker) checkHead(files []info) {
	if c.noHead != nil {
		if len(files) > 0 { // else nothing was recorded yet
			c.find(headFile, 0, "head is missing or broken: whether the last records were cut off cannot be told")
		}
		return
	}
	ahead := c.last.Number - min(c.last.Number, c.head.Number)
	switch {
	case c.last.Number < c.head.Number && c.last.Number+1 == c.head.Number:
		c.find(headFile, 0, "record %d is missing at the end", c.head.Number)
	case c.last.Number < c.head.Number:
		c.find(headFile, 0, "records %d to %d are missing at the end", c.last.Number+1, c.head.Number)
	case ahead > 2*maxGroup:
		c.find(headFile, 0, "head is of record %d, %d before the last: no crash leaves so many", c.head.Number, ahead)
	case c.head.torn && ahead == 0 && c.cut == "" && c.head.Number > 0: // else head was being made
		c.find(headFile, 0, "one of its two lines was changed")
	case ahead > 0:
		c.v.Notes = append(c.v.Notes, fmt.Sprintf("the last records (%d) were written when their writer was stopped", ahead))
	}
	if c.known && !strings.Contains(fileNames(files), c.head.file) {
		c.find(c.head.file, 0, "the file of the last record was renamed or removed")
	}
	if c.cut != "" {
		c.v.Notes = append(c.v.Notes, c.cut)
	}
}

func fileNames(files []info) (all string) {
	for _, i := range files {
		all += i.name + "\n"
	}
	return all
}

func (c *checker) checkNoted() {
	switch {
	case c.noted == nil || c.seen:
	case c.noted.Number < c.v.First:
		c.find(headFile, 0, "record %d, which was noted, is not kept any more: note a newer one", c.noted.Number)
	default:
		c.find(headFile, 0, "record %d, which was noted, is not there: the last is %d", c.noted.Number, c.last.Number)
	}
}
