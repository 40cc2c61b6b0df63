package simulate_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/simulate"
)

// appSession is what these tests look at.
type appSession struct {
	Install string `json:"app_install_id"`
	DT      time.Time
	Meta    struct{ ID, Stream string }
}

func appHistory(t *testing.T, a simulate.Apps) (all []appSession, text string) {
	t.Helper()
	var out bytes.Buffer
	if err := a.Write(&out); err != nil {
		t.Fatal(err)
	}
	text = out.String()
	for dec := json.NewDecoder(&out); dec.More(); {
		var s appSession
		if err := dec.Decode(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all, text
}

func installsOf(all []appSession) map[string]int {
	n := map[string]int{}
	for _, s := range all {
		n[s.Install]++
	}
	return n
}

func TestAppsAreOrderedAndWhole(t *testing.T) {
	const days, perDay, installs = 14, 1000, 300
	all, text := appHistory(t, simulate.Apps{Seed: 1, Days: days, PerDay: perDay, Installs: installs, End: end})
	if len(all) < days*perDay*8/10 || len(all) > days*perDay*12/10 {
		t.Errorf("%d sessions, want about %d", len(all), days*perDay)
	}
	ids, before := map[string]bool{}, end.AddDate(0, 0, -days)
	for _, s := range all {
		if s.DT.Before(before) || !s.DT.Before(end) || s.Meta.Stream != "app_session" {
			t.Fatalf("%v after %v in %s", s.DT, before, s.Meta.Stream)
		}
		before = s.DT
		ids[s.Meta.ID] = true
	}
	if n := len(installsOf(all)); len(ids) != len(all) || n < installs*8/10 || n > installs {
		t.Errorf("%d ids of %d events, %d installs", len(ids), len(all), n)
	}
	if _, again := appHistory(t, simulate.Apps{Seed: 1, Days: days, PerDay: perDay, Installs: installs, End: end}); again != text {
		t.Error("the same seed gave other bytes")
	}
}

// The same installs use all streams, and every part of a history.
func TestAppsKeepTheirInstalls(t *testing.T) {
	a := simulate.Apps{Seed: 2, Days: 10, PerDay: 400, Installs: 50, End: end}
	whole, text := appHistory(t, a)
	a.Days, a.End = 5, end.AddDate(0, 0, -5)
	if _, part := appHistory(t, a); !strings.HasPrefix(text, part) || part == "" {
		t.Error("the first half, made alone, has other sessions")
	}
	a.Stream = "app_read"
	other, _ := appHistory(t, a)
	here, there := installsOf(whole), installsOf(other)
	for id := range there {
		if here[id] == 0 {
			t.Fatalf("%s is in one stream only", id)
		}
	}
	if other[0].Meta.ID == whole[0].Meta.ID {
		t.Error("two streams have the same events")
	}
}

// Installs differ in how often and when they are used: by what they could be told apart.
func TestAppsHaveHabits(t *testing.T) {
	all, _ := appHistory(t, simulate.Apps{Seed: 3, Days: 28, PerDay: 600, Installs: 100, End: end})
	var counts []int
	for _, n := range installsOf(all) {
		counts = append(counts, n)
	}
	slices.Sort(counts)
	if counts[len(counts)*9/10] < 4*counts[len(counts)/10] {
		t.Errorf("installs are used alike: %v", counts)
	}
}

// The server takes every session, by the schema that stands beside it and by the real one where it is here.
func TestServerTakesEveryAppSession(t *testing.T) {
	own := t.TempDir()
	if err := os.WriteFile(filepath.Join(own, "app_session.yaml"), simulate.AppSchema, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("Own", func(t *testing.T) { takeSessions(t, own, simulate.AppSchemaID) })
	t.Run("Real", func(t *testing.T) {
		const folder = "../../shared/realdata/schemas"
		if _, err := os.Stat(folder); err != nil {
			t.Skipf("skipped: ../shared has no schemas: %v", err)
		}
		takeSessions(t, folder, "/analytics/mobile_apps/app_session/1.1.0")
	})
}

func takeSessions(t *testing.T, folder, schema string) {
	registry, err := event.LoadRegistry(folder)
	if err != nil {
		t.Fatal(err)
	}
	s, err := registry.Stream(event.StreamConfig{Name: "app_session", Schema: schema, Unit: "app_install_id"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (simulate.Apps{Seed: 4, Days: 3, PerDay: 500, End: end, Schema: schema}).Write(&out); err != nil {
		t.Fatal(err)
	}
	arrival := event.Arrival{Now: end, NewID: event.NewID}
	n := 0
	for lines := bufio.NewScanner(&out); lines.Scan(); n++ {
		if _, _, _, p := s.Append(nil, lines.Bytes(), &arrival); p != nil {
			t.Fatalf("%v in %s", p, lines.Text())
		}
	}
	if n < 1000 {
		t.Errorf("only %d sessions", n)
	}
}

func TestAppsErrors(t *testing.T) {
	for _, a := range []simulate.Apps{{PerDay: 1, End: end}, {Days: 1, End: end}, {Days: 1, PerDay: 1}, {Days: 1, PerDay: 1, Installs: -1, End: end}} {
		if err := a.Write(io.Discard); err == nil {
			t.Errorf("%+v is taken", a)
		}
	}
}
