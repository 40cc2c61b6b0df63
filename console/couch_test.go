package console_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const couch = "/wsapi/interaction_data"

// The original read API: rows of {id, key, value}, and both ends inclusive.
func TestOriginalReadAPI(t *testing.T) {
	h := openHouse(t)
	hour := testStart.Truncate(time.Hour)
	for _, ago := range []time.Duration{2 * time.Hour, time.Hour, 0} {
		h.come(10, hour.Add(-ago))
	}
	start, end := strconv.FormatInt(ms(hour.Add(-time.Hour)), 10), strconv.FormatInt(ms(hour), 10)
	events := h.get(asNDJSON, interactions).rows(t)

	for name, c := range map[string]struct {
		in   []string
		want []row
	}{
		"All":             {nil, events},
		"Start":           {[]string{"start", start}, events[10:]},
		"End":             {[]string{"end", start}, events[:20]},
		"BothInclusive":   {[]string{"start", start, "end", end}, events[10:]},
		"OneMoment":       {[]string{"start", start, "end", start}, events[10:20]},
		"TimeOfDay":       {[]string{"end", hour.Add(-time.Hour).Format(time.RFC3339)}, events[:20]},
		"NothingBetween":  {[]string{"start", strconv.FormatInt(ms(hour)+1, 10)}, nil},
		"WidestThereIs":   {[]string{"start", "-9223372036854775808", "end", "9223372036854775807"}, events},
		"NegativeAndPast": {[]string{"start", "-5", "end", "-1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := couchRows(t, h.get("", couch, c.in...)); !slices.Equal(got, c.want) {
				t.Errorf("%d rows, want %d", len(got), len(c.want))
			}
			var count int
			answer := h.get("", couch+"/count", c.in...).want(t, http.StatusOK, asJSON)
			if err := json.Unmarshal(answer.body, &count); err != nil || count != len(c.want) {
				t.Errorf("the count is %s (%v), want %d", answer.body, err, len(c.want))
			}
			checkLast(t, h.get("", couch+"/last", c.in...), c.want)
		})
	}
}

// couchRow is a row as CouchDB gave it.
type couchRow struct {
	ID    string
	Key   int64
	Value row
}

func couchRows(t *testing.T, a answer) (rows []row) {
	t.Helper()
	var got []couchRow
	if err := json.Unmarshal(a.want(t, http.StatusOK, asJSON).body, &got); err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		if r.ID != r.Value.ID || r.Key != r.Value.Timestamp {
			t.Errorf("the row's id and key are not those of its value")
		}
		rows = append(rows, r.Value)
	}
	return rows
}

// checkLast wants the newest row, of several of one time the one with the highest id, or null.
func checkLast(t *testing.T, a answer, rows []row) {
	t.Helper()
	var last *couchRow
	if err := json.Unmarshal(a.want(t, http.StatusOK, asJSON).body, &last); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		if last != nil {
			t.Error("there is a last row of nothing")
		}
		return
	}
	if last == nil || last.Value != rows[len(rows)-1] {
		t.Errorf("the last row is %s", a.body)
	}
}

func TestOriginalReadAPIWithNothingStored(t *testing.T) {
	h := openHouse(t)
	for path, want := range map[string]string{couch: "[]", couch + "/count": "0", couch + "/last": "null"} {
		if got := h.get("", path).want(t, http.StatusOK, asJSON); strings.TrimSpace(string(got.body)) != want {
			t.Errorf("%s is %s, want %s", path, got.body, want)
		}
	}
}
