package sanitize

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/lake"
)

// conformanceCase is one of ../shared/conformance/sanitize.json.
type conformanceCase struct {
	Name         string            `json:"name"`
	Stream       string            `json:"stream"`
	Schema       json.RawMessage   `json:"schema"`
	Allowlist    string            `json:"allowlist"`
	AllowKeepAll bool              `json:"allow_keep_all"`
	Salt         *string           `json:"salt"`
	Rows         []json.RawMessage `json:"rows"`
	Want         []json.RawMessage `json:"want"`
	Error        string            `json:"error"`
}

func TestConformance(t *testing.T) {
	text, err := os.ReadFile("../../shared/conformance/sanitize.json")
	if err != nil {
		t.Skip("skipped: ../shared is not here")
	}
	var all struct {
		Cases []conformanceCase `json:"cases"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, c := range all.Cases {
		t.Run(c.Name, func(t *testing.T) {
			got, err := c.run(t)
			if c.Error != "" {
				if err == nil || !strings.Contains(err.Error(), c.Error) {
					t.Fatalf("error %v, want one with %q", err, c.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, row := range c.Want {
				want = append(want, canonical(t, row))
			}
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

// run takes the rows through the job: imported into a real lake, sanitized, and read back.
func (c conformanceCase) run(t *testing.T) (got []string, err error) {
	h := openHouse(t, mustStream(t, c.Stream, string(c.Schema)), c.Allowlist, Options{AllowKeepAll: c.AllowKeepAll})
	h.putSalt(c.Salt)
	table, err := h.lake.Table(lake.Raw, c.Stream)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.lake.Import(t.Context(), table, strings.Repeat("0", 64), func(yield func(event.Key, []byte) bool) {
		for i, row := range c.Rows {
			key := event.Key{Time: jobStart.Add(-time.Hour).UnixMilli(), ID: [16]byte{byte(i)}}
			if !yield(key, encodeRow(h.stream.Columns, decode(t, row).(map[string]any))) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.lake.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := h.job.Run(t.Context(), Request{})
	if err != nil {
		return nil, err
	}
	if len(report.Refused) > 0 {
		return nil, errors.New(report.Refused[0].Why)
	}
	for _, row := range h.sanitized() {
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, canonical(t, text))
	}
	slices.Sort(got)
	return got, nil
}

// putSalt puts a salt into the folder, as another tool would.
func (h *house) putSalt(text *string) {
	h.tb.Helper()
	if text == nil {
		return
	}
	dir := filepath.Join(h.dir, "salts")
	if err := os.Mkdir(dir, 0o700); err != nil {
		h.tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "2026070100_2026100100_2026100300"), []byte(*text), 0o600); err != nil {
		h.tb.Fatal(err)
	}
}
