package lake

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brine/lake/store"
)

// File is one file of the lake with what its footer says.
type File struct {
	Name
	Size     int64
	Rows     int64
	Min, Max int64 // the range of event times it holds, ms since the epoch, both inclusive

	known bool              // whether the footer was read
	sum   store.Sum         // of a file in an object store
	meta  map[string]string // likewise: what [Rewrite.Meta] left in the footer
}

// catalogue is what the file system holds: it is read from there and holds nothing of its own.
type catalogue struct {
	files   []*File         // committed, and not covered by another
	covered []Name          // to be swept
	pending []Name          // beyond the newest mark of their log
	marks   map[string]mark // the newest of each log
	stale   []mark          // the others
	faults  []Fault

	number           uint64    // of the last entry of the journal it is of; 0 for a folder
	hour, completeTo time.Time // as the owner of a lake in an object store said them last
}

// Fault is something in the lake's folder that was left out, and why.
type Fault struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// readCatalogue lists the lake's folder.
func readCatalogue(root string) (*catalogue, error) {
	c := &catalogue{marks: map[string]mark{}}
	names, err := c.walk(root)
	if err != nil {
		return nil, err
	}
	committed := names[:0]
	for _, f := range names {
		if !f.Imported() && f.Last > c.marks[f.Log].Last {
			c.pending = append(c.pending, f.Name)
		} else {
			committed = append(committed, f)
		}
	}
	c.settle(committed)
	return c, nil
}

func (c *catalogue) walk(root string) (files []*File, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch rel, _ := filepath.Rel(root, path); {
		case errors.Is(err, fs.ErrNotExist): // swept while we walked, or a lake that is still empty
		case err != nil:
			return err
		case d.IsDir() && d.Name() == asideFolder:
			return fs.SkipDir
		case d.IsDir():
		case filepath.Base(filepath.Dir(path)) == marksFolder:
			c.addMark(rel)
		default:
			if f := c.inspect(root, rel); f != nil {
				files = append(files, f)
			}
		}
		return nil
	})
	return files, err
}

func (c *catalogue) addMark(rel string) {
	m, err := parseMark(filepath.Base(rel))
	if err != nil {
		c.fault(rel, err.Error())
		return
	}
	older, ok := c.marks[m.Log]
	if ok && older.Last > m.Last {
		older, m = m, older
	}
	c.marks[m.Log] = m
	if ok {
		c.stale = append(c.stale, older)
	}
}

// inspect looks at a file's name and at its two ends, which a truncated file lacks.
func (c *catalogue) inspect(root, rel string) *File {
	n, err := ParseName(rel)
	if err != nil {
		c.fault(rel, "a foreign file: its name is not one of the lake's")
		return nil
	}
	size, err := parquetSize(filepath.Join(root, rel))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.fault(rel, err.Error())
		}
		return nil
	}
	return &File{Name: n, Size: size}
}

func (c *catalogue) fault(path, why string) { c.faults = append(c.faults, Fault{path, why}) }

// parquetSize checks that a file begins and ends as Parquet does.
func parquetSize(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	const magic = "PAR1"
	var head, tail [len(magic)]byte
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() < 3*int64(len(magic)) {
		return 0, errors.New("truncated: too short for a Parquet file")
	}
	_, err1 := f.ReadAt(head[:], 0)
	_, err2 := f.ReadAt(tail[:], info.Size()-int64(len(magic)))
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	if string(head[:]) != magic || string(tail[:]) != magic {
		return 0, errors.New("truncated or damaged: does not begin and end as a Parquet file")
	}
	return info.Size(), nil
}

// settle sorts committed files into those that are read and those that another covers. Where
// two overlap and neither covers the other, the older generation is left out, told by name,
// and nothing is swept.
func (c *catalogue) settle(files []*File) {
	slices.SortFunc(files, func(a, b *File) int {
		return cmp.Or(strings.Compare(a.Dataset, b.Dataset), strings.Compare(a.Stream, b.Stream), compareNames(a.Name, b.Name))
	})
	var group []*File // taken so far, of the same source as f
	for _, f := range files {
		if len(group) > 0 && !f.sameSource(group[0].Name) {
			group = nil
		}
		switch by := overlapping(group, f.Name); {
		case by == nil:
			group = append(group, f)
		case by.Covers(f.Name):
			c.covered = append(c.covered, f.Name)
		default:
			c.fault(f.String(), fmt.Sprintf("overlaps %s without being covered by it: remove the one that is wrong", by.Name))
		}
		if len(group) > 0 && group[len(group)-1] == f {
			c.files = append(c.files, f)
		}
	}
}

// compareNames orders the files of a stream by hour and source, those that cover others first.
func compareNames(a, b Name) int {
	return cmp.Or(a.Hour.Compare(b.Hour), strings.Compare(a.Log, b.Log), cmp.Compare(b.Generation, a.Generation),
		cmp.Compare(a.First, b.First), cmp.Compare(b.Last, a.Last))
}

// overlapping finds a file of the group that holds some of n's range; one that covers n first.
func overlapping(group []*File, n Name) (found *File) {
	for _, f := range group {
		if f.Covers(n) {
			return f
		}
		if f.Overlaps(n) {
			found = f
		}
	}
	return found
}

// add takes up files that were just committed and sets aside those they cover. One that was damaged in the same place is no more.
func (c *catalogue) add(added []*File) {
	c.faults = slices.DeleteFunc(c.faults, func(fault Fault) bool {
		return slices.ContainsFunc(added, func(a *File) bool { return a.String() == fault.Path })
	})
	c.files = slices.DeleteFunc(c.files, func(f *File) bool {
		covered := slices.ContainsFunc(added, func(a *File) bool { return a.Covers(f.Name) })
		if covered {
			c.covered = append(c.covered, f.Name)
		}
		return covered
	})
	c.files = append(c.files, added...)
}

// of gives the files of one stream that are read.
func (c *catalogue) of(dataset, stream string) (files []*File) {
	for _, f := range c.files {
		if f.Dataset == dataset && f.Stream == stream {
			files = append(files, f)
		}
	}
	return files
}

func (c *catalogue) logFaults(log *slog.Logger) {
	for _, f := range c.faults {
		log.Warn("left out of the lake", "file", f.Path, "why", f.Why)
	}
}
