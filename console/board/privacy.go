package board

import (
	"errors"
	"net/http"
	"time"

	"github.com/dustin/go-humanize"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
)

// Held is what is held, for the role privacy.
type Held struct {
	Datasets     []Dataset
	OldestRaw    time.Time // of event time; zero: there is none
	RawWindow    string    // how long raw events may be kept, like 90 days
	NextPurge    time.Time // zero: nothing comes due by age
	Salts        []Salt
	NextRotation time.Time // zero: none is in force
	Faults       []string  // what is wrong with salts, purges or erasures, and what to do
	Erasing      int       // erasures that are accepted and not complete
}

// Dataset is what is held of a stream in a dataset.
type Dataset struct {
	Dataset, Stream string
	Rows            int64
	Oldest, Newest  time.Time // of event time
}

// Salt is how a salt stands. It holds neither the salt nor its fingerprint.
type Salt struct {
	State                string
	Start, End, Deletion time.Time
}

// The most records that the page shows of each kind; /api/v1/audit has all.
const mostRecords = 15

// held is the page's.
type held struct {
	Held
	Cell     access.Cell
	Purges   []audit.Entry
	Erasures []audit.Entry
	Reads    []audit.Entry
	Risk     *measured // nil: it cannot be measured here
}

// privacy shows what is held, what was destroyed, and who read. That it was looked at is recorded as a read of the audit.
func (b *Board) privacy(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	values, err := gate.Parameters(r, "days")
	if err != nil {
		return err
	}
	days, err := riskDays(values.Get("days"))
	if err != nil {
		return b.privacyProblem(r, p, err)
	}
	rec := audit.Record{Who: p.Name, Via: p.Via, Route: r.Pattern, Dataset: "audit"}
	return b.Recorded(r, rec, func(rows *int64) error {
		h := held{Cell: access.CellOf(p.Roles, b.MinCell)}
		if h.Held, err = b.Held(r.Context()); err != nil {
			return err
		}
		for _, kind := range []struct {
			action audit.Action
			to     *[]audit.Entry
		}{{audit.Purge, &h.Purges}, {audit.Erasure, &h.Erasures}, {audit.ReadBegin, &h.Reads}} {
			page, err := b.Audit(r.Context(), audit.Filter{Action: kind.action}, "", mostRecords)
			if err != nil {
				return err
			}
			*kind.to = page.Entries
			*rows += int64(len(page.Entries))
		}
		if b.Risk != nil {
			if h.Risk, err = b.measure(r, p, days); err != nil {
				return b.privacyProblem(r, p, err)
			}
		}
		f := b.frame(r, p, "Privacy")
		f.Answer = h
		return b.send(w, "privacy", f)
	})
}

// privacyProblem is the error with a page that says it, where it is one for who asked.
func (b *Board) privacyProblem(r *http.Request, p gate.Person, err error) error {
	var e *gate.Error
	if !errors.As(err, &e) || !gate.WantsHTML(r) {
		return err
	}
	return refusedOn(e, "problem", b.frame(r, p, "Privacy"))
}

// RowsText is how many rows a dataset has, in steps of the cell.
func (h held) RowsText(d Dataset) string {
	if d.Rows > 0 && h.Cell.Of(d.Rows) == 0 {
		return "too few"
	}
	return humanize.Comma(h.Cell.Of(d.Rows))
}
