package simulate_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/simulate"
)

var end = time.Date(2026, 11, 21, 13, 7, 0, 0, time.UTC)

// interaction is what these tests look at.
type interaction struct {
	ID          string            `json:"id"`
	Timestamp   int64             `json:"timestamp"`
	EventStream [][]any           `json:"event_stream"`
	NewAccount  *bool             `json:"new_account"`
	Release     string            `json:"release"`
	Experiments map[string]string `json:"experiments"`
	UserAgent   struct {
		OS string `json:"os"`
	} `json:"user_agent"`
	ScreenSize struct {
		Width int `json:"width"`
	} `json:"screen_size"`
}

func (i interaction) has(name string) bool {
	return slices.ContainsFunc(i.EventStream, func(entry []any) bool { return entry[0] == name })
}

// history simulates and parses.
func history(t *testing.T, c simulate.Config) []interaction {
	t.Helper()
	var out bytes.Buffer
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	var all []interaction
	for dec := json.NewDecoder(&out); dec.More(); {
		var i interaction
		if err := dec.Decode(&i); err != nil {
			t.Fatal(err)
		}
		all = append(all, i)
	}
	return all
}

func TestSameSeedSameBytes(t *testing.T) {
	write := func(seed uint64) string {
		var out strings.Builder
		if err := (simulate.Config{Seed: seed, Days: 2, PerDay: 300, End: end}).Write(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	first, again, other := write(1), write(1), write(2)
	if first != again {
		t.Error("the same seed gave other bytes")
	}
	if first == other {
		t.Error("two seeds gave the same bytes")
	}
}

// Every interaction is one that the server takes, and comes out of it as it went in.
func TestServerTakesEveryInteraction(t *testing.T) {
	var out bytes.Buffer
	if err := (simulate.Config{Seed: 3, Days: 7, PerDay: 1000, End: end}).Write(&out); err != nil {
		t.Fatal(err)
	}
	arrival := event.Arrival{Now: end, Rates: []float64{1}, NewID: event.NewID}
	lines, row := bufio.NewScanner(&out), []byte(nil)
	for lines.Scan() {
		var n int
		var problem *event.Problem
		row, _, n, problem = event.AppendInteraction(row[:0], lines.Bytes(), &arrival)
		if problem != nil {
			t.Fatalf("%v in %s", problem, lines.Text())
		}
		if n != len(lines.Bytes()) {
			t.Fatalf("only %d bytes were read of %s", n, lines.Text())
		}
	}
}

func TestHistoryIsOrderedAndComplete(t *testing.T) {
	const days, perDay = 28, 300
	all := history(t, simulate.Config{Seed: 4, Days: days, PerDay: perDay, End: end})

	if got := float64(len(all)) / (days * perDay); math.Abs(got-1) > 0.05 {
		t.Errorf("%d interactions, want about %d", len(all), days*perDay)
	}
	first, last := end.Truncate(10*time.Minute).AddDate(0, 0, -days).UnixMilli(), end.UnixMilli()
	ids, before := map[string]bool{}, first
	for _, i := range all {
		if i.Timestamp < before || i.Timestamp >= last || i.Timestamp%600_000 != 0 {
			t.Fatalf("a time of %d after %d", i.Timestamp, before)
		}
		before = i.Timestamp
		ids[i.ID] = true
	}
	if len(ids) != len(all) {
		t.Errorf("%d ids for %d interactions", len(ids), len(all))
	}
	if all[0].Release != "2026.10.2" || all[len(all)-1].Release != "2026.11.2" {
		t.Errorf("releases from %s to %s", all[0].Release, all[len(all)-1].Release)
	}
}

// The shares that a dashboard would show are those of a dialog that works, and could be better.
func TestFunnels(t *testing.T) {
	all := history(t, simulate.Config{Seed: 5, Days: 7, PerDay: 1500, End: end})
	count := func(match func(interaction) bool) (n float64) {
		for _, i := range all {
			if match(i) {
				n++
			}
		}
		return n
	}
	with := func(name string) float64 { return count(func(i interaction) bool { return i.has(name) }) }
	entries := 0.0
	for _, i := range all {
		entries += float64(len(i.EventStream))
	}

	for _, share := range []struct {
		what      string
		got       float64
		low, high float64
	}{
		{"events in an interaction", entries / float64(len(all)), 7, 9.5},
		{"signed in, of all", with("assertion_generated") / float64(len(all)), 0.60, 0.75},
		{"new, of all", with("screen.set_password") / float64(len(all)), 0.15, 0.21},
		{"password chosen, of the new", with("user.user_staged") / with("screen.set_password"), 0.72, 0.84},
		{"confirmed, of those", with("user.user_confirmed") / with("user.user_staged"), 0.65, 0.77},
		{"resets confirmed, of those begun", with("user.reset_password_confirmed") / with("user.reset_password_staged"), 0.58, 0.74},
		{"cancelled, of all", with("screen.cancel") / float64(len(all)), 0.05, 0.20},
		{"a wrong password, of those given", with("authenticate.password_fail") / with("authenticate.password_submitted"), 0.08, 0.16},
		{"an error, of all", count(hasError) / float64(len(all)), 0.002, 0.03},
		{"phones and tablets, of all", count(isMobile) / float64(len(all)), 0.38, 0.50},
	} {
		if share.got < share.low || share.got > share.high {
			t.Errorf("%s: %.3f, want %.3f to %.3f", share.what, share.got, share.low, share.high)
		}
	}
}

func hasError(i interaction) bool {
	return slices.ContainsFunc(i.EventStream, func(entry []any) bool {
		return strings.HasPrefix(entry[0].(string), "screen.error.")
	})
}

func isMobile(i interaction) bool {
	return i.UserAgent.OS == "Android" || i.UserAgent.OS == "iOS"
}

func TestPhonesHaveSmallScreens(t *testing.T) {
	for _, i := range history(t, simulate.Config{Seed: 6, Days: 1, PerDay: 1000, End: end}) {
		if isMobile(i) != (i.ScreenSize.Width <= 1024) {
			t.Fatalf("%s with a screen %d wide", i.UserAgent.OS, i.ScreenSize.Width)
		}
	}
}

// A story leaves its marks where it says, and nowhere before.
func TestStory(t *testing.T) {
	story := simulate.DemoStory(end)
	all := history(t, simulate.Config{Seed: 10, Days: 60, PerDay: 600, End: end, Story: story})
	var shown, gone, mailed, confirmed [2][2]float64 // by before and after, then: by mobile; by branch
	for _, i := range all {
		at := time.UnixMilli(i.Timestamp).UTC()
		if at.Truncate(24 * time.Hour).Equal(story.Gap) {
			t.Fatalf("an interaction at %s, a day of which nothing arrived", at)
		}
		after, mobile := index(!at.Before(story.Redesign)), index(isMobile(i))
		if i.has("authenticate.enter_password") {
			shown[after][mobile]++
			gone[after][mobile] += float64(index(i.has("authenticate.password_submitted")))
		}
		branch := i.Experiments[simulate.StoryExperiment]
		if tried := !at.Before(story.Experiment); tried != (branch != "") {
			t.Fatalf("branch %q at %s", branch, at)
		}
		if i.has("user.user_staged") && branch != "" {
			mailed[0][index(branch == simulate.StoryTreatment)]++
			confirmed[0][index(branch == simulate.StoryTreatment)] += float64(index(i.has("user.user_confirmed")))
		}
	}
	for _, share := range []struct {
		what      string
		got       float64
		low, high float64
	}{
		{"more go on from the password screen on phones", gone[1][1]/shown[1][1] - gone[0][1]/shown[0][1], 0.03, 0.08},
		{"fewer elsewhere", gone[1][0]/shown[1][0] - gone[0][0]/shown[0][0], -0.06, -0.02},
		{"more confirm the friendly mail", confirmed[0][1]/mailed[0][1] - confirmed[0][0]/mailed[0][0], 0.04, 0.16},
		{"the branches are of one size", mailed[0][1] / mailed[0][0], 0.85, 1.18},
	} {
		if share.got < share.low || share.got > share.high {
			t.Errorf("%s: %.3f, want %.3f to %.3f", share.what, share.got, share.low, share.high)
		}
	}
}

func index(is bool) int {
	if is {
		return 1
	}
	return 0
}

// Nights and Saturdays are quiet, afternoons are not.
func TestRhythm(t *testing.T) {
	byHour, byDay := [24]int{}, [7]int{}
	for _, i := range history(t, simulate.Config{Seed: 7, Days: 14, PerDay: 800, End: end}) {
		at := time.UnixMilli(i.Timestamp).UTC()
		byHour[at.Hour()]++
		byDay[at.Weekday()]++
	}
	if ratio := float64(byHour[15]) / float64(byHour[3]); ratio < 6 || ratio > 11 {
		t.Errorf("15:00 has %.1f times as many as 03:00", ratio)
	}
	if ratio := float64(byDay[time.Tuesday]) / float64(byDay[time.Saturday]); ratio < 1.3 || ratio > 1.8 {
		t.Errorf("Tuesday has %.1f times as many as Saturday", ratio)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []simulate.Config{{PerDay: 1, End: end}, {Days: 1, End: end}, {Days: 1, PerDay: 1}} {
		if err := c.Write(io.Discard); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestWriteErrorEndsIt(t *testing.T) {
	full := errors.New("no space left")
	c := simulate.Config{Days: 30, PerDay: 10_000, End: end}
	if err := c.Write(failing{full}); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestNothingIsAllocated(t *testing.T) {
	source, buf := simulate.NewSource(8), make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(1000, func() { buf = source.AppendInteraction(buf[:0], end) }); n > 0 {
		t.Errorf("%.0f allocations for an interaction", n)
	}
}

func BenchmarkAppendInteraction(b *testing.B) {
	source, buf := simulate.NewSource(9), make([]byte, 0, 64<<10)
	for b.Loop() {
		buf = source.AppendInteraction(buf[:0], end)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
