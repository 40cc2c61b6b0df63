package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"brine/access"
	"brine/docs"
	"brine/event"
	"brine/intake"
	"brine/lake"
	"brine/simulate"
)

// What the private door says of a status is as docs/openapi.yaml has it, whole and below analyst.
func TestStatusIsAsDescribed(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(docs.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	h := mustOpenHouse(t)
	in := bytes.NewReader(append(simulate.NewSource(1).AppendInteraction(nil, time.Now()), '\n'))
	if _, err := importEvents(t.Context(), h.lake, h.streams[event.Interaction], in, h.data.tmp(), oldestImport(h.cfg)); err != nil {
		t.Fatal(err)
	}
	st := h.status(t.Context())
	st.Published = &totalsStatus{Days: 1, Last: "2026-12-01", Spent: 1, All: 2, Stopped: "spent"}
	for schema, seen := range map[string]any{"Status": st.by(1), "Figures": st.by(10)} {
		text, err := json.Marshal(seen)
		if err != nil {
			t.Fatal(err)
		}
		var body any
		if err := json.Unmarshal(text, &body); err != nil {
			t.Fatal(err)
		}
		if err := doc.ValidateSchemaJSON(doc.Components.Schemas[schema].Value, body); err != nil {
			t.Errorf("%s: %v\n%s", schema, err, text)
		}
	}
}

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
