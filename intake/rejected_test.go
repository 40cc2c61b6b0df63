package intake_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brine/event"
	"brine/intake"
)

func TestRejectedRowHasNoValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDoor(t)
		d.post(blob(map[string]any{
			"event_stream": []any{[]any{"ok", 1}, []any{"someone@example.org", 7}},
			"surname":      "Example",
			"id":           "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
		}))
		synctest.Wait()
		records := d.log.records(t, event.DatasetRejected)
		if len(records) != 1 || records[0].Stream != event.Interaction || records[0].Key.ID[6]>>4 != 4 {
			t.Fatalf("got %d records", len(records))
		}
		var row map[string]any
		if err := json.Unmarshal(records[0].Row, &row); err != nil {
			t.Fatal(err)
		}
		now := time.Now().UnixMilli()
		if got := int64(row["received"].(float64)); got != event.FloorMillis(now) || got != records[0].Key.Time {
			t.Error("received", got)
		}
		if row["code"] != event.CodeValue || row["path"] != "/event_stream/*/*" {
			t.Errorf("row %v", row)
		}
		for _, secret := range []string{"someone", "Example", "surname", "3f2504e0", "en_US", "Safari"} {
			if strings.Contains(string(records[0].Row), secret) {
				t.Errorf("the row holds %q: %s", secret, records[0].Row)
			}
		}
		columns := map[string]bool{}
		for _, c := range event.RejectedColumns() {
			columns[c.Name] = true
		}
		for name := range row {
			if !columns[name] {
				t.Errorf("no column %s", name)
			}
		}
		d.Close()
	})
}

func TestRejectedOnlyWithAValidToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDoor(t)
		bad := blob(map[string]any{"language": 5})
		d.do(d.request(`{"data":` + bad + `}`))
		d.do(d.request(`{"data":` + bad + `,"csrf":"wrong"}`))
		d.do(d.request(`{"csrf":"wrong","data":[{]}`))
		synctest.Wait()
		if n := len(d.log.records(t, event.DatasetRejected)); n != 0 || len(d.Stats().Refused) != 0 {
			t.Errorf("%d records without a token", n)
		}
		d.do(d.request(`{"csrf":"` + d.token + `","data":[{]}`))
		synctest.Wait()
		if r := d.log.records(t, event.DatasetRejected); len(r) != 1 || !strings.Contains(string(r[0].Row), `"code":"syntax"`) {
			t.Errorf("%d records of malformed JSON", len(r))
		}
		d.Close()
	})
}

// TestNothingOfAMalformedRequest has a valid event before bytes that are no JSON.
func TestNothingOfAMalformedRequest(t *testing.T) {
	d := openDoor(t)
	if w := d.post("[" + blob(nil) + ",{]"); w.Code != 400 {
		t.Error("status", w.Code)
	}
	d.Close()
	if n := len(d.log.records(t, event.DatasetRaw)); n != 0 {
		t.Errorf("%d events stored", n)
	}
}

func TestRejectedIsBounded(t *testing.T) {
	now := noon
	d := openDoor(t, func(s *intake.Server) { s.Now = func() time.Time { return now } })
	d.post("[" + strings.Repeat("{},", 59) + "{}]")
	stats := d.Stats()
	if stats.RejectedRecorded != 50 || stats.RejectedUnrecorded != 10 || stats.Refused[event.CodeRequired] != 60 {
		t.Errorf("got %+v", stats)
	}
	now = now.Add(time.Second)
	d.post("{}")
	if got := d.Stats().RejectedRecorded; got != 51 {
		t.Errorf("a second later: %d recorded", got)
	}
}
