package erasure

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// State is how far a request is.
type State string

// The states of a request, in their order.
const (
	Accepted State = "accepted"           // durable; nothing is removed yet
	Removed  State = "removed from files" // no file that is read holds it
	Complete State = "complete"           // nor any other file, log or read
)

// Receipt says what became of a request. It holds neither the id nor anything made of it, and no time finer than a day.
type Receipt struct {
	Number     string       `json:"receipt"` // random
	State      State        `json:"state"`
	Accepted   string       `json:"accepted"`              // days, like 2026-11-21 (UTC)
	RemovedOn  string       `json:"removed_on,omitempty"`  //
	CompleteBy string       `json:"complete_by,omitempty"` // when it is expected to be complete, while brine serves
	Completed  string       `json:"completed,omitempty"`
	Removed    []Removal    `json:"removed"`
	OutOfReach []OutOfReach `json:"out_of_reach"`
	Outlets    []Copy       `json:"outlets,omitempty"` // the databases of others with a copy, when it was complete
}

// Copy says how a copy in a database of others stood when a request was complete.
type Copy struct {
	Outlet string `json:"outlet"` // its name
	State  string `json:"state"`
}

// The states of a copy.
const (
	CopyFollowed = "removed there"
	CopyDeleted  = "deleted there; it cannot purge, so that old revisions go with its own compaction and copies of it are its operator's matter"
	CopyBehind   = "not removed there yet: it goes as soon as the outlet can be reached; brine status tells when it is behind"
)

// Removal is what was removed of a stream of a dataset. After a kill during a pass it may count too few.
type Removal struct {
	Dataset string `json:"dataset"`
	Stream  string `json:"stream"`
	Rows    int64  `json:"rows"`
	Hours   int    `json:"hours"` // that held them
}

// OutOfReach is what could not be looked for, whether or not it holds anything of the install.
type OutOfReach struct {
	Dataset string `json:"dataset,omitempty"` // "": not in the lake
	Stream  string `json:"stream,omitempty"`
	Hours   int    `json:"hours,omitempty"`
	Why     string `json:"why"`
}

// Why something is out of reach.
const (
	whyNoUnit       = "events of this stream carry no identifier: nothing ties them to an install"
	whyUnknown      = "the config no longer has this stream, so nothing tells which field holds an install id"
	whySaltGone     = "the salt of these hours is destroyed: nothing ties their pseudonyms to an id any more"
	whyBackfill     = "the pseudonyms of these hours were made under a salt that was never stored: nothing ties them to an id"
	whyNoIdentifier = "the allowlist keeps no identifier in these rows: nothing ties them to an install"
	whyCoarse       = "the install id is kept too coarsely to tell one install from another"
	whyUnreadable   = "files that cannot be read or that were left out; brine status lists them"
	whyNotRedone    = "the rows were made of erased raw events and could not be made anew: "
	whyExports      = "what was read, exported or copied to other places before"
	whyBackups      = "backups that were made before: restore one with a newer --since, or erase again after it"
)

// always is out of reach whatever the lake holds.
var always = []OutOfReach{{Why: whyExports}, {Why: whyBackups}}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// maxLog is how long a log lives at most: its UTC day, and up to two hours until it is flushed and deleted.
const maxLog = 26 * time.Hour

func (r *Receipt) remove(now time.Time) {
	r.State, r.RemovedOn, r.CompleteBy = Removed, day(now), day(now.Add(maxLog))
}

func (r *Receipt) complete(now time.Time) {
	r.State, r.Completed, r.CompleteBy = Complete, day(now), ""
}

// add counts rows that were removed; newHour says that they are the first of their hour.
func (r *Receipt) add(dataset, stream string, rows int64, newHour bool) {
	hours := 0
	if newHour {
		hours = 1
	}
	for i := range r.Removed {
		if have := &r.Removed[i]; have.Dataset == dataset && have.Stream == stream {
			have.Rows, have.Hours = have.Rows+rows, have.Hours+hours
			return
		}
	}
	r.Removed = append(r.Removed, Removal{dataset, stream, rows, hours})
}

func receiptPath(folder, number string) string {
	return filepath.Join(folder, "erasure-"+number+".json")
}

func writeReceipt(aside, folder string, r Receipt, now time.Time) error {
	if err := makeFolder(folder); err != nil {
		return err
	}
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(aside, receiptPath(folder, r.Number), append(content, '\n'), now)
}

// ErrNoReceipt is a number that no request has.
var ErrNoReceipt = errors.New("there is no such receipt")

// ReadReceipt looks a receipt up in the folders of work files and of receipts, of a Brine that may not be running.
func ReadReceipt(dir, receipts, number string) (r Receipt, err error) {
	if !numberPattern.MatchString(number) {
		return r, fmt.Errorf("%w: a receipt's number is 32 hex characters", ErrNoReceipt)
	}
	content, err := os.ReadFile(receiptPath(receipts, number))
	if err == nil {
		err = json.Unmarshal(content, &r)
		return r, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	waiting, err := readRequest(filepath.Join(dir, number+workEnding))
	if errors.Is(err, fs.ErrNotExist) {
		return r, ErrNoReceipt
	}
	if err != nil {
		return r, err
	}
	return waiting.Receipt, nil
}

// StatusAtRest counts the requests in a folder of work files, of a Brine that is not running.
func StatusAtRest(dir string) (Status, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+workEnding))
	if err != nil {
		return Status{}, err
	}
	var all []*request
	var broken error
	for _, path := range paths {
		r, err := readRequest(path)
		if broken = errors.Join(broken, err); err == nil {
			all = append(all, r)
		}
	}
	return count(all), broken
}
