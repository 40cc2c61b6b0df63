package facts

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
)

// pending is how many hours are added up for a question.
func (h *house) pending() int {
	look, err := h.source.pinned().lookOnce(h.tb.Context())
	if err != nil {
		h.tb.Fatal(err)
	}
	return len(look.pending)
}

// A file of facts that cannot be read costs no answer: its hour is added up from what is sanitized, and who operates is told of the file.
func TestDamagedFactsAreAddedUpAnew(t *testing.T) {
	only := kpi.Slice{Only: &kpi.Filter{Segment: "browser", Value: "Firefox"}, By: "screen"}
	for name, spoil := range map[string]func(path string, other []byte) error{
		"Another": func(path string, other []byte) error { return os.WriteFile(path, other, 0o600) },
		"Gone":    func(path string, _ []byte) error { return os.Remove(path) },
	} {
		for dataset, slice := range map[string]kpi.Slice{lake.Facts: only, lake.Rollups: {By: "browser"}} {
			t.Run(name+" "+dataset, func(t *testing.T) {
				h := openHouse(t)
				for range 4 {
					h.hour(30)
				}
				h.closeHours()
				h.sanitize(sanitize.Request{})
				h.build()
				want, before := h.days(slice), h.pending()
				var log bytes.Buffer
				o := h.source.o
				o.Logger = slog.New(slog.NewTextHandler(&log, nil))
				h.source = NewSource(o)
				file := h.lake.List(dataset, "interaction")[1]
				other, err := os.ReadFile(filepath.Join(h.dir, "lake", h.lake.List(lake.Sanitized, "interaction")[0].String()))
				if err != nil {
					t.Fatal(err)
				}
				if err := spoil(filepath.Join(h.dir, "lake", file.String()), other); err != nil {
					t.Fatal(err)
				}
				sameDays(t, "with a damaged file", h.days(slice), want)
				if told := log.String(); strings.Count(told, "brine kpi rebuild") != 1 || !strings.Contains(told, filepath.Base(file.String())) {
					t.Errorf("the log says %q", told)
				}
				h.job.Damaged = h.source.Damaged
				for i, hours := range []int{1, 0} { // the one hour, once
					if report := h.build(); report.Hours != hours {
						t.Errorf("run %d made %d hours anew, want %d", i, report.Hours, hours)
					}
				}
				sameDays(t, "made anew", h.days(slice), want)
				if after := h.pending(); after != before {
					t.Errorf("%d hours are still added up, %d were before", after, before)
				}
			})
		}
	}
}

// A file whose footer was broken while nobody ran costs no answer after the restart either, and is made anew.
func TestBrokenFootersAreMadeAnewAfterARestart(t *testing.T) {
	only := kpi.Slice{Only: &kpi.Filter{Segment: "browser", Value: "Firefox"}, By: "screen"}
	for name, spoil := range map[string]func(file []byte) []byte{
		"Empty":  func([]byte) []byte { return nil },
		"Cut":    func(file []byte) []byte { return file[:len(file)-3] },
		"Zeroed": func(file []byte) []byte { return append(file[:len(file)-200], make([]byte, 200)...) },
		"Scribble": func(file []byte) []byte {
			return append(file[:len(file)-60], append(bytes.Repeat([]byte{0xff}, 52), file[len(file)-8:]...)...)
		},
	} {
		for _, dataset := range []string{lake.Facts, lake.Rollups} {
			t.Run(name+" "+dataset, func(t *testing.T) {
				h := builtHouse(t)
				slices := []kpi.Slice{only, {By: "browser"}, {}}
				var want [][]kpi.Day
				for _, slice := range slices {
					want = append(want, h.days(slice))
				}
				before := h.pending()
				path := filepath.Join(h.dir, "lake", h.lake.List(dataset, "interaction")[1].String())
				file, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				h.lake.Close()
				if err := os.WriteFile(path, spoil(file), 0o600); err != nil {
					t.Fatal(err)
				}
				h.openLake()
				h.flush() // it knows which hours are closed
				for i, slice := range slices {
					sameDays(t, "after the restart", h.days(slice), want[i])
				}
				h.job.Damaged = h.source.Damaged
				for i, hours := range []int{1, 0} {
					if report := h.build(); report.Hours != hours {
						t.Errorf("run %d made %d hours anew, want %d", i, report.Hours, hours)
					}
				}
				h.lake.Close()
				h.openLake()
				h.flush() // it knows which hours are closed
				for i, slice := range slices {
					sameDays(t, "made anew, after another restart", h.days(slice), want[i])
				}
				if after := h.pending(); after != before {
					t.Errorf("%d hours are still added up, %d were before", after, before)
				}
			})
		}
	}
}

// Facts are read of the days on which somebody has the value alone: of one that nobody has, none are.
func TestNoFactsAreReadForNobody(t *testing.T) {
	h := openHouse(t)
	h.hour(30)
	h.closeHours()
	h.sanitize(sanitize.Request{})
	h.build()
	var log bytes.Buffer
	o := h.source.o
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	h.source = NewSource(o)
	for _, f := range h.lake.List(lake.Facts, "interaction") {
		if err := os.Remove(filepath.Join(h.dir, "lake", f.String())); err != nil {
			t.Fatal(err)
		}
	}
	for _, day := range h.days(kpi.Slice{Only: &kpi.Filter{Segment: "language", Value: "nobody"}, By: "screen"}) {
		if len(day.Cells) > 0 {
			t.Errorf("%s has %v", day.Date, day.Cells)
		}
	}
	if log.Len() > 0 {
		t.Errorf("facts were read: %s", log.String())
	}
}
