package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

const unusedKPIs = `
segments:
  browser: {field: user_agent.browser}
flows:
  sign_in: {steps: [opened: screen.rp_info, signed_in: assertion_generated]}
kpis:
  rate: {conversion: sign_in, better: more, smallest: 2 %}
`

// What no KPI, segment or read has touched is told with what to do; a read counts for all that it gave, and what is not known is said.
func TestUnused(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "data: data\nkpi: kpi.yaml\nstreams: {app: {schema: /app/session, unit: app_install}}", "kpi.yaml": unusedKPIs,
		"schemas/session.yaml": appSchema, "allowlist.yaml": "app: {dt: {floor: 1h}, app_install: hash, screens: keep}"})
	historyUntil(t, 2, time.Now().Add(-2*time.Hour))
	for _, args := range []string{"salt rotate", "sanitize"} {
		if _, stderr, code := brine(t, strings.Fields(args)...); code != exitOK {
			t.Fatal(args, stderr)
		}
	}
	unused := func() map[string]unusedStream {
		t.Helper()
		stdout, stderr, code := brine(t, "status", "--unused", "--json")
		var r unusedReport
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK {
			t.Fatal(err, code, stdout, stderr)
		}
		if r.Audit == nil || !strings.Contains(strings.Join(r.Unknown, "\n"), "the audit goes back no further") {
			t.Errorf("a new audit knows of all reads of 90 days: %+v", r.Unknown)
		}
		all := map[string]unusedStream{}
		for _, s := range r.Streams {
			all[s.Stream] = s
		}
		return all
	}
	fields := func(s unusedStream) (names []string) {
		for _, f := range s.Fields {
			names = append(names, f.Field)
		}
		return names
	}

	all := unused()
	in, app := all["interaction"], all["app"]
	for name, want := range map[string]bool{"language": true, "number_emails": true, "screen_size.height": true, "user_agent.os": true, "event_stream.duration_ms": true, "experiments": true,
		"user_agent.browser": false, "timestamp": false, "id": false, "event_stream": false, "event_stream.name": false, "sample_rate": false, "user_agent": false, "experiments.*": false} {
		if slices.Contains(fields(in), name) != want {
			t.Errorf("%s is unused: %t, of %v", name, !want, fields(in))
		}
	}
	for _, f := range in.Fields {
		switch f.Field {
		case "language":
			if f.Kept != "keep" || f.Proposal != "take interaction.language off the allowlist, and have the page leave it out of what it sends" {
				t.Errorf("%+v", f)
			}
		case "screen_size.height":
			if f.Kept != "" || f.Proposal != "have the page leave it out of what it sends" {
				t.Errorf("%+v", f)
			}
		}
	}
	events := func(s unusedStream) (names []string) {
		for _, e := range s.Events {
			names = append(names, e.Event)
		}
		return names
	}
	if names := events(in); !slices.Contains(names, "authenticate.password_submitted") || slices.Contains(names, "screen.rp_info") || slices.Contains(names, "assertion_generated") {
		t.Error(names)
	}
	if !slices.Contains(fields(app), "screens") || slices.Contains(fields(app), "app_install") || slices.Contains(fields(app), "dt") || !strings.Contains(app.Proposal, "streams.app: sample_rate: 0") {
		t.Errorf("%+v", app)
	}
	text, _, _ := brine(t, "status", "--unused")
	for _, says := range []string{"field language (keep): take interaction.language off the allowlist", "    authenticate.password_submitted\n", "nothing of it is used: stop collecting it", "What this cannot know:"} {
		if !strings.Contains(text, says) {
			t.Errorf("it does not say %q:\n%s", says, text)
		}
	}

	if _, stderr, code := brine(t, "risk", "--stream", "interaction"); code != exitOK {
		t.Fatal(stderr)
	}
	if in := unused()["interaction"]; len(in.Reads) > 0 || !slices.Contains(fields(in), "language") {
		t.Errorf("to measure the risk is no use: %+v", in)
	}
	if _, stderr, code := brine(t, "read", "interaction"); code != exitOK {
		t.Fatal(stderr)
	}
	in = unused()["interaction"]
	if names := fields(in); slices.Contains(names, "language") || !slices.Contains(names, "screen_size.height") || len(in.Events) > 0 || len(in.Reads) != 1 || in.Reads[0].Reads != 1 {
		t.Errorf("after a read of sanitized: %v %+v", names, in.Reads)
	}
	for _, stream := range []string{"interaction", "app"} {
		if _, stderr, code := brine(t, "read", stream, "--dataset", "raw", "--purpose", "to see"); code != exitOK {
			t.Fatal(stderr)
		}
	}
	all = unused()
	if n := len(all["interaction"].Fields) + len(all["app"].Fields); n > 0 || all["app"].Proposal != "" {
		t.Errorf("after a read of raw: %+v", all)
	}
	if log, _, _ := brine(t, "audit"); !strings.Contains(log, "brine status --unused") {
		t.Error(log)
	}
}
