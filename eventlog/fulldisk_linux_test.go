package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/eventlog/internal/smalldisk"
)

// A full disk makes appends fail; within 5 s of space coming back they work again, and
// everything that was acknowledged is there, once, in order.
func TestFullDisk(t *testing.T) {
	dir := smalldisk.Mount(t, 16<<20)
	if dir == "" {
		return
	}
	log := mustOpen(t, Options{Dir: filepath.Join(dir, "log"), TailBytes: 1, AppendTimeout: 2 * time.Second})
	acked := []string{"mark"}
	for round := range 3 {
		for i := range 20 {
			group := fmt.Sprintf("%d-%d-%s", round, i, strings.Repeat("x", 10_000))
			mustAppend(t, log, group)
			acked = append(acked, group)
		}
		ballast := smalldisk.Fill(t, dir)
		acked = append(acked, appendUntilFull(t, log, fmt.Sprint("full-", round))...)
		checkFull(t, log)
		checkAcked(t, log, acked, "on the full disk")

		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		group := fmt.Sprint("again-", round)
		eventually(t, 5*time.Second, "appends work again", func() bool {
			return log.Append(t.Context(), []byte(group)) == nil
		})
		t.Logf("works again after %s", time.Since(began))
		acked = append(acked, group)
		checkAcked(t, log, acked, "with space again")
	}
}

// appendUntilFull appends until that fails, as it has to within the time-out.
func appendUntilFull(t *testing.T, log *Log, name string) (acked []string) {
	t.Helper()
	began := time.Now()
	for i := 0; ; i++ {
		group := fmt.Sprintf("%s-%d-%s", name, i, strings.Repeat("x", 10_000))
		if err := log.Append(t.Context(), []byte(group)); err != nil {
			t.Logf("full after %s: %v", time.Since(began), err)
			return acked
		}
		acked = append(acked, group)
	}
}

// checkFull wants the next append to fail at once, and the reason to be told.
func checkFull(t *testing.T, log *Log) {
	t.Helper()
	began := time.Now()
	if err := log.Append(t.Context(), []byte("x")); !errors.Is(err, ErrUnavailable) || time.Since(began) > time.Second {
		t.Errorf("the next append: %v after %s, want ErrUnavailable at once", err, time.Since(began))
	}
	eventually(t, 5*time.Second, "Err says that the disk is full, and what is there can be read", func() bool {
		err := log.Err()
		return errors.Is(err, ErrUnavailable) && errors.Is(err, syscall.ENOSPC)
	})
}

// A log that fills its own disk can be trimmed, and goes on.
func TestTrimFullDisk(t *testing.T) {
	dir := smalldisk.Mount(t, 16<<20)
	if dir == "" {
		return
	}
	log := mustOpen(t, Options{Dir: dir, TailBytes: 1, AppendTimeout: 2 * time.Second})
	group := bytes.Repeat([]byte("x"), 50_000)
	for log.Append(t.Context(), group) == nil {
	}
	eventually(t, 10*time.Second, "trimmed and appended again", func() bool {
		info := log.Logs()[0]
		return log.Trim(t.Context(), info.Name, info.Last) == nil && log.Append(t.Context(), group) == nil
	})
}

// checkAcked fails when an acknowledged group is missing, doubled or out of order. A group that was not acknowledged may be there.
func checkAcked(t *testing.T, log *Log, acked []string, when string) {
	t.Helper()
	var got []string
	for _, text := range texts(readAll(t, log, log.Logs()[0])) {
		if slices.Contains(acked, text) {
			got = append(got, text)
		}
	}
	if !slices.Equal(got, acked) {
		t.Fatalf("%s: %d acknowledged groups, %d read back", when, len(acked), len(got))
	}
}
