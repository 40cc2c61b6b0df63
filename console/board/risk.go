package board

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"brine/access/audit"
	"brine/access/gate"
	"brine/lake"
	"brine/risk"
)

// riskSpans are the days that can be measured on the page, up to now.
var riskSpans = []int{1, 7, 31}

// measured is what the privacy page says of risk. Nothing of it is kept.
type measured struct {
	Spans   []int // to choose from
	Days    int   // that were asked for; 0: none were
	Nothing bool  // lies in them
	Report  risk.Report
}

// riskDays are the days that a request asks to be measured.
func riskDays(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || !slices.Contains(riskSpans, days) {
		return 0, badRequest("days is 1, 7 or 31")
	}
	return days, nil
}

// measure measures the risk of the last days, as a read of what is sanitized.
func (b *Board) measure(r *http.Request, p gate.Person, days int) (m *measured, err error) {
	m = &measured{Spans: riskSpans, Days: days}
	if days == 0 {
		return m, nil
	}
	to := b.now().UTC().Truncate(time.Second)
	from := to.AddDate(0, 0, -days)
	rec := audit.Record{Who: p.Name, Via: p.Via, Route: r.Pattern, Dataset: lake.Sanitized, From: from, To: to, Note: "risk"}
	err = b.Recorded(r, rec, func(parts *int64) (err error) {
		m.Report, err = b.Risk(r.Context(), from, to)
		if m.Nothing = errors.Is(err, risk.ErrNothing); m.Nothing {
			return nil
		}
		*parts = int64(len(m.Report.Parts))
		return err
	})
	return m, err
}

func partTitle(p risk.Part) string {
	if len(p.Streams) > 1 {
		return strings.Join(p.Streams, " and ") + ", joined by equal pseudonyms"
	}
	return p.Streams[0]
}

// partCounts are the lines of a part's table.
func partCounts(p risk.Part) (all []partCount) {
	if p.Installs != nil {
		all = append(all, partCount{"Installs", *p.Installs})
	}
	return append(all, partCount{"Rows", p.Rows})
}

type partCount struct {
	What string
	risk.Count
}

// Number is a count for people.
func (partCount) Number(n int64) string { return humanize.Comma(n) }

// Text is a part of the count, with its share.
func (c partCount) Text(n int64) string {
	return fmt.Sprintf("%s (%.2f %%)", humanize.Comma(n), 100*c.Share(n))
}
