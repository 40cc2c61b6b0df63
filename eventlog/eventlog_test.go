package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/eventlog/internal/basis"
)

// TestMain lets the tests start this binary again as a process that they can kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv("BRINE_TEST_APPEND"); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

func TestAppendAndRead(t *testing.T) {
	log := mustOpen(t, Options{Dir: t.TempDir()})
	mustAppend(t, log, "one", "two", "three")

	logs := log.Logs()
	if len(logs) != 1 || !basis.IsName(logs[0].Name) || logs[0].First != 1 || logs[0].Last != 4 {
		t.Fatalf("logs: %+v", logs)
	}
	want := []string{"mark", "one", "two", "three"}
	if got := texts(readAll(t, log, logs[0])); !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	entries, err := log.Read(t.Context(), logs[0].Name, 3, 1)
	if err != nil || len(entries) != 1 || entries[0].Seq != 3 || string(entries[0].Group) != "two" {
		t.Errorf("from 3, at most 1 byte: %+v, %v", entries, err)
	}
	entries, err = log.Read(t.Context(), logs[0].Name, 5, 1<<20)
	if err != nil || len(entries) != 0 {
		t.Errorf("from beyond the end: %+v, %v", entries, err)
	}
}

func TestReadErrors(t *testing.T) {
	log := mustOpen(t, Options{Dir: t.TempDir()})
	if _, err := log.Read(t.Context(), "20200101xabcdef", 1, 1); !errors.Is(err, ErrUnknown) {
		t.Errorf("read of an unknown log: %v", err)
	}
}

func TestAppendLargest(t *testing.T) {
	log := mustOpen(t, Options{Dir: t.TempDir(), TailBytes: 1})
	group := bytes.Repeat([]byte("0123456789abcdef"), MaxGroup/16)
	for range 3 {
		if err := log.Append(t.Context(), group); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Append(t.Context(), append(group, 'x')); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a byte more: %v, want ErrTooLarge", err)
	}
	entries := readAll(t, log, log.Logs()[0])
	if len(entries) != 4 || !bytes.Equal(entries[3].Group, group) {
		t.Errorf("read %d entries", len(entries))
	}
}

func TestReopenGoesOn(t *testing.T) {
	dir := t.TempDir()
	log := mustOpen(t, Options{Dir: dir})
	mustAppend(t, log, "one")
	before := log.Logs()[0]
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), nil); !errors.Is(err, ErrClosed) || !errors.Is(log.Err(), ErrClosed) {
		t.Errorf("closed: %v, %v", err, log.Err())
	}

	log = mustOpen(t, Options{Dir: dir})
	mustAppend(t, log, "two")
	after := log.Logs()
	if len(after) != 1 || after[0].Name != before.Name || after[0].Last != before.Last+1 {
		t.Fatalf("logs: %+v, before %+v", after, before)
	}
	if got := texts(readAll(t, log, after[0])); !slices.Equal(got, []string{"mark", "one", "two"}) {
		t.Errorf("read %q", got)
	}
}

// What is read is the same from memory, from disk, and from both in one call.
func TestReadFromMemoryAndDisk(t *testing.T) {
	for name, tail := range map[string]int{"memory": 1 << 20, "both": 50_000, "disk": 1} {
		t.Run(name, func(t *testing.T) {
			log := mustOpen(t, Options{Dir: t.TempDir(), TailBytes: tail})
			for i := range 100 {
				mustAppend(t, log, fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)))
			}
			entries, err := log.Read(t.Context(), log.Logs()[0].Name, 0, 1<<20)
			if err != nil || len(entries) != 101 {
				t.Fatalf("%d entries, %v", len(entries), err)
			}
			for i, entry := range entries {
				if entry.Seq != uint64(i+1) || entry.Mark != (i == 0) ||
					i > 0 && !bytes.HasPrefix(entry.Group, fmt.Appendf(nil, "%d x", i-1)) {
					t.Errorf("entry %d: seq %d, mark %t, %.10s", i, entry.Seq, entry.Mark, entry.Group)
				}
			}
		})
	}
}

// The caller may use its buffer again at once.
func TestAppendKeepsNoReference(t *testing.T) {
	log := mustOpen(t, Options{Dir: t.TempDir()})
	buffer := []byte("before")
	if err := log.Append(t.Context(), buffer); err != nil {
		t.Fatal(err)
	}
	copy(buffer, "after!")
	if got := texts(readAll(t, log, log.Logs()[0])); got[1] != "before" {
		t.Errorf("read %q", got)
	}
}

func TestAppendConcurrently(t *testing.T) {
	log := mustOpen(t, Options{Dir: t.TempDir(), TailBytes: 1})
	var work sync.WaitGroup
	for g := range 8 {
		work.Go(func() {
			for i := range 50 {
				if err := log.Append(t.Context(), fmt.Appendf(nil, "%d-%d", g, i)); err != nil {
					t.Error(err)
				}
				info := log.Logs()[0]
				if entries, err := log.Read(t.Context(), info.Name, info.Last, 1); err != nil || len(entries) != 1 {
					t.Errorf("read %d entries, %v", len(entries), err)
				}
			}
		})
	}
	work.Wait()
	got := texts(readAll(t, log, log.Logs()[0]))
	slices.Sort(got)
	if len(slices.Compact(got)) != 8*50+1 {
		t.Errorf("read %d different groups, want %d and a mark", len(got), 8*50)
	}
}

// What the server says is logged without the bytes of an entry.
func TestServerLogHidesPayload(t *testing.T) {
	var out bytes.Buffer
	lines := basis.NewServerLog(slog.New(slog.NewTextHandler(&out, nil)), nil)
	lines.Warnf("bad message: %v", fmt.Errorf("sanity check failed (rl 5 buf %d)", []byte("secret")))
	if text := out.String(); !strings.Contains(text, "sanity check") || strings.Contains(text, "115") {
		t.Errorf("logged %s", text)
	}
}

func mustOpen(tb testing.TB, opts Options) *Log {
	tb.Helper()
	if opts.AppendTimeout == 0 {
		opts.AppendTimeout = time.Minute // a test's disk may be busy with other tests
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	log, err := Open(tb.Context(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { log.Close() })
	return log
}

func mustAppend(tb testing.TB, log *Log, groups ...string) {
	tb.Helper()
	for _, group := range groups {
		if err := log.Append(tb.Context(), []byte(group)); err != nil {
			tb.Fatal(err)
		}
	}
}

// readAll reads a log as the flush does, in parts of 4 MiB.
func readAll(tb testing.TB, log *Log, info Info) (entries []Entry) {
	tb.Helper()
	for next := info.First; ; {
		part, err := log.Read(tb.Context(), info.Name, next, 4<<20)
		if err != nil {
			tb.Fatal(err)
		}
		if len(part) == 0 {
			return entries
		}
		entries = append(entries, part...)
		next = part[len(part)-1].Seq + 1
	}
}

// texts gives the groups as text, and "mark" for a mark.
func texts(entries []Entry) (texts []string) {
	for _, entry := range entries {
		if entry.Mark {
			entry.Group = []byte(markKind)
		}
		texts = append(texts, string(entry.Group))
	}
	return texts
}

// eventually polls until what is asked for is so.
func eventually(tb testing.TB, within time.Duration, what string, so func() bool) {
	tb.Helper()
	deadline := time.After(within)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !so() {
		select {
		case <-deadline:
			tb.Fatalf("not within %s: %s", within, what)
		case <-poll.C:
		}
	}
}

// safeBuffer takes log lines from several goroutines.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *safeBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
