package metrics_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"brine/metrics"
)

// A source that fails is told, and takes nothing from the others; a moment that is not known is absent.
func TestSources(t *testing.T) {
	r := metrics.New("v7")
	r.Add("works", func(_ context.Context, put metrics.Put) error {
		put(metrics.LakeRows, 7, "raw", "interaction")
		put.Time(metrics.SaltEnd, time.UnixMilli(1500))
		put.Time(metrics.CompleteTo, time.Time{})
		return nil
	})
	r.Add("fails", func(_ context.Context, put metrics.Put) error {
		put(metrics.LogWaiting, 3)
		return errors.New("a disk")
	})
	r.Add("mistaken", func(_ context.Context, put metrics.Put) error {
		put(metrics.LakeFiles, 1) // its labels are missing
		return nil
	})
	r.Histogram(metrics.AppendSeconds)(3 * time.Millisecond)
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`brine_build_info{version="v7"} 1`, `brine_lake_rows{dataset="raw",stream="interaction"} 7`, "brine_salt_end_timestamp_seconds 1.5", "brine_log_waiting_entries 3",
		`brine_source_ok{source="works"} 1`, `brine_source_ok{source="fails"} 0`, `brine_append_seconds_bucket{le="0.005"} 1`, `brine_append_seconds_bucket{le="0.0025"} 0`, "go_goroutines "} {
		if !strings.Contains(w.Body.String(), want+"\n") && !strings.Contains(w.Body.String(), "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	for _, not := range []string{"a disk", "brine_lake_complete_to", "brine_lake_files"} {
		if strings.Contains(w.Body.String(), not) {
			t.Errorf("%s is told", not)
		}
	}
	if w.Code != 200 {
		t.Error(w.Code)
	}
}

// Every name is there once.
func TestFamilies(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range metrics.Families() {
		if seen[f.Name] || !strings.HasPrefix(f.Name, "brine_") || f.Help == "" {
			t.Errorf("%+v", f)
		}
		seen[f.Name] = true
	}
	if len(seen) < 40 {
		t.Errorf("%d metrics", len(seen))
	}
}
