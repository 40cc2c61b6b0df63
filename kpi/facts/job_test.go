package facts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
)

// bytesOf are those of all files of a dataset, covered ones included.
func (h *house) bytesOf(dataset string) (all []byte) {
	h.tb.Helper()
	err := filepath.WalkDir(filepath.Join(h.dir, "lake", dataset), func(path string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all = append(all, text...)
		return err
	})
	if err != nil {
		h.tb.Fatal(err)
	}
	return all
}

// built is a house with facts of a few hours.
func built(t *testing.T) *house {
	t.Helper()
	h := openHouse(t)
	for range 3 {
		h.hour(30)
	}
	h.closeHours()
	h.sanitize(sanitize.Request{})
	h.build()
	if len(h.files(lake.Facts)) != 3 || len(h.files(lake.Rollups)) != 3 {
		t.Fatalf("facts of %v, roll-ups of %v", h.files(lake.Facts), h.files(lake.Rollups))
	}
	return h
}

func TestOtherDefinitionsMakeFactsStale(t *testing.T) {
	h := built(t)
	before, source := h.days(kpi.Slice{By: "browser"}), h.source.Pinned()
	h.defs = parseKPIs(t, strings.Replace(houseKPIs, "Firefox*", "Firefox", 1))
	st, err := h.job.Status(t.Context())
	if err != nil || st.Stale != 3 || st.Done != 0 || st.Oldest == nil {
		t.Errorf("status: %+v, %v", st, err)
	}
	inMemory := h.days(kpi.Slice{By: "browser"}) // of what is sanitized, as few hours are stale
	if h.build().Hours != 3 {
		t.Error("stale facts were not made anew")
	}
	after := h.days(kpi.Slice{By: "browser"})
	sameDays(t, "by other definitions, before and after the job", after, inMemory)
	count := func(days []kpi.Day) (n int) {
		for _, d := range days {
			if c := d.Cells["Firefox"]; c != nil {
				n += c.Count.N
			}
		}
		return n
	}
	if count(after) >= count(before) {
		t.Errorf("fewer browsers are called Firefox now, and there are %d after %d", count(after), count(before))
	}
	pinned, err := source.Days(t.Context(), kpi.Slice{By: "browser", From: "2026-11-08", To: "2026-11-14"})
	if err != nil {
		t.Fatal(err)
	}
	sameDays(t, "by the definitions that an answer began with", pinned, before)
}

func TestManyStaleHoursAreToldRatherThanMixed(t *testing.T) {
	h := openHouse(t)
	for hour := range maxPending + 3 {
		h.bring(h.interaction(h.Wall().Add(-time.Duration(hour+1) * time.Hour)))
	}
	h.closeHours()
	h.sanitize(sanitize.Request{})
	h.build()
	want := h.days(kpi.Slice{})
	h.defs = parseKPIs(t, strings.Replace(houseKPIs, "Firefox*", "Firefox", 1))
	_, err := h.source.Days(t.Context(), kpi.Slice{From: "2026-11-08", To: "2026-11-14"})
	var building *kpi.Building
	if !errors.As(err, &building) || building.Done != 0 || building.Of <= maxPending {
		t.Fatalf("asked while all is stale: %v", err)
	}
	h.build()
	sameDays(t, "all interactions", h.days(kpi.Slice{}), want)
}

func TestWhatIsTightenedGoesFromFactsAtOnce(t *testing.T) {
	h := built(t)
	if !bytes.Contains(h.bytesOf(lake.Facts), []byte("kn")) || !bytes.Contains(h.bytesOf(lake.Facts), []byte("fr-CH")) {
		t.Fatal("languages are not to be found in facts in the first place")
	}
	text := strings.Replace(string(sanitize.Shipped()), "language: keep", "language: drop", 1)
	h.list = text
	done, err := h.clean.Tighten(t.Context(), false, nil)
	if err != nil || done.Files != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	if n := len(h.files(lake.Facts)) + len(h.files(lake.Rollups)) + len(h.bytesOf(lake.Facts)) + len(h.bytesOf(lake.Rollups)); n != 0 {
		t.Errorf("facts are left: %v, %v", h.files(lake.Facts), h.files(lake.Rollups))
	}
	if days := h.days(kpi.Slice{By: "language"}); slices.ContainsFunc(days, func(d kpi.Day) bool { return d.Cells["fr-CH"] != nil }) {
		t.Error("the source still tells languages")
	}
	h.build()
	if bytes.Contains(h.bytesOf(lake.Facts), []byte("fr-CH")) || bytes.Contains(h.bytesOf(lake.Rollups), []byte("fr-CH")) {
		t.Error("a language is in facts that were made anew")
	}
}

func TestHashedFieldsAreInNoFact(t *testing.T) {
	h := openHouse(t)
	h.list = strings.Replace(string(sanitize.Shipped()), "language: keep", "language: hash", 1)
	for range 2 {
		h.hour(30)
	}
	open := h.answers() // without a salt
	h.closeHours()
	h.sanitize(sanitize.Request{})
	h.build()
	for _, days := range [][]kpi.Day{open[name(kpi.Slice{By: "language"})], h.days(kpi.Slice{By: "language"})} {
		for _, d := range days {
			for value := range d.Cells {
				if value != kpi.Unknown {
					t.Errorf("a language that is hashed is told as %q", value)
				}
			}
		}
	}
}

func TestFactsGoWithTheirSanitizedHour(t *testing.T) {
	h := built(t)
	purge := lake.Purge{Now: h.Wall(), Yes: true, Retention: lake.Retention{Guard: 1, Limits: map[string]lake.Limit{
		lake.Raw: {MaxAge: 2 * time.Hour}, lake.Sanitized: {MaxAge: 2 * time.Hour}}}}
	if _, err := h.lake.Purge(t.Context(), purge); err != nil {
		t.Fatal(err)
	}
	left := len(h.files(lake.Sanitized))
	if left == 0 || left == 3 || len(h.files(lake.Facts)) != left || len(h.files(lake.Rollups)) != left {
		t.Errorf("of 3 hours, sanitized has %d, facts %v, roll-ups %v", left, h.files(lake.Facts), h.files(lake.Rollups))
	}
	n := 0
	for _, d := range h.days(kpi.Slice{}) {
		if d.Cells[""] != nil {
			n += d.Cells[""].Count.N
		}
	}
	if n >= len(h.sent) || n == 0 {
		t.Errorf("%d of %d interactions are told after a purge", n, len(h.sent))
	}
}

func TestFactsWithoutTheirSanitizedHourAreDropped(t *testing.T) {
	h := built(t)
	f := h.lake.List(lake.Sanitized, stream)[0]
	h.lake.Close()
	if err := os.Remove(filepath.Join(h.dir, "lake", f.Name.String())); err != nil {
		t.Fatal(err)
	}
	h.openLake()
	if err := h.lake.Flush(t.Context()); err != nil { // now it knows which hours are closed
		t.Fatal(err)
	}
	if report := h.build(); report.Dropped != 1 || len(h.files(lake.Facts)) != 2 || len(h.files(lake.Rollups)) != 2 {
		t.Errorf("%+v, facts %v", report, h.files(lake.Facts))
	}
}

func TestTwoRebuildsAtOnce(t *testing.T) {
	h := built(t)
	want := h.answers()
	var all sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		all.Go(func() {
			report, err := h.job.Run(context.Background(), Request{All: true})
			if err == nil && len(report.Refused) > 0 {
				err = errors.New(report.Refused[0].Why)
			}
			errs[i] = err
		})
	}
	asked := make(chan error, 1)
	go func() { // while files are replaced
		var err error
		for range 20 {
			if _, e := h.source.Days(context.Background(), kpi.Slice{By: "screen", Only: &kpi.Filter{Segment: "browser", Value: "Firefox"}, From: "2026-11-08", To: "2026-11-14"}); e != nil {
				err = e
			}
		}
		asked <- err
	}()
	all.Wait()
	if err := errors.Join(append(errs, <-asked)...); err != nil {
		t.Fatal(err)
	}
	if len(h.files(lake.Facts)) != 3 || len(h.files(lake.Rollups)) != 3 {
		t.Errorf("facts %v, roll-ups %v", h.files(lake.Facts), h.files(lake.Rollups))
	}
	for question, days := range h.answers() {
		sameDays(t, question, days, want[question])
	}
}

func TestARequestIsForItsHours(t *testing.T) {
	h := built(t)
	hour := h.lake.List(lake.Sanitized, stream)[1].Hour
	report, err := h.job.Run(t.Context(), Request{From: hour, To: hour.Add(time.Hour), All: true})
	if err != nil || report.Hours != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestASegmentWithThousandsOfValues(t *testing.T) {
	h := openHouse(t)
	var all []sent
	for i := range 300 {
		s := h.interaction(h.Wall())
		s["language"] = fmt.Sprintf("aa-%04d", max(0, i-100)) // one that 101 have
		all = append(all, s)
	}
	h.send(all...)
	h.pass(time.Hour)
	h.closeHours()
	h.sanitize(sanitize.Request{})
	h.build()
	var cells map[string]*kpi.Cell
	for _, d := range h.days(kpi.Slice{By: "language"}) {
		if len(d.Cells) > 1 {
			cells = d.Cells
		}
	}
	n := 0
	for _, c := range cells {
		n += c.Count.N
	}
	if len(cells) != kpi.MostValues || cells["aa-0000"] == nil || cells["aa-0000"].Count.N != 101 || n < 300 {
		t.Errorf("%d values with %d interactions", len(cells), n)
	}
	other := kpi.Slice{By: "browser", Only: &kpi.Filter{Segment: "language", Value: kpi.Other}}
	inOther := func(days []kpi.Day) (n int) {
		for _, d := range days {
			for _, c := range d.Cells {
				n += c.Count.N
			}
		}
		return n
	}
	if got, want := inOther(h.days(other)), 300-101-(kpi.MostValues-2); got != want && got != want+1 {
		t.Errorf("Other within the browsers has %d interactions, want %d", got, want)
	}
}

func TestQuestionsThatHaveNoAnswer(t *testing.T) {
	h := openHouse(t)
	for _, slice := range []kpi.Slice{{From: "2026-11-08", To: "2026-11-08"}, {From: "2026-11-09", To: "2026-11-08"}, {From: "yesterday", To: "2026-11-08"}, {From: "1970-01-01", To: "2026-11-08"}} {
		if _, err := h.source.Days(t.Context(), slice); !errors.Is(err, ErrRange) {
			t.Errorf("%v: %v", slice, err)
		}
	}
	if _, err := h.source.Days(t.Context(), kpi.Slice{From: "2026-11-08", To: "2026-11-09", By: "nonsense"}); !errors.Is(err, ErrSegment) {
		t.Errorf("no such segment: %v", err)
	}
	days := h.days(kpi.Slice{From: "2030-01-01", To: "2030-01-03"})
	if len(days) != 2 || len(days[0].Cells) != 0 || !days[0].Open {
		t.Errorf("the future: %+v", days)
	}
	if span := h.span(); span != (kpi.Span{}) {
		t.Errorf("a span of nothing: %v", span)
	}
	h.hour(9)
	if span := h.span(); span != (kpi.Span{From: "2026-11-10", To: "2026-11-11"}) {
		t.Errorf("a span of an evening: %v", span)
	}
}
