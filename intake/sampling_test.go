package intake_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/intake"
)

const stream = "interaction"

func rate(r float64) map[string]float64 { return map[string]float64{stream: r} }

func TestSamplingRemembersEightDays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sampling.json")
	s, err := intake.OpenSampling(path, rate(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set(rate(0.5), noon); err != nil {
		t.Fatal(err)
	}
	if got := s.Rate(stream); got != 0.5 {
		t.Error("rate", got)
	}
	for _, test := range []struct {
		days int
		want string
	}{{0, "[0.5 1]"}, {7, "[0.5 1]"}, {9, "[0.5]"}} {
		now := noon.AddDate(0, 0, test.days)
		if got := fmt.Sprint(s.Accepted(stream, now)); got != test.want {
			t.Errorf("after %d days: %s, want %s", test.days, got, test.want)
		}
		again, err := intake.OpenSampling(path, rate(0.5), now)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(again.Accepted(stream, now)); got != test.want {
			t.Errorf("opened after %d days: %s, want %s", test.days, got, test.want)
		}
	}
}

// TestSamplingAtStart has the rates changed in the config while no server ran.
func TestSamplingAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sampling.json")
	for _, r := range []float64{1, 0.5, 0, 1} {
		s, err := intake.OpenSampling(path, rate(r), noon)
		if err != nil {
			t.Fatal(err)
		}
		if s.Rate(stream) != r {
			t.Error("rate", s.Rate(stream))
		}
	}
	s, err := intake.OpenSampling(path, rate(0.1), noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(s.Accepted(stream, noon)); got != "[0.1 0.5 1]" {
		t.Error("accepted", got)
	}
}

func TestSamplingFileTellsTheHourOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sampling.json")
	s, err := intake.OpenSampling(path, rate(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Set(rate(0.5), noon); err != nil {
		t.Fatal(err)
	}
	hour := noon.Truncate(time.Hour)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(hour) || info.Mode().Perm() != 0o600 {
		t.Error("the file has", info.ModTime(), info.Mode())
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"rates":{"interaction":0.5},"history":{"interaction":[{"rate":1,"until":"2026-11-21T12:00:00Z"}]}}` + "\n"
	if string(content) != want {
		t.Errorf("got %s", content)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Error("files left:", names)
	}
}

func TestSamplingRefusesRates(t *testing.T) {
	s := openSampling(t, rate(1))
	for _, r := range []float64{-1, 0.00001, 1.5, math.NaN(), math.Inf(1)} {
		if err := s.Set(rate(r), noon); err == nil || !strings.Contains(err.Error(), "sampling.interaction") {
			t.Errorf("%v: %v", r, err)
		}
		if s.Rate(stream) != 1 {
			t.Fatal("the rate changed")
		}
	}
}

// TestKillSwitchWithoutDisk has no folder to keep the history in: 0 is in force all the same.
func TestKillSwitchWithoutDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := intake.OpenSampling(filepath.Join(dir, "sampling.json"), rate(1), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Set(rate(0), noon); err == nil {
		t.Error("that the history is not stored is not told")
	}
	if s.Rate(stream) != 0 {
		t.Error("rate", s.Rate(stream))
	}
}

func TestSamplingTellsOfABrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sampling.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := intake.OpenSampling(path, rate(1), noon); err == nil || !strings.Contains(err.Error(), path) {
		t.Error("got", err)
	}
}
