package console_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/lake"
	"brine/lake/duck"
)

const interactions = "/api/v1/events/interaction"

const (
	asNDJSON  = "application/x-ndjson"
	asJSON    = "application/json"
	asCSV     = "text/csv"
	asParquet = "application/vnd.apache.parquet"
)

// every format gives the same rows of the same range, ordered by time and id.
func TestFormats(t *testing.T) {
	h := openHouse(t)
	hour := testStart.Truncate(time.Hour)
	h.come(20, hour.Add(-2*time.Hour))
	h.come(30, hour.Add(-time.Hour))
	h.come(30, hour.Add(-50*time.Minute))
	h.come(20, hour)
	from, to := hour.Add(-time.Hour).Format(time.RFC3339), strconv.FormatInt(ms(hour), 10)
	in := []string{"from", from, "to", to}

	ndjson := h.get(asNDJSON, interactions, in...).want(t, http.StatusOK, asNDJSON)
	want := ndjson.rows(t)
	if len(want) != 60 || !slices.IsSortedFunc(want, compareRows) {
		t.Fatalf("%d rows, ordered: %t; want 60 in order", len(want), slices.IsSortedFunc(want, compareRows))
	}
	if want[0].Timestamp != ms(hour.Add(-time.Hour)) || want[59].Timestamp >= ms(hour) {
		t.Errorf("rows from %d to %d: from is inclusive and to is exclusive", want[0].Timestamp, want[59].Timestamp)
	}

	t.Run("JSON", func(t *testing.T) {
		if got := h.get(asJSON, interactions, in...).page(t); !slices.Equal(got.Events, want) || got.Next != "" {
			t.Errorf("%d events, next %q", len(got.Events), got.Next)
		}
	})
	t.Run("CSV", func(t *testing.T) {
		checkCSV(t, h.get(asCSV, interactions, in...).want(t, http.StatusOK, asCSV), ndjson.body)
	})
	t.Run("Parquet", func(t *testing.T) {
		answer := h.get(asParquet, interactions, in...).want(t, http.StatusOK, asParquet)
		if got := readParquet(t, answer.body); !bytes.Equal(got, ndjson.body) {
			t.Errorf("read back from Parquet:\n%.500s\nwant\n%.500s", got, ndjson.body)
		}
		if left, _ := os.ReadDir(h.temp); len(left) != 0 {
			t.Errorf("%s was left behind", left[0].Name())
		}
	})
}

func compareRows(a, b row) int {
	if a.Timestamp != b.Timestamp {
		return int(a.Timestamp - b.Timestamp)
	}
	return strings.Compare(a.ID, b.ID)
}

// checkCSV compares lines of CSV with the same rows as NDJSON, field by field.
func checkCSV(t *testing.T, answer answer, ndjson []byte) {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(answer.body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	header := lines[0]
	if !slices.Equal(header, columnNames(event.InteractionColumns())) {
		t.Errorf("the header is %s", header)
	}
	objects := strings.Split(strings.TrimSpace(string(ndjson)), "\n")
	if len(lines)-1 != len(objects) {
		t.Fatalf("%d lines, want %d", len(lines)-1, len(objects))
	}
	for i, line := range lines[1:] {
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(objects[i]), &want); err != nil {
			t.Fatal(err)
		}
		for n, field := range line {
			if got, want := field, unquoted(want[header[n]]); got != want {
				t.Errorf("line %d, %s is %s, want %s", i+2, header[n], got, want)
			}
		}
	}
}

// unquoted is a JSON value as CSV has it: a string's text, anything else as it is.
func unquoted(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

func columnNames(columns []event.Column) (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// readParquet gives a file's rows as NDJSON, as another program with DuckDB would read it.
func readParquet(t *testing.T, file []byte) (ndjson []byte) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "events.parquet")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := duck.Open(duck.Options{Folders: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rows, err := conn.Query(context.Background(), "FROM read_parquet("+duck.Quote(path)+")")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	renderer := duck.NewRenderer(event.InteractionColumns())
	for rows.Next() {
		renderer.Bind(rows)
		for i := range rows.Len() {
			ndjson = append(renderer.Append(ndjson, i), '\n')
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return ndjson
}

// An empty range is an answer in every format.
func TestNothingThere(t *testing.T) {
	h := openHouse(t)
	h.come(1, testStart)
	for _, dataset := range []string{lake.Raw, lake.Rejected} {
		in := []string{"dataset", dataset, "to", "0"}
		for mediaType, want := range map[string]string{asNDJSON: "", asJSON: "{\"events\":[]}\n", asParquet: "PAR1"} {
			if got := h.get(mediaType, interactions, in...).want(t, http.StatusOK, mediaType); !strings.HasPrefix(string(got.body), want) {
				t.Errorf("%s of %s is %.100q, want %q", mediaType, dataset, got.body, want)
			}
		}
		lines, err := csv.NewReader(bytes.NewReader(h.get(asCSV, interactions, in...).want(t, http.StatusOK, asCSV).body)).ReadAll()
		if err != nil || len(lines) != 1 {
			t.Errorf("%d lines of CSV of %s, want the header: %v", len(lines), dataset, err)
		}
	}
}

func TestFormatIsChosenByAccept(t *testing.T) {
	h := openHouse(t)
	h.come(1, testStart)
	for accept, want := range map[string]string{
		"":                                asJSON,
		"*/*":                             asJSON,
		"application/*":                   asJSON,
		"text/*":                          asCSV,
		"TEXT/CSV":                        asCSV,
		"text/html, text/csv;q=0.5":       asCSV,
		"image/png, application/x-ndjson": asNDJSON,
		"text/csv;q=0.5, application/x-ndjson;q=0.9":                      asNDJSON,
		"text/csv, application/json":                                      asCSV,
		"text/csv; header=present; Q=0.2, */*; q=0.1":                     asCSV,
		"application/json;q=0, */*":                                       asNDJSON,
		"*/*;q=0.5, application/json;q=0.1":                               asNDJSON,
		"application/vnd.apache.parquet;q=0.9, */*;q=0.1":                 asParquet,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": asJSON,
	} {
		h.get(accept, interactions).want(t, http.StatusOK, want)
	}
	for _, accept := range []string{"text/html", "image/*", "nonsense", "application/x-ndjson-seq", "text/csv;q=0", "*/*;q=0.0", "text/csv;q=much"} {
		if reason := h.get(accept, interactions).want(t, http.StatusNotAcceptable, asJSON).reason(t); !strings.Contains(reason, asNDJSON) {
			t.Errorf("Accept: %s is refused with %q, which does not say what there is", accept, reason)
		}
	}
}

// What was acknowledged before Brine-Complete-To is in the answer, whatever comes while it is read.
func TestCompleteTo(t *testing.T) {
	h := openHouse(t)
	h.come(3, testStart)
	h.audit.during = func() {
		h.clock.advance(time.Minute)
		h.come(1, testStart)
	}
	for _, path := range []string{interactions, "/wsapi/interaction_data", "/wsapi/interaction_data/count", "/wsapi/interaction_data/last"} {
		flushed := h.clock.Wall()
		got, err := time.Parse(time.RFC3339, h.get("", path).Header.Get("Brine-Complete-To"))
		if err != nil || !got.Equal(flushed) {
			t.Errorf("%s is complete to %v (%v), want the time of the flush before, %v", path, got, err, flushed)
		}
	}
}

// Over HTTP/1.0 nothing is streamed: there an answer that breaks off looks whole. What has its length, or is read whole, is answered.
func TestHTTP10(t *testing.T) {
	h := openHouse(t)
	h.come(3, testStart)
	for _, c := range []struct {
		accept, path string
		status       int
	}{
		{asNDJSON, interactions, 505},
		{asCSV, interactions, 505},
		{asParquet, interactions, 505},
		{asJSON, "/wsapi/interaction_data", 505},
		{asJSON, interactions, 200},
		{asJSON, "/wsapi/interaction_data/count", 200},
		{asJSON, "/wsapi/interaction_data/last", 200},
	} {
		r := h.identified(httptest.NewRequest("GET", h.url+ofRaw(c.path), nil))
		r.Header.Set("Accept", c.accept)
		r.Proto, r.ProtoMinor = "HTTP/1.0", 0
		w := httptest.NewRecorder()
		h.door.ServeHTTP(w, r)
		if says := strings.Contains(w.Body.String(), "proxy_http_version 1.1"); w.Code != c.status || says != (c.status == 505) {
			t.Errorf("%s as %s: %d %s, want %d", c.path, c.accept, w.Code, w.Body, c.status)
		}
	}
}

// All that was there at the first page comes exactly once, whatever is added and compacted between the pages.
func TestPagesWhileTheLakeChanges(t *testing.T) {
	const rounds = 5
	random := rand.New(rand.NewPCG(1, 2))
	h := openHouse(t)
	there := map[string]bool{}
	note := func(ids []string) {
		for _, id := range ids {
			there[id] = true
		}
	}
	for range 8 {
		for range 4 {
			note(h.come(40, h.clock.Wall().Add(-time.Duration(random.IntN(6*60))*time.Minute)))
		}
		h.clock.advance(time.Hour)
	}
	for round := range rounds {
		t.Run(fmt.Sprintf("Round%d", round), func(t *testing.T) {
			seen, added := map[string]int{}, []string{}
			var last row
			for cursor, pages := "", 0; cursor != "" || pages == 0; pages++ {
				p := h.get(asJSON, interactions, pageOf(1+random.IntN(300), cursor)...).page(t)
				for _, r := range p.Events {
					if compareRows(last, r) >= 0 {
						t.Fatalf("page %d is not in order", pages)
					}
					seen[r.ID]++
					last = r
				}
				cursor = p.Next
				if random.IntN(3) == 0 {
					added = append(added, h.change(random)...)
				}
			}
			for id := range there {
				if seen[id] != 1 {
					t.Fatalf("a row that was there at the first page came %d times", seen[id])
				}
			}
			for id, n := range seen {
				if n != 1 || !there[id] && !slices.Contains(added, id) {
					t.Fatalf("a row came %d times; it was there: %t", n, there[id])
				}
			}
			note(added)
		})
	}
}

func pageOf(limit int, cursor string) []string {
	in := []string{"limit", strconv.Itoa(limit)}
	if cursor != "" {
		in = append(in, "cursor", cursor)
	}
	return in
}

// change adds rows anywhere, and now and then ends the hour and compacts it; an hour ago is long enough
// for what was covered to be swept.
func (h *house) change(random *rand.Rand) (ids []string) {
	h.tb.Helper()
	ids = h.come(1+random.IntN(50), h.clock.Wall().Add(-time.Duration(random.IntN(12*60))*time.Minute))
	if random.IntN(3) == 0 {
		h.clock.advance(time.Hour)
		ids = append(ids, h.come(1, h.clock.Wall())...)
		if err := h.lake.Compact(context.Background()); err != nil {
			h.tb.Fatal(err)
		}
	}
	return ids
}

// The cursor of one range never leads out of another.
func TestCursorStaysWithinTheRange(t *testing.T) {
	h := openHouse(t)
	for slot := range 6 {
		h.come(10, testStart.Add(-time.Duration(slot)*10*time.Minute))
	}
	late := h.get(asJSON, interactions, "limit", "55").page(t).Next
	early := h.get(asJSON, interactions, "limit", "5").page(t).Next
	from, to := ms(testStart.Add(-40*time.Minute).Truncate(10*time.Minute)), ms(testStart.Add(-20*time.Minute).Truncate(10*time.Minute))
	for cursor, want := range map[string]int{late: 0, early: 20} {
		rows := h.get(asJSON, interactions, "cursor", cursor, "from", strconv.FormatInt(from, 10), "to", strconv.FormatInt(to, 10)).page(t).Events
		if len(rows) != want {
			t.Errorf("%d rows, want %d", len(rows), want)
		}
		for _, r := range rows {
			if r.Timestamp < from || r.Timestamp >= to {
				t.Fatalf("a row of %d is not within [%d, %d)", r.Timestamp, from, to)
			}
		}
	}
}
