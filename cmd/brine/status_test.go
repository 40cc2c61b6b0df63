package main

import (
	"encoding/json"
	"testing"
	"time"

	"brine/access"
	"brine/intake"
	"brine/lake"
)

// Below analyst a status has rows in steps of the least cell, and nothing else that could be counted.
func TestStatusBelowAnalyst(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	st := status{Serving: true, Ready: true, CompleteTo: &at, Waiting: 3, Door: &intake.Snapshot{Stored: 1237}, Held: []lake.Summary{
		{Dataset: "raw", Stream: "interaction", Files: 7, Rows: 1237, Bytes: 4711, Oldest: 1, Newest: 2}, {Dataset: "raw", Stream: "rare", Files: 1, Rows: 9}}}
	seen := func(roles access.Role) string {
		text, err := json.Marshal(st.by(access.CellOf(access.RolesOf(roles), 10)))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	want := `{"serving":true,"ready":true,"complete_to":"2026-11-25T12:00:00Z","held":[{"dataset":"raw","stream":"interaction","rows":1230}]}`
	if got := seen(access.Viewer); got != want {
		t.Errorf("a viewer sees %s", got)
	}
	whole, _ := json.Marshal(st)
	if got := seen(access.Analyst); got != string(whole) {
		t.Errorf("an analyst sees %s", got)
	}
}
