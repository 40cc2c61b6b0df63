package kpi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Publish is what is shown to everybody, with noise that hides whether any one interaction is in it.
type Publish struct {
	From     Date           // the first day
	Zone     *time.Location // of days
	Day, All Epsilon        // that one day may spend, and all days together
	Totals   []Total        // in the order of the file
}

// Total is one KPI of whole days, for all or for each value of one segment; or the installs of a stream.
type Total struct {
	Name, Title string
	KPI         string  // "" of installs
	By          string  // a segment whose values are listed; "": all in one cell
	Installs    string  // a stream with a unit: how many installs it has events of
	Epsilon     Epsilon // that a day of it spends
}

// Epsilon is a privacy budget, in ten-thousandths: exact, as it is added up.
type Epsilon int64

// EpsilonOne is how many units one epsilon has.
const EpsilonOne = 10_000

// String is the number, like 0.25.
func (e Epsilon) String() string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%04d", e/EpsilonOne, e%EpsilonOne), "0"), ".")
}

// Float is the number, for words and curves.
func (e Epsilon) Float() float64 { return float64(e) / EpsilonOne }

// MarshalText is the number.
func (e Epsilon) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// MarshalJSON is the number.
func (e Epsilon) MarshalJSON() ([]byte, error) { return e.MarshalText() }

// UnmarshalJSON reads the number, which may be 0: nothing is spent yet.
func (e *Epsilon) UnmarshalJSON(text []byte) (err error) {
	if *e = 0; string(text) != "0" {
		*e, err = ParseEpsilon(string(text))
	}
	return err
}

// mostEpsilon bounds what is read, so that sums stay exact.
const mostEpsilon = 1_000_000 * EpsilonOne

// ParseEpsilon reads a number above 0 of at most four decimals.
func ParseEpsilon(text string) (Epsilon, error) {
	v, ok := new(big.Rat).SetString(text)
	if !ok || len(text) > 20 || strings.ContainsAny(text, "/eEpPxX_") {
		return 0, fmt.Errorf("%q is no number", text)
	}
	v.Mul(v, big.NewRat(EpsilonOne, 1))
	switch {
	case v.Sign() <= 0:
		return 0, fmt.Errorf("%s: an epsilon is above 0", text)
	case !v.IsInt():
		return 0, fmt.Errorf("%s: an epsilon has at most four decimals", text)
	case v.Cmp(big.NewRat(mostEpsilon, 1)) > 0:
		return 0, fmt.Errorf("%s: an epsilon is at most %d", text, mostEpsilon/EpsilonOne)
	}
	return Epsilon(v.Num().Int64()), nil
}

// KeySpace are the cells of a total, whatever there is data of: the values that kpi.yaml lists for the segment, [Other] and
// [Unknown]; "" for the one cell of all.
func (d *Definitions) KeySpace(t Total) []string {
	if t.By == "" {
		return []string{""}
	}
	return append(slices.Clone(d.Segments[d.segment(t.By)].Order), Other, Unknown)
}

// Ratio says whether the total is a share of those that the KPI is about.
func (d *Definitions) Ratio(t Total) bool { return t.KPI != "" && d.kpiOf(t).Kind != Count }

func (d *Definitions) kpiOf(t Total) KPI { return d.KPIs[d.kpi(t.KPI)] }

// Split is how many interactions of a cell have what the total's KPI is about, and how many of those that could have not. Each interaction is
// in one of the two or in none, and counts once, whatever its weight: of either, one interaction more or less makes a difference of one.
func (d *Definitions) Split(t Total, c *Cell) (with, without int64) {
	if c == nil {
		return 0, 0
	}
	m := c.KPIs[d.kpi(t.KPI)]
	if !d.Ratio(t) {
		return int64(m.N), 0
	}
	return int64(m.Ones), int64(m.N - m.Ones)
}

// Meaning is a digest of what a total measures: of all but titles and epsilons.
func (d *Definitions) Meaning(t Total) string {
	bare := struct {
		Zone, Installs string
		KPI            *KPI
		Flow           *Flow
		Segment        *Segment
	}{Zone: d.Zone.String(), Installs: t.Installs}
	if t.KPI != "" {
		k := d.kpiOf(t)
		k.Title, k.MoreBetter, k.Smallest = "", false, 0
		bare.KPI = &k
		if k.Flow != "" {
			f := d.Flows[d.flow(k.Flow)]
			f.Title, f.Steps = "", slices.Clone(f.Steps)
			for i := range f.Steps {
				f.Steps[i].Title = ""
			}
			bare.Flow = &f
		}
	}
	if t.By != "" {
		s := d.Segments[d.segment(t.By)]
		s.Title = ""
		bare.Segment = &s
	}
	text, err := json.Marshal(bare)
	if err != nil {
		panic(err) // texts and finite numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// TitleOf is a total's title: its own, or that of what it measures.
func (d *Definitions) TitleOf(t Total) string {
	switch {
	case t.Title != "":
		return t.Title
	case t.Installs != "":
		return "Installs of " + t.Installs + " a day"
	case t.By != "":
		return d.kpiOf(t).Title + " by " + d.Segments[d.segment(t.By)].Title
	}
	return d.kpiOf(t).Title
}

// SegmentTitle is that of the segment that a total is told apart by; "" for none.
func (d *Definitions) SegmentTitle(t Total) string {
	if t.By == "" {
		return ""
	}
	return d.Segments[d.segment(t.By)].Title
}

// MistakeAt is one about a key of the file.
func (d *Definitions) MistakeAt(path, fix, what string) Mistake {
	return Mistake{File: d.file, Line: lineIn(d.lines, path), Path: path, What: what, Fix: fix}
}
