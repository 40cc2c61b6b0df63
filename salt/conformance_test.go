package salt

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// conformance is ../../shared/conformance/salts.json.
type conformance struct {
	Names []struct {
		Name, Error          string
		Start, End, Deletion time.Time
	}
	Choose struct {
		Salts []string
		Cases []struct {
			Hour time.Time
			Want *string
		}
	}
	Due []struct {
		Name    string
		Now     time.Time
		Destroy bool
	}
	Periods []struct {
		Period, Start, Grace, Want string
		Now                        time.Time
	}
}

func mustConformance(t *testing.T) (c conformance) {
	t.Helper()
	text, err := os.ReadFile("../../shared/conformance/salts.json")
	if err != nil {
		t.Skipf("skipped: ../shared has no conformance cases: %v", err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Names) == 0 || len(c.Choose.Cases) == 0 || len(c.Due) == 0 || len(c.Periods) == 0 {
		t.Fatal("salts.json lacks cases")
	}
	return c
}

func TestConformanceNames(t *testing.T) {
	for _, c := range mustConformance(t).Names {
		got, err := ParseName(c.Name)
		if c.Error != "" {
			if err == nil || !strings.Contains(strings.ToLower(err.Error()), c.Error) {
				t.Errorf("%s: %v, want an error with %q", c.Name, err, c.Error)
			}
			continue
		}
		if err != nil || got != (Period{c.Start, c.End, c.Deletion}) || got.Name() != c.Name {
			t.Errorf("%s: %+v, %v", c.Name, got, err)
		}
	}
}

func TestConformanceChoose(t *testing.T) {
	c := mustConformance(t).Choose
	h := newHouse(t, "2026-10-02T12")
	for _, name := range c.Salts {
		h.put(name, testKey(name))
	}
	for _, c := range c.Cases {
		salt, err := h.folder.For(c.Hour)
		switch {
		case c.Want == nil:
			if err == nil || !errors.Is(err, ErrForgotten) && !errors.Is(err, ErrMissing) {
				t.Errorf("%s: %v, %v", c.Hour, salt, err)
			}
		case err != nil || salt.Period.Name() != *c.Want:
			t.Errorf("%s: %v, %v", c.Hour, salt, err)
		}
	}
}

// A salt is destroyed once now is at or past its DELETION, by a rotation of a real folder.
func TestConformanceDue(t *testing.T) {
	for _, c := range mustConformance(t).Due {
		h := newHouse(t, c.Now.Format("2006-01-02T15"))
		h.put(c.Name, testKey("due"))
		h.rotateAt(c.Now)
		if there := h.has(c.Name); there == c.Destroy {
			t.Errorf("%s at %s: there %v, want destroyed %v", c.Name, c.Now, there, c.Destroy)
		}
	}
}

func TestConformancePeriods(t *testing.T) {
	for _, c := range mustConformance(t).Periods {
		grace, err := time.ParseDuration(c.Grace)
		if err != nil {
			t.Fatal(err)
		}
		if got := mustPeriods(t, c.Period, c.Start, grace).At(c.Now).Name(); got != c.Want {
			t.Errorf("%s at %s: %s, want %s", c.Period, c.Now, got, c.Want)
		}
	}
}
