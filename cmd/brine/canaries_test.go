package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/canary"
	"brine/config"
	"brine/event"
	"brine/kpi"
	"brine/lake"
)

// canaryHouse is a house whose collector has this name.
func canaryHouse(t *testing.T, name string) *house {
	t.Helper()
	return mustOpenHouseWith(t, func(cfg *config.Config) { cfg.Canary.Name = name })
}

// sing sends canaries until they can be read, and tells how the collector stands.
func (h *house) sing(t *testing.T, n int) canary.Status {
	t.Helper()
	for range n {
		check(t, h.canary.Send(t.Context()))
	}
	check(t, h.lake.Flush(t.Context()))
	check(t, h.canaries.Look(t.Context()))
	all := h.canaries.Collectors()
	if len(all) != 1 {
		t.Fatalf("canaries of %+v", all)
	}
	return all[0]
}

// A canary that a house sends is told by its status, its metrics, its heartbeat and its page Health.
func TestCanaryIsTold(t *testing.T) {
	h := canaryHouse(t, "web1")
	check(t, h.canaries.Look(t.Context()))
	c := h.sing(t, 1)
	if c.Collector != "web1" || c.Readable.IsZero() || c.Taken.After(c.Readable) || c.Travel <= 0 || c.Missing {
		t.Errorf("%+v", c)
	}
	st := h.status(t.Context())
	var out bytes.Buffer
	check(t, st.print(&globals{stdout: &out}, h.cfg))
	if len(st.Canaries) != 1 || !strings.Contains(out.String(), "CANARIES OF") || !strings.Contains(out.String(), "web1") {
		t.Errorf("the status says %+v\n%s", st.Canaries, &out)
	}
	all := h.scrape(t)
	for _, want := range []string{`brine_canary_missing{collector="web1"} 0`, `brine_canary_travel_seconds{collector="web1"} `, `brine_canary_readable_timestamp_seconds{collector="web1"} `,
		`brine_check_ok{check="canary"} 1`} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	if doors := h.doorsNow(t.Context()); len(doors.Canaries) != 1 || doors.Canaries[0].Collector != "web1" || doors.Canaries[0].Travel <= 0 {
		t.Errorf("the page Health has %+v", doors.Canaries)
	}
	late := time.Now().Add(time.Hour)
	h.canaries.Now = func() time.Time { return late }
	if err := h.checks()["canary"](); err == nil || !strings.Contains(err.Error(), "web1") {
		t.Errorf("an hour later the heartbeat's check says %v", err)
	}
	if err := h.storable(); err != nil {
		t.Errorf("a canary that is missing keeps events out: %v", err)
	}
	heartbeat := httptest.NewRecorder()
	h.intake.Handler().ServeHTTP(heartbeat, httptest.NewRequest("GET", "/__heartbeat__", nil))
	if heartbeat.Code != 200 || !strings.Contains(heartbeat.Body.String(), `"canary":"error"`) {
		t.Errorf("the heartbeat answers %d %s", heartbeat.Code, heartbeat.Body)
	}
}

// A canary gets into nothing that is told, kept or copied of events.
func TestCanaryIsNoEvent(t *testing.T) {
	h := canaryHouse(t, "web1")
	h.visit(t, nil)
	h.sing(t, 5)
	for _, dataset := range []string{lake.Raw, lake.Sanitized, lake.Facts, lake.Rollups, lake.Rejected, lake.Quarantine} {
		if streams := h.lake.Streams(dataset); len(streams) > 0 && !slices.Equal(streams, []string{event.Interaction}) {
			t.Errorf("the dataset %s has %v", dataset, streams)
		}
	}
	if n := h.rawRows(t); n != 1 {
		t.Errorf("%d raw interactions", n)
	}
	arrivals, err := h.board.Arrivals(t.Context(), kpi.View{})
	check(t, err)
	var counted float64
	for _, slot := range arrivals.Slots {
		if slot.Count != nil {
			counted += *slot.Count
		}
	}
	if counted != 1 {
		t.Errorf("%g interactions arrived", counted)
	}
	plans, err := h.sanitizer.inForce()
	check(t, err)
	if kept := slices.Collect(maps.Keys(plans)); !slices.Equal(kept, []string{event.Interaction}) {
		t.Errorf("what is sanitized: %v", kept)
	}
	text, err := json.Marshal(policyOf(h.cfg, h.streams))
	check(t, err)
	if strings.Contains(strings.ToLower(string(text)), "canar") || strings.Contains(string(text), canary.Stream) {
		t.Errorf("the policy tells of canaries: %s", text)
	}
	_, err = takeSnapshot(t.Context(), h.cfg, h.lake, h.erasures, h.totals.Ledger, snapshotWork{Raw: true})
	check(t, err)
	defer os.RemoveAll(filepath.Join(h.cfg.Data, snapshotFolder))
	files := 0
	check(t, filepath.WalkDir(filepath.Join(h.cfg.Data, snapshotFolder), func(path string, d fs.DirEntry, err error) error {
		if files++; strings.Contains(path, lake.Canary) {
			t.Errorf("a backup has %s", path)
		}
		return err
	}))
	if files < 3 {
		t.Errorf("a backup of %d files", files)
	}
}

// The outlet copies no canaries, whatever it is told to.
func TestNoOutletOfCanaries(t *testing.T) {
	file := filepath.Join(t.TempDir(), "brine.yaml")
	check(t, os.WriteFile(file, []byte("outlets: {couchdb: {url: \"http://127.0.0.1:5984/brine\", dataset: canary}}"), 0o600))
	if _, err := config.Load(file); err == nil || !strings.Contains(err.Error(), "outlets.couchdb.dataset") {
		t.Error(err)
	}
}
