package e2e

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"testing"
	"time"

	"brine/access/audit"
	"brine/kpi"
)

// What came in by import is in the figures once its hours are sanitized and facts are made, in each form; who asked is in the audit.
func TestDashboardOfAServingBrine(t *testing.T) {
	b := newBrine(t)
	b.addUser("ana", "analyst")
	token := b.makeToken("ana", "analyst")
	b.start()
	history := simulated(t, 20, 3_000)
	b.importHistory(history, len(history), 0)
	want := 0.0
	for _, line := range history {
		var row struct {
			Rate float64 `json:"sample_rate"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		want += 1 / row.Rate
	}
	var text []byte
	b.eventually(time.Minute, "the figures are there", func() bool {
		res, err := b.read(token, "", "/api/v1/kpi/overview?last=7d&format=json")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ = io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
			t.Fatalf("%s %s", res.Status, text)
		}
		return res.StatusCode == http.StatusOK && math.Abs(interactionsIn(t, text)-want) < 1e-6*want
	})
	res, err := b.read(token, "", "/api/v1/kpi/overview?last=7d&format=csv")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	rows, err := csv.NewReader(res.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, row := range rows {
		if n, err := strconv.ParseFloat(row[5], 64); err == nil && row[0] == "interactions" && row[2] == "day" {
			sum += n
		}
	}
	if math.Abs(sum-want) > 1e-6*want {
		t.Errorf("the CSV has %v interactions, want %v", sum, want)
	}
	if entries := b.entries("--who", "ana", "--action", "read-begin"); len(entries) == 0 || entries[0].Dataset != "facts" || entries[0].State != audit.Ended {
		t.Errorf("the audit says %+v", entries)
	}
}

// interactionsIn are the interactions of all days of an overview.
func interactionsIn(t *testing.T, text []byte) (sum float64) {
	t.Helper()
	var o kpi.Overview
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&o); err != nil {
		t.Fatal(err)
	}
	for _, k := range o.KPIs {
		if k.KPI.Name != "interactions" {
			continue
		}
		for _, d := range k.Days {
			if d.Value != nil {
				sum += *d.Value
			}
		}
	}
	return sum
}
