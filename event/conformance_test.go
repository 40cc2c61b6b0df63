package event

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"testing"
)

// A conformanceCase is one of ../../shared/conformance/interaction.json: an event, and what
// every build must make of it.
type conformanceCase struct {
	Name      string          `json:"name"`
	Data      json.RawMessage `json:"data"`
	Status    int             `json:"status"`
	Path      string          `json:"path"`
	ReadsBack json.RawMessage `json:"reads_back"`
}

// relativeTime is "T" or "T+123456": a time from the slot of now on.
var relativeTime = regexp.MustCompile(`"T(\+\d+)?"`)

func atSlot(data []byte) []byte {
	return relativeTime.ReplaceAllFunc(data, func(text []byte) []byte {
		after, _ := strconv.Atoi(string(text[2 : len(text)-1]))
		return strconv.AppendInt(nil, slot+int64(after), 10)
	})
}

func TestConformance(t *testing.T) {
	data, err := os.ReadFile("../../shared/conformance/interaction.json")
	if err != nil {
		t.Skipf("skipped: ../shared has no conformance cases: %v", err)
	}
	var file struct{ Cases []conformanceCase }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) { c.run(t) })
	}
}

func (c conformanceCase) run(t *testing.T) {
	a := arrival()
	a.Rates = []float64{1}
	row, _, _, p := AppendInteraction(nil, atSlot(c.Data), a)
	if c.Status != 200 {
		if p == nil || p.Path != c.Path {
			t.Errorf("problem %v, want one at %s", p, c.Path)
		}
		return
	}
	if p != nil {
		t.Fatal(p)
	}
	got, want := decoded(t, row), decoded(t, atSlot(c.Data))
	delete(want, "user_agent") // its version is cut, which only some cases spell out
	if c.ReadsBack != nil {
		for name, value := range decoded(t, atSlot(c.ReadsBack)) {
			want[name] = value
		}
	}
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s reads back as %v, want %v", name, got[name], want[name])
		}
	}
}

func decoded(t *testing.T, object []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.NewDecoder(bytes.NewReader(object)).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
