package main

import (
	"encoding/json"
	"strings"
	"testing"

	"brine/policy"
)

// undescribedSchema has a field of each kind: described, half, and not at all.
const undescribedSchema = appSchema + `  half: {type: string, description: What half is.}
  whole: {type: string, description: What whole is., x-purpose: to have one}
  nothing: {type: object, properties: {below: {type: string}}}
`

func TestCheckOfThePolicy(t *testing.T) {
	const who = "policy: {operator: Example, contact: privacy@example.org}\n"
	for _, c := range []struct {
		name, config, says string
		code               int
	}{
		{"Who", "policy: {operator: Example}", "warning: brine.yaml:1: policy.contact: empty: the policy page cannot say where people may ask", exitOK},
		{"OK", who + "streams: {app: {schema: /app/session, purpose: to see, descriptions: {dt: when, $schema: which, screens: how many, app_install: who, is_new: whether, client_ip: where, nothing.below: what}}}",
			"config ok: 2 streams, 2 schemas\n", exitOK},
		{"NoWords", who + "streams:\n  app: {schema: /app/session, purpose: to see, descriptions: {dt: when, $schema: which, screens: how many, app_install: who, is_new: whether, client_ip: where}}",
			"warning: brine.yaml:3: streams.app: nothing.below has no description, and the policy says so", exitOK},
		{"NoPurpose", who + "streams:\n  app: {schema: /app/session, descriptions: {dt: when, $schema: which, screens: how many, app_install: who, is_new: whether, client_ip: where, nothing.below: what}}",
			"warning: brine.yaml:3: streams.app.purpose: empty, and 7 of the fields have no purpose of their own: the policy says so (say what the stream is for)", exitOK},
		{"NoSuchField", who + "streams:\n  app:\n    schema: /app/session\n    descriptions:\n      dt: when\n      screen: how many",
			"brine.yaml:7: streams.app.descriptions.screen: no schema of this stream has this field (did you mean screens?)\n", exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			inFolder(t, map[string]string{"brine.yaml": c.config, "schemas/session.yaml": undescribedSchema, "allowlist.yaml": "app: drop"})
			stdout, stderr, code := brine(t, "check")
			if code != c.code || !strings.Contains(stdout, c.says) || stderr != "" {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if c.name == "OK" && strings.Contains(stdout, "warning") {
				t.Error(stdout)
			}
		})
	}
}

// What the built-in stream and the allowlist cannot go without is a mistake, the rest a warning.
func TestUndescribedIsAMistake(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "streams: {app: {schema: /app/session}}", "schemas/session.yaml": undescribedSchema})
	cfg, registry, err := load("brine.yaml")
	if err != nil {
		t.Fatal(err)
	}
	streams, err := openStreams(cfg, registry)
	if err != nil {
		t.Fatal(err)
	}
	p := policyOf(cfg, streams)
	if mistakes, warnings := undescribed(cfg, p); len(mistakes) != 0 || len(warnings) == 0 {
		t.Errorf("nothing is kept: %v, %v", mistakes, warnings)
	}
	p.Apply([]policy.Rule{{Stream: "app", Field: "screens", Name: "keep"}, {Stream: "app", Field: "half", Name: "keep"}})
	mistakes, _ := undescribed(cfg, p)
	for _, want := range []string{
		"brine.yaml:1: streams.app: screens has no description and purpose, and the allowlist keeps it",
		"brine.yaml:1: streams.app.purpose: empty, and 1 of the fields that the allowlist keeps have no purpose of their own (say what the stream is for)",
	} {
		if len(mistakes) != 2 || !strings.Contains(mistakes.Error(), want) {
			t.Errorf("%v, want %s", mistakes, want)
		}
	}
	p.Streams = p.Streams[:1]
	p.Streams[0].Fields[3].Purpose = "" // of interaction, which has all
	if mistakes, _ := undescribed(cfg, p); len(mistakes) != 1 || !strings.Contains(mistakes.Error(), p.Streams[0].Fields[3].Path+" has no purpose") {
		t.Error(mistakes)
	}
}

func TestPolicyCommand(t *testing.T) {
	inFolder(t, map[string]string{
		"old.yaml":   "policy: {operator: Example Foundation}\nsampling: {interaction: 0.1}",
		"brine.yaml": "policy: {operator: Example Foundation}\nopt_out: {dnt: false}\nconsent: opt-in",
		"bad.yaml":   "polici: {}",
		"less.yaml":  "policy: {operator: Example Foundation}\nopt_out: {dnt: false}\nconsent: opt-in\nallowlist: list.yaml",
		"list.yaml":  "interaction: {language: keep}",
		"worse.yaml": "allowlist: typo.yaml",
		"typo.yaml":  "interaction: {languag: keep}",
	})
	for _, c := range []struct {
		line string
		code int
		says []string
	}{
		{"policy", exitOK, []string{"# What is collected here", "- Example Foundation runs this collection", "| language | The language that the dialog was shown in",
			"Do Not Track (DNT) does not count here", "You take part only if you say yes"}},
		{"policy", exitOK, []string{"- A reduced copy of records is made", "| only in which range it lies, of those that begin at 0; 1; 2; 3; 5; 10 |", "for 90 days, and then deleted."}},
		{"policy --config less.yaml --diff brine.yaml", exitOK, []string{"  before: dialog: ", "; In the reduced copy: kept as it is)\n  after: dialog: ", "; In the reduced copy: nothing)\n"}},
		{"policy --config worse.yaml", exitFailed, []string{"typo.yaml:1: interaction.languag: no schema of this stream has it (did you mean language?)"}},
		{"policy --lang de", exitOK, []string{"# Was hier erhoben wird", "| language | Die Sprache, in der der Dialog gezeigt wurde"}},
		{"policy --html", exitOK, []string{"<!doctype html>", "Example Foundation"}},
		{"policy --diff old.yaml", exitOK, []string{"What would change for people\n\nUse of a dialog (interaction)\n  before: 10 % of them are recorded",
			"  after: All of them are recorded.\n", "Your choice\n  before: You take part until you say no."}},
		{"policy --diff brine.yaml", exitOK, []string{"Nothing changes for people.\n"}},
		{"policy --diff old.yaml --lang de --json", exitOK, []string{`{"changes":[{"section":"Benutzung eines Dialogs (interaction)","id":"sampling","before":"10 % davon`}},
		{"policy --diff brine.yaml --json", exitOK, []string{`{"changes":[]}`}},
		{"policy --diff bad.yaml", exitFailed, []string{"bad.yaml:1: polici: unknown key (did you mean policy?)"}},
		{"policy --diff nowhere.yaml", exitFailed, []string{"nowhere.yaml: no such file"}},
		{"policy --diff old.yaml --html", exitUsage, []string{"--diff prints text"}},
		{"policy --lang xx", exitUsage, []string{"--lang xx: no such language (there are en, de)"}},
		{"policy --json --html", exitUsage, []string{"can't be used together"}},
	} {
		stdout, stderr, code := brine(t, strings.Fields(c.line)...)
		for _, says := range c.says {
			if !strings.Contains(stdout+stderr, says) {
				t.Errorf("brine %s does not say %q:\n%s%s", c.line, says, stdout, stderr)
			}
		}
		if code != c.code {
			t.Errorf("brine %s: exit code %d", c.line, code)
		}
	}
}

func TestPolicyCommandJSON(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "sampling: {interaction: 0.1}"})
	stdout, _, _ := brine(t, "policy", "--json")
	var got policy.Data
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if s := got.Policy.Streams[0]; s.Name != "interaction" || s.SampleRate != 0.1 || len(s.Fields) < 20 || got.Document.Title == "" {
		t.Errorf("%+v", got)
	}
}
