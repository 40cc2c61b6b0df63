package lake

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// The datasets of the lake. Raw, Rejected, Quarantine and Canary are filled from the log, each of the others from the one before it.
const (
	Raw        = "raw"        // events as they were sent, at most the raw window old
	Sanitized  = "sanitized"  // what the allowlist keeps of raw
	Facts      = "facts"      // what questions need of each sanitized interaction
	Rollups    = "rollups"    // what the facts of an hour add up to
	Rejected   = "rejected"   // the shape of events that were refused
	Quarantine = "quarantine" // log lines that the flush could not read, whole
	Canary     = "canary"     // what collectors send to see that it arrives; nothing of a person
)

// Name is what a file of the lake is called, and all that is known of it without opening it:
//
//	raw/interaction/date=2026-11-21/hour=13/20261121xk3f9q2-1-812.g1.parquet
type Name struct {
	Dataset, Stream string
	Hour            time.Time // the start of the hour its events arrived in, UTC
	Log             string    // one incarnation of the log, or the SHA-256 of what was imported
	First, Last     uint64    // the range of the log it holds, both inclusive
	Generation      int       // 1 from the first flush; a rewrite's is one more than its inputs'
	Epoch           uint64    // of the owner who wrote it; 0 where one process alone ever owns the lake
}

// fromLog says whether a dataset is filled from the log, and so compacted when an hour is closed.
func fromLog(dataset string) bool {
	return dataset == Raw || dataset == Rejected || dataset == Quarantine || dataset == Canary
}

var namePattern = regexp.MustCompile(
	`^([a-z]+)/([a-z0-9_]+)/date=(\d{4}-\d{2}-\d{2})/hour=(\d{2})/([0-9a-z]+)-(\d+)-(\d+)\.g(\d+)(?:\.e([1-9]\d*))?\.parquet$`)

// ParseName reads a path below the lake's folder.
func ParseName(path string) (Name, error) {
	m := namePattern.FindStringSubmatch(filepath.ToSlash(path))
	if m == nil {
		return Name{}, fmt.Errorf("%s: not the name of a lake file", path)
	}
	hour, err := time.Parse("2006-01-02 15", m[3]+" "+m[4])
	if err != nil {
		return Name{}, fmt.Errorf("%s: no such hour", path)
	}
	n := Name{Dataset: m[1], Stream: m[2], Hour: hour, Log: m[5]}
	first, err1 := strconv.ParseUint(m[6], 10, 64)
	last, err2 := strconv.ParseUint(m[7], 10, 64)
	generation, err3 := strconv.Atoi(m[8])
	if err1 != nil || err2 != nil || err3 != nil || first > last {
		return Name{}, fmt.Errorf("%s: no such range of a log", path)
	}
	n.First, n.Last, n.Generation = first, last, generation
	if m[9] == "" {
		return n, nil
	}
	if n.Epoch, err = strconv.ParseUint(m[9], 10, 64); err != nil {
		return Name{}, fmt.Errorf("%s: no such epoch", path)
	}
	return n, nil
}

// Folder is the partition's folder below the lake's.
func (n Name) Folder() string {
	return filepath.Join(n.Dataset, n.Stream, n.Hour.Format("date=2006-01-02"), n.Hour.Format("hour=15"))
}

// String is the path below the lake's folder.
func (n Name) String() string {
	epoch := ""
	if n.Epoch > 0 {
		epoch = fmt.Sprintf(".e%d", n.Epoch)
	}
	return filepath.Join(n.Folder(), fmt.Sprintf("%s-%d-%d.g%d%s.parquet", n.Log, n.First, n.Last, n.Generation, epoch))
}

// Imported says whether the file came from an import rather than from the log.
func (n Name) Imported() bool { return len(n.Log) == 64 }

// Covers says whether n holds all that o holds and was made later.
func (n Name) Covers(o Name) bool {
	return n.sameSource(o) && n.First <= o.First && o.Last <= n.Last && n.Generation > o.Generation
}

// Overlaps says whether some event could be in both.
func (n Name) Overlaps(o Name) bool { return n.sameSource(o) && n.First <= o.Last && o.First <= n.Last }

func (n Name) sameSource(o Name) bool {
	return n.Hour.Equal(o.Hour) && n.Dataset == o.Dataset && n.Stream == o.Stream && n.Log == o.Log // by the hour most differ
}

// A mark is an empty file that commits all files of a log up to a sequence number.
type mark struct {
	Log  string
	Last uint64
}

var markPattern = regexp.MustCompile(`^([0-9a-z]+)-(\d+)$`)

func parseMark(name string) (mark, error) {
	m := markPattern.FindStringSubmatch(name)
	if m == nil {
		return mark{}, fmt.Errorf("%s: not the name of a commit mark", name)
	}
	last, err := strconv.ParseUint(m[2], 10, 64)
	if err != nil {
		return mark{}, fmt.Errorf("%s: no such sequence number", name)
	}
	return mark{m[1], last}, nil
}

func (m mark) String() string { return fmt.Sprintf("%s-%d", m.Log, m.Last) }
