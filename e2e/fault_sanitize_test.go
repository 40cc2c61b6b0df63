package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Killed at random while sanitizing, by itself and beside a brine that serves: each hour
// is sanitized whole or not at all, and the next run does the rest.
func TestSanitizeKilled(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := newBrine(t)
	b.importClosed(4)
	raw := b.rowsByHour("raw")
	b.killRounds(func(round int) []string {
		if round == jobRounds(t)/2 { // all is to be made anew
			b.allow("interaction: {timestamp: keep, event_stream: keep, language: keep}")
		}
		return []string{"sanitize", "--stale"}
	}, func() {
		for hour, rows := range b.rowsByHour("sanitized") {
			if rows != raw[hour] {
				t.Fatalf("%s has %d rows of %d", hour, rows, raw[hour])
			}
		}
	})
	b.mustRun("sanitize", "--stale")
	if got := b.rowsByHour("sanitized"); len(got) != len(raw) {
		t.Errorf("%d hours are sanitized of %d", len(got), len(raw))
	}
	b.wantAllSanitized()
}

// Killed at random while tightening: no row is lost, and in the end what is no longer permitted is gone.
func TestTightenKilled(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := newBrine(t)
	b.importClosed(4)
	b.mustRun("sanitize")
	raw := b.rowsByHour("raw")
	fields := []string{"timestamp: keep", "event_stream: keep", "language: keep", "release: keep", "dialog: keep", "new_account: keep", "email_type: keep"}
	b.killRounds(func(round int) []string {
		keep := fields[:max(2, len(fields)-round*len(fields)/jobRounds(t))]
		b.allow("interaction: {" + strings.Join(keep, ", ") + "}")
		return []string{"sanitize", "--tighten"}
	}, func() {
		got := b.rowsByHour("sanitized")
		for hour, rows := range raw {
			if got[hour] != rows {
				t.Fatalf("%s has %d rows of %d", hour, got[hour], rows)
			}
		}
	})
	b.allow("interaction: {timestamp: keep, event_stream: keep}")
	b.mustRun("sanitize", "--tighten")
	out, _, code := b.command(nil, "read", "interaction")
	if code != 0 || strings.Contains(out, `"language"`) || strings.Contains(out, `"release"`) {
		t.Errorf("exit code %d; a field that was taken off the list is still read", code)
	}
	b.mustRun("sanitize", "--stale") // the first list kept less of event_stream
	b.wantAllSanitized()
}

// importClosed imports some days, of which every hour is closed.
func (b *brine) importClosed(days int) {
	b.tb.Helper()
	end := time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)
	out, stderr, code := runBrine(b.tb, nil, "simulate", fmt.Sprintf("--days=%d", days), "--per-day=100", "--seed=7", "--end", end)
	if code != 0 {
		b.tb.Fatalf("exit code %d\n%s", code, stderr)
	}
	lines := strings.SplitAfter(strings.TrimSpace(out), "\n")
	b.importHistory(lines, len(lines), 0)
}

// killRounds starts a command again and again, kills it at a random moment, and looks. Every fourth
// round it works through a brine that serves, which is killed instead.
func (b *brine) killRounds(command func(round int) []string, look func()) {
	b.tb.Helper()
	interrupted := 0
	for round := range jobRounds(b.tb) {
		killed := exec.Command(binary, append(command(round), "--config", b.config)...)
		serves := round%4 == 3
		if serves {
			b.start()
		}
		if err := killed.Start(); err != nil {
			b.tb.Fatal(err)
		}
		<-time.After(50*time.Millisecond + rand.N(700*time.Millisecond))
		if serves {
			b.kill()
		} else {
			killed.Process.Kill()
		}
		if killed.Wait() != nil {
			interrupted++
		}
		look()
	}
	b.tb.Logf("%d of %d runs were cut off", interrupted, jobRounds(b.tb))
}

// allow writes the allowlist.
func (b *brine) allow(text string) {
	b.tb.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(b.config), "allowlist.yaml"), []byte(text+"\n"), 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

func (b *brine) mustRun(args ...string) {
	b.tb.Helper()
	if out, stderr, code := b.command(nil, args...); code != 0 {
		b.tb.Fatalf("%v: exit code %d\n%s%s", args, code, out, stderr)
	}
}

// rowsByHour counts the interactions of a dataset, with nobody serving.
func (b *brine) rowsByHour(dataset string) map[string]int {
	b.tb.Helper()
	out, stderr, code := b.command(nil, "read", "interaction", "--dataset", dataset, "--purpose", "a test")
	if code != 0 || strings.Contains(stderr, "left out") {
		b.tb.Fatalf("exit code %d\n%s", code, stderr)
	}
	hours := map[string]int{}
	for line := range strings.Lines(out) {
		var e struct{ Timestamp int64 }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			b.tb.Fatal(err)
		}
		hours[time.UnixMilli(e.Timestamp).UTC().Format("2006-01-02T15Z")]++
	}
	return hours
}

// wantAllSanitized wants no hour to wait, to be stale, or to be left out.
func (b *brine) wantAllSanitized() {
	b.tb.Helper()
	out, _, code := b.command(nil, "sanitize", "--stale", "--dry-run", "--json")
	var todo struct{ Hours []any }
	if err := json.Unmarshal([]byte(out), &todo); err != nil || code != 0 || len(todo.Hours) > 0 {
		b.tb.Errorf("exit code %d, %v; still to be done: %d hours", code, err, len(todo.Hours))
	}
}
