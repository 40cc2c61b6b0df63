package main

import (
	"errors"
	"strings"
	"testing"

	"brine/access/audit"
	"brine/config"
)

// recordedConfig are the outcome and note of what is recorded, the oldest first.
func recordedConfig(t *testing.T, log *audit.Log, action audit.Action) (all []string) {
	t.Helper()
	for e, err := range log.Read(t.Context(), audit.Filter{Action: action}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append([]string{e.Outcome + ": " + e.Note}, all...)
	}
	return all
}

// The audit says which keys of the config changed, also between two starts, and that the file is broken, each once.
func TestConfigChangesAreRecorded(t *testing.T) {
	log, err := openAudit(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	start := cfg.Digests()
	c := &configRecorder{record: recorderTo(log), seen: start}
	cfg.Sampling = map[string]float64{"interaction": 0.5}
	cfg.Retention.Guard = 0.5
	next := cfg.Digests()
	errs := []error{
		recordStart(t.Context(), log, start),
		c.changed(start, nil, nil), // for nothing
		c.cannotRead(), c.cannotRead(),
		c.changed(start, nil, nil),
		c.changed(next, []string{"retention"}, nil),
		c.changed(next, []string{"retention"}, nil),
		c.changed(start, nil, errors.New("the disk is full")),
		recordStart(t.Context(), log, start),
		recordStart(t.Context(), log, next),
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	checkLines(t, recordedConfig(t, log, audit.Config), []string{
		"failed: the config file is broken or gone: the one before stays in force",
		"ok: changed: nothing, the file can be read again",
		"ok: changed: retention, sampling; waiting for a restart: retention",
		"failed: changed: retention, sampling; the sample rates, the allowlist or the KPIs are not in force: see the log",
	})
	serves := "ok: Brine " + version + " serves"
	checkLines(t, recordedConfig(t, log, audit.Start), []string{serves, serves, serves + "; changed in the config since the start before: retention, sampling"})
}

// A start looks back so far and no further, and says that it did not find the one before.
func TestLookBackIsBounded(t *testing.T) {
	log, err := openAudit(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	start := config.Default().Digests()
	if err := recordStart(t.Context(), log, start); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := log.Append(audit.Record{Action: audit.Login, Who: "ada"}); err != nil {
			t.Fatal(err)
		}
	}
	for most, found := range map[int]bool{3: false, 4: true} {
		if digests, all, err := lastDigests(t.Context(), log, most); err != nil || all != found || found != (len(digests) == len(start)) {
			t.Errorf("within %d entries: %d digests, all %t, %v", most, len(digests), all, err)
		}
	}
}

func checkLines(t *testing.T, got, want []string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("recorded is\n%s\nwant\n%s", g, w)
	}
}
