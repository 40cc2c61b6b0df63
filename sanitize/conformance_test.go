package sanitize

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/lake/duck"
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

// run sanitizes the rows, from Parquet to Parquet.
func (c conformanceCase) run(t *testing.T) ([]string, error) {
	stream := mustStream(t, c.Stream, string(c.Schema))
	plan, err := Compile(stream, Parse("allowlist.yaml", []byte(c.Allowlist)), Options{AllowKeepAll: c.AllowKeepAll})
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	for _, row := range c.Rows {
		rows = append(rows, decode(t, row).(map[string]any))
	}
	b := newBench(t, duck.Options{})
	in := Input{Rows: b.raw("raw.parquet", stream.Columns, rows)}
	if c.Salt != nil {
		in.Hasher = withSalt(*c.Salt)
	}
	if err := b.sanitize(plan, in, "sanitized.parquet"); err != nil {
		return nil, err
	}
	return b.rows(plan.Columns, b.read("sanitized.parquet")), nil
}
