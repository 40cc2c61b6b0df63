package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

const appSchema = `
$schema: http://json-schema.org/draft-07/schema#
$id: /app/session/1.0.0
title: app/session
type: object
properties:
  $schema: {type: string}
  dt: {type: string, format: date-time}
  screens: {type: integer}
  app_install: {type: string}
  is_new: {type: boolean}
  client_ip: {type: string}
`

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		code  int
		says  string
	}{
		{"NoFile", nil, exitOK, "config ok: 1 stream, 1 schema\n"},
		{"OK", map[string]string{
			"brine.yaml":           "streams: {app: {schema: /app/session}}",
			"schemas/session.yaml": appSchema,
		}, exitOK, "config ok: 2 streams, 2 schemas\n"},
		{"Key", map[string]string{
			"brine.yaml": "\npublic: {adr: x}",
		}, exitFailed, "brine.yaml:2: public.adr: unknown key (did you mean addr?)\n"},
		{"NoSuchSchema", map[string]string{
			"brine.yaml":           "streams:\n  app: {schema: /ap/session}",
			"schemas/session.yaml": appSchema,
		}, exitFailed, "brine.yaml:2: streams.app.schema: no schema /ap/session in schemas (did you mean /app/session?)\n"},
		{"NoSuchTime", map[string]string{
			"brine.yaml":           "streams:\n  app: {schema: /app/session, time: at}",
			"schemas/session.yaml": appSchema,
		}, exitFailed, "brine.yaml:2: streams.app.time: at: no field that holds a time: an integer (ms since the epoch) or a string (date-time) was expected (did you mean dt?)\n"},
		{"NoSuchUnit", map[string]string{
			"brine.yaml":           "streams:\n  app:\n    schema: /app/session\n    unit: app_instal",
			"schemas/session.yaml": appSchema,
		}, exitFailed, "brine.yaml:4: streams.app.unit: app_instal: no schema of this stream has it (did you mean app_install?)\n"},
		{"UnitOfAnotherType", map[string]string{
			"brine.yaml":           "streams:\n  app: {schema: /app/session, unit: is_new}",
			"schemas/session.yaml": appSchema,
		}, exitFailed, "brine.yaml:2: streams.app.unit: is_new: a unit is a string or an integer, and this is a field of the type boolean (name the field"},
		{"KeepsWhatIsNotThere", map[string]string{
			"brine.yaml":           "streams:\n  app: {schema: /app/session, keep_fields: [client_tips, client_ip, remote_addr]}",
			"schemas/session.yaml": appSchema,
		}, exitFailed, "brine.yaml:2: streams.app.keep_fields: client_tips: not a field that is removed on receipt, so it is kept anyway (take it off the list)\n"},
		{"KeepsWhatNoSchemaHas", map[string]string{
			"brine.yaml":           "streams:\n  app: {schema: /app/session, keep_fields: [clientip]}",
			"schemas/session.yaml": appSchema,
		}, exitFailed, "brine.yaml:2: streams.app.keep_fields: clientip: no schema of this stream has such a field (did you mean client_ip?)\n"},
		{"SchemaText", map[string]string{
			"schemas/session.yaml": "$schema: [",
		}, exitFailed, "schemas/session.yaml:1: "},
		{"KPIsOK", map[string]string{"brine.yaml": "kpi: k.yaml", "k.yaml": "kpis: {all: {count: all, better: more, smallest: 10}}"}, exitOK, "config ok: 1 stream, 1 schema\n"},
		{"NoSuchFlow", map[string]string{
			"kpi.yaml": "flows: {sign_in: {steps: [a: screen.a, b: screen.b]}}\nkpis:\n  rate: {conversion: sgn_in, better: more, smallest: 2 %}",
		}, exitFailed, "kpi.yaml:3: kpis.rate.conversion: no flow is called \"sgn_in\" (did you mean sign_in?)\n"},
		{"DroppedEvent", map[string]string{
			"kpi.yaml":       "kpis: {errors: {share: screen.error, better: less, smallest: 1 %}}",
			"allowlist.yaml": "interaction: {timestamp: keep, sample_rate: keep, event_stream: {only: [screen.errors]}}",
		}, exitFailed, "kpi.yaml:1: kpis.errors.share: the allowlist drops the events screen.error (did you mean screen.errors?)\n"},
		{"NothingKeptAndNoKPIs", map[string]string{"allowlist.yaml": "interaction: drop"}, exitOK, "config ok: 1 stream, 1 schema\n"},
		{"NoSuchKPIFile", map[string]string{"brine.yaml": "kpi: k.yaml"}, exitFailed, "brine.yaml:1: kpi: no file k.yaml (write it, or leave the key out)\n"},
		{"ConfigAndSchemas", map[string]string{
			"brine.yaml":    "data: ''\nflush: {every: 0}",
			"schemas/a.yml": "type: object", "schemas/b.json": "{\n]",
		}, exitFailed, "brine.yaml:1: data: must name a folder (like ./data)\n" +
			"brine.yaml:2: flush.every: expected 10ms to 10m0s (5s is the default)\n" +
			"schemas/a.yml: $schema is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inFolder(t, c.files)
			stdout, stderr, code := brine(t, "check")
			if code != c.code || !strings.HasPrefix(stdout, c.says) || stderr != "" {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}

func TestCheckNoSuchFile(t *testing.T) {
	inFolder(t, nil)
	stdout, stderr, code := brine(t, "check", "--config", "nowhere.yaml")
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "nowhere.yaml: no such file") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// withoutSalts cuts off what differs from machine to machine.
var withoutSalts = regexp.MustCompile(`,"salts":\{.*\}\}\}$`)

func TestCheckJSON(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "\ndata: ''"})
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"check", "--json"}, `{"ok":false,"streams":0,"schemas":0,"mistakes":[{"file":"brine.yaml","line":2,"path":"data","what":"must name a folder","fix":"like ./data"}]}`},
		{[]string{"check", "--json", "--config", "/dev/null"}, `{"ok":true,"streams":1,"schemas":1,"mistakes":[],"warnings":[` +
			`{"file":"/dev/null","path":"policy.contact","what":"empty: the policy page cannot say where people may ask","fix":"a mail, web or postal address"},` +
			`{"file":"/dev/null","path":"policy.operator","what":"empty: the policy page cannot say who is responsible","fix":"the name of whoever runs this"}]}`},
	} {
		stdout, _, _ := brine(t, c.args...)
		if got := withoutSalts.ReplaceAllString(strings.TrimSpace(stdout), "}"); got != c.want || !json.Valid([]byte(got)) {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
}
