package cluster

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"brine/eventlog"
)

// What any node has acknowledged, the leader reads back in order, and trims and deletes on all of them.
func TestAppendReadTrim(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.startAll()
	leader := s.lead("b", 1)
	began := time.Now()
	var want []string
	for i := range 20 {
		for _, name := range []string{"a", "b", "c"} {
			group := fmt.Sprint(name, i)
			s.append(s.logs[name], group)
			want = append(want, group)
		}
	}
	t.Logf("60 appends took %s", time.Since(began))
	if got := groups(t, leader); !slices.Equal(got, want) {
		t.Fatalf("read %q, want %q", got, want)
	}
	for _, l := range s.logs {
		must(t, l.Err())
		if len(l.Disagreements()) > 0 {
			t.Errorf("the nodes do not agree: %q", l.Disagreements())
		}
	}
	info := leader.Logs()[0]
	if info.First != 1 || info.Last != 61 {
		t.Errorf("the log is %+v, want a mark and 60 groups", info)
	}
	must(t, leader.Trim(t.Context(), info.Name, 31))
	if got := groups(t, leader); !slices.Equal(got, want[30:]) {
		t.Errorf("after the trim: %q", got)
	}
	must(t, leader.Turn(t.Context()))
	s.append(s.logs["a"], "new")
	r := newReader()
	r.committed[info.Name] = 31
	r.drain(t, leader)
	r.check(t, append(want[30:], "new"))
	if logs := leader.Logs(); logs[0].Name == info.Name {
		t.Errorf("the old log is still there: %+v", logs)
	}
	for _, name := range []string{"a", "b", "c"} {
		eventually(t, 10*time.Second, name+" has no file of the old log", func() bool {
			return len(filesOf(t, s.options(name).Dir, info.Name)) == 0
		})
	}
}

// What is left in the log of a single node comes into the cluster that it grows to.
func TestTakeIn(t *testing.T) {
	t.Parallel()
	single, err := eventlog.Open(t.Context(), eventlog.Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	defer single.Close()
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprint("group", i))
		must(t, single.Append(t.Context(), []byte(want[i])))
	}
	must(t, single.Trim(t.Context(), single.Logs()[0].Name, 11)) // a mark and ten groups are flushed
	s := newSite(t, "a", "b", "c")
	s.startAll()
	if _, err := s.logs["b"].TakeIn(t.Context(), single); err == nil {
		t.Error("groups were taken in before there was a log")
	}
	leader := s.lead("a", 1)
	eventually(t, 10*time.Second, "b knows the log", func() bool { return s.logs["b"].Err() == nil })
	for range 2 { // the second time after a crash, say
		n, err := s.logs["b"].TakeIn(t.Context(), single)
		must(t, err)
		if n != 20 {
			t.Errorf("%d groups taken in, want 20", n)
		}
	}
	if got := groups(t, leader); !slices.Equal(got, want[10:]) {
		t.Errorf("read %q, want %q", got, want[10:])
	}
}

// filesOf are the files and folders of a stream, below its own folder.
func filesOf(t *testing.T, dir, stream string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "jetstream", "*", "streams", stream))
	must(t, err)
	return found
}
