package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Killed at random during a purge, by itself and beside a brine that serves: what is not
// due is there once, nothing is left out, and the next purge takes the rest. The process has
// the clock of a time when the oldest of 8 days come due, one round after the other.
func TestPurgeKilled(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := newBrine(t)
	const raw, days = 90 * 24 * time.Hour, 8
	lines := history(t, days)
	b.importHistory(lines, len(lines), 0)
	all := b.readAtRest()
	var now time.Time
	interrupted := 0
	for round := range jobRounds(t) {
		now = time.Now().Add(raw - days*24*time.Hour + time.Duration(round+1)*days*24*time.Hour/time.Duration(jobRounds(t)+2))
		killed := exec.Command(binary, "purge", "--yes", "--config", b.config, "--now", now.UTC().Format(time.RFC3339))
		serves := round%4 == 1
		if serves {
			b.start()
		}
		files := len(b.lakeFiles())
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- killed.Wait() }()
		if round%4 < 3 {
			b.eventually(time.Minute, "the purge has begun to drop, or is over", func() bool {
				return len(ended) > 0 || len(b.lakeFiles()) < files
			})
			<-time.After(rand.N(20 * time.Millisecond))
		} else {
			<-time.After(rand.N(time.Second))
		}
		if serves {
			b.kill()
		} else {
			killed.Process.Kill()
		}
		if <-ended != nil {
			interrupted++
		}
		b.wantSince(all, b.readAtRest(), now.Add(-raw), false)
	}
	t.Logf("%d of %d purges were cut off", interrupted, jobRounds(t))
	if out, errs, code := b.command(nil, "purge", "--yes", "--now", now.UTC().Format(time.RFC3339)); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	left := b.readAtRest()
	b.wantSince(all, left, now.Add(-raw), true)
	b.start()
	if n := len(b.readAll("interaction")); n != len(left) {
		t.Errorf("%d events are served of %d", n, len(left))
	}
	if faults := b.status().LeftOut; len(faults) > 0 {
		t.Errorf("left out: %v", faults)
	}
}

// history is one of the last days, in most of whose hours something happened.
func history(t *testing.T, days int) []string {
	t.Helper()
	out, stderr, code := runBrine(t, nil, "simulate", fmt.Sprintf("--days=%d", days), "--per-day=100", "--seed=7")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	return strings.SplitAfter(strings.TrimSpace(out), "\n")
}

// readAtRest gives the time of each interaction in the data folder, with nobody serving from it.
func (b *brine) readAtRest() map[string]time.Time {
	b.tb.Helper()
	out, stderr, code := b.command(nil, "read", "interaction", "--dataset", "raw", "--purpose", "a test")
	if code != 0 || strings.Contains(stderr, "left out") {
		b.tb.Fatalf("exit code %d\n%s", code, stderr)
	}
	times := map[string]time.Time{}
	for line := range strings.Lines(out) {
		var e struct {
			ID        string
			Timestamp int64
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			b.tb.Fatal(err)
		}
		if _, twice := times[e.ID]; twice {
			b.tb.Fatal("an event is there twice")
		}
		times[e.ID] = time.UnixMilli(e.Timestamp)
	}
	return times
}

// wantSince wants all events of the hours that begin after a time to be left, and where it is done no others.
func (b *brine) wantSince(all, left map[string]time.Time, after time.Time, done bool) {
	b.tb.Helper()
	lost, stay := 0, 0
	for id, at := range all {
		_, there := left[id]
		switch kept := at.Truncate(time.Hour).After(after); {
		case kept && !there:
			lost++
		case !kept && there:
			stay++
		}
	}
	if lost > 0 || done && stay > 0 {
		b.tb.Fatalf("%d events were lost that are not due, %d are left that are, of %d", lost, stay, len(all))
	}
}

// A brine that serves purges by itself, and the command asks it; the dry run drops nothing.
func TestPurgeBesideServe(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := newBrine(t)
	history := history(t, 12)
	b.importHistory(history, len(history), 0)
	b.configure("retention: {raw: {max_age: 7d}, rejected: {max_age: 1d}}")
	b.start()
	b.eventually(30*time.Second, "the guard stops what a new limit would drop at once", func() bool {
		return strings.Contains(b.output(), "stopped by the guard")
	})
	if n := len(b.readAll("interaction")); n != len(history) {
		t.Fatalf("%d events are left of %d", n, len(history))
	}
	if out, errs, code := b.command(nil, "purge"); code != 1 || !strings.Contains(out, "stopped by the guard") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	dry, _, code := b.command(nil, "purge", "--yes", "--dry-run", "--json")
	if n := len(b.readAll("interaction")); code != 0 || n != len(history) {
		t.Fatalf("after a dry run %d events are left of %d", n, len(history))
	}
	done, _, code := b.command(nil, "purge", "--yes", "--json")
	var would, did struct {
		DryRun  bool `json:"dry_run"`
		Dropped []struct{ Hours, Files, Bytes int }
		Receipt string
	}
	if json.Unmarshal([]byte(dry), &would) != nil || json.Unmarshal([]byte(done), &did) != nil || code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, dry, done)
	}
	if len(did.Dropped) != 1 || len(would.Dropped) != 1 || did.Dropped[0] != would.Dropped[0] || did.DryRun || !would.DryRun || did.Receipt == "" {
		t.Errorf("a dry run\n%sthe purge\n%s", dry, done)
	}
	for _, e := range b.readAll("interaction") {
		var ms int64
		if err := json.Unmarshal(e["timestamp"], &ms); err != nil || time.UnixMilli(ms).Before(time.Now().Add(-7*24*time.Hour)) {
			t.Fatalf("an event of %d is left, %v", ms, err)
		}
	}
	b.stop()
	b.configure("retention: {raw: {max_age: 6d}}")
	b.start()
	b.eventually(30*time.Second, "the server purges the day by itself", func() bool { return strings.Contains(b.output(), "purged") })
}
