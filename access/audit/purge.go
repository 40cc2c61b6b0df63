package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Purging is what [Log.Purge] is to do.
type Purging struct {
	Now    time.Time     // as if it were then; the clock's time where that is earlier
	MaxAge time.Duration // the file of a day goes when it ended so long ago; 0: none
	Guard  float64       // the share of all bytes above which nothing goes, of what came due more than a day ago
	Yes    bool          // it goes all the same
	DryRun bool          // only say what would go
	Who    string        // asks for it; "" for Brine itself
}

// Purged is what it did, or would do.
type Purged struct {
	Files   []string // that went; where it was stopped, none
	Stopped bool     // by the guard
	Days    int      // files that are due, and their bytes, and the share that the guard saw
	Bytes   int64
	Share   float64
}

// everyday is how long ago a file may have come due for its end to be nothing unusual.
const everyday = 24 * time.Hour

// Purge removes the files that are too old, the oldest first. Before that a record of each is durable, with what [Verify] needs
// to know of the chain; the file of the last record stays. A crash between leaves files that the next purge removes.
func (l *Log) Purge(p Purging) (done Purged, err error) {
	if p.MaxAge == 0 {
		return done, nil
	}
	if now := l.o.Now(); p.Now.After(now) {
		p.Now = now
	}
	files, err := logFiles(l.o.disk, l.o.Dir)
	if err != nil {
		return done, err
	}
	ends, err := l.ends(files, p.Now)
	if err != nil {
		return done, err
	}
	due := dueOf(files, ends, p)
	done = p.guard(due, ends, files)
	if done.Stopped {
		return done, nil
	}
	for n, i := range due {
		if !p.DryRun {
			if err := l.purge(p.Who, i, files[n+1:]); err != nil {
				return done, fmt.Errorf("purge the audit: %w", err)
			}
		}
		done.Files = append(done.Files, i.name)
	}
	return done, nil
}

// dueOf are the oldest files that are due, without the newest of all.
func dueOf(files []info, ends []time.Time, p Purging) []info {
	n := 0
	for n < len(files)-1 && !ends[n].Add(p.MaxAge).After(p.Now) {
		n++
	}
	return files[:n]
}

// guard stops what no everyday purge would do: a clock that ran ahead, or a limit with a digit too few, looks like this.
func (p Purging) guard(due []info, ends []time.Time, files []info) (done Purged) {
	var unusual, all int64
	late := 0
	for n, i := range due {
		done.Bytes += i.size
		if ends[n].Add(p.MaxAge + everyday).Before(p.Now) {
			unusual += i.size
			late++
		}
	}
	for _, i := range files {
		all += i.size
	}
	done.Days = len(due)
	if late > 1 && all > 0 {
		done.Share = float64(unusual) / float64(all)
	}
	done.Stopped = done.Share > p.Guard && !p.Yes
	return done
}

// ends tells when each file ended. One that ended in the future was written while the clock was ahead: it counts as old as the
// next that did not, which was written after it. Where there is none it counts as of now.
func (l *Log) ends(files []info, now time.Time) ([]time.Time, error) {
	ends, after := make([]time.Time, len(files)), now
	for n, i := range slices.Backward(files) {
		end, err := l.endOf(i)
		if err != nil {
			return nil, err
		}
		if end.After(now) {
			end = after
		}
		ends[n], after = end, end
	}
	return ends, nil
}

// endOf is the end of a file's day, or the time of its last record where that is later.
func (l *Log) endOf(i info) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, dayOf(i.name))
	if err != nil {
		return time.Time{}, fmt.Errorf("the name of %s holds no day: look at brine audit verify", l.path(i.name))
	}
	end := day.Add(24 * time.Hour)
	_, last, err := l.last(i)
	if last.After(end) {
		end = last
	}
	return end, err
}

func (l *Log) purge(who string, i info, after []info) error {
	start, err := l.startOf(after)
	if err != nil {
		return err
	}
	_, err = l.Append(Record{Action: Purge, Who: cmp.Or(who, "brine"), Dataset: "audit", Anchor: start.String(),
		Note: fmt.Sprintf("the audit of %s, up to record %d, is older than retention.audit.max_age", dayOf(i.name), start.Number)})
	if err != nil {
		return err
	}
	return errors.Join(l.o.disk.remove(l.path(i.name)), l.o.disk.sync(l.o.Dir))
}

// startOf is what stands before the first record of some files.
func (l *Log) startOf(files []info) (Anchor, error) {
	for _, i := range files {
		r, err := l.first(i)
		if !errors.Is(err, io.EOF) {
			return Anchor{r.Number - 1, r.Before}, err
		}
	}
	return Anchor{}, errors.New("no file holds a record: look at brine audit verify")
}

// first is the first record of a file. Where it is none, nothing is removed, so that what was changed can be looked into.
func (l *Log) first(i info) (Record, error) {
	f, err := l.o.disk.open(l.path(i.name))
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.NewSectionReader(f, 0, min(i.size, maxLine))).ReadBytes('\n')
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		return Record{}, err
	}
	r, err := parseLine(bytes.TrimSuffix(line, []byte{'\n'}))
	if err != nil {
		return Record{}, fmt.Errorf("%s:1: %w: look at brine audit verify", l.path(i.name), err)
	}
	return r, nil
}
