package e2e

import (
	"testing"
	"time"
)

// Killed at random while facts are made anew, by itself and beside a brine that serves: whenever one looks the figures are those
// of before, and no file is left out.
func TestRebuildKilled(t *testing.T) {
	t.Parallel() // with the other jobs that are killed: it waits more than it works
	b := newBrine(t)
	b.importClosed(4)
	b.mustRun("sanitize")
	day := func(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	from, to := day(-6), day(1)
	figures := func() string {
		t.Helper()
		out, stderr, code := b.command(nil, "kpi", "show", "sign_in", "--by", "browser", "--from", from, "--to", to, "--json")
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
		return out
	}
	want := figures()
	b.killRounds(func(int) []string { return []string{"kpi", "rebuild"} }, func() {
		if got := figures(); got != want {
			t.Fatalf("figures are %s\nwant %s", got, want)
		}
		b.rowsByHour("sanitized") // it tells of files that are left out
	})
	b.mustRun("kpi", "rebuild")
	if got := figures(); got != want {
		t.Errorf("figures are %s\nwant %s", got, want)
	}
}
