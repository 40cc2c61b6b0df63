package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/lake"
)

// What is taken of an input changes with the clock and the schemas. Run again, it stores what it lacks and nothing twice, also of events without an id.
func TestImportAgain(t *testing.T) {
	dir, streams := t.TempDir(), map[string]*event.Stream{event.Interaction: event.InteractionStream()}
	log, err := eventlog.Open(t.Context(), eventlog.Options{Dir: filepath.Join(dir, "log")})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	l, err := lake.Open(t.Context(), lake.Options{Dir: filepath.Join(dir, "lake"), Tables: tables(streams), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hour := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	var in strings.Builder
	for i := range 6 { // a slot each, and two alike
		fmt.Fprintf(&in, `{"timestamp":%d,"event_stream":[],"email_type":"primary","number_emails":1,"number_sites_logged_in":1,"new_account":true,"language":"en","screen_size":{"width":1,"height":1},"sample_rate":1}`+"\n", hour.Add(time.Duration(i/2*2)*event.Slot).UnixMilli())
	}
	for _, c := range []struct {
		name   string
		oldest time.Time
		want   string
	}{
		{"Once", hour.Add(event.Slot), "4 stored, 0 known already, 2 older than the raw window, 0 refused"},
		{"ItTakesMore", hour, "2 stored, 4 known already, 0 older than the raw window, 0 refused"},
		{"ItTakesTheSame", hour, "0 stored, 6 known already, 0 older than the raw window, 0 refused"},
		{"ItTakesLess", hour.Add(3 * event.Slot), "0 stored, 2 known already, 4 older than the raw window, 0 refused"},
	} {
		report, err := importEvents(t.Context(), l, streams[event.Interaction], strings.NewReader(in.String()), dir, c.oldest)
		if err != nil || report.String() != c.want {
			t.Errorf("%s: %s, %v; want %s; %v", c.name, report, err, c.want, report.Problems)
		}
	}
}
