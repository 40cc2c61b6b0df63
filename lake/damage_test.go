package lake_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/event"
	"brine/lake"
)

// damage turns the bytes of a file's pages and leaves its ends as they are.
func damage(tb testing.TB, path string) {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	for i := 5; i < len(data)/2; i++ {
		data[i] ^= 0xff
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestADamagedPageIsLeftOutByName(t *testing.T) {
	h := mustOpen(t)
	var old []event.Record
	for n := range 3000 {
		old = append(old, click(testStart, n))
	}
	h.append(old...)
	h.flush()
	h.close()
	damaged := h.files()[0]
	damage(t, filepath.Join(h.dir, "lake", damaged))
	h.open()

	fresh := click(testStart, 5000)
	h.append(fresh)
	for range 3 { // the one that finds it may fail
		if h.lake.Flush(context.Background()) == nil {
			break
		}
	}
	if err := h.lake.Err(); err != nil {
		t.Fatal("the flush does not get past it:", err)
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), fresh)
	_, faults, err := h.lake.Summaries(context.Background())
	if err != nil || len(faults) != 1 || faults[0].Path != damaged {
		t.Errorf("want %s told by name, got %v (%v)", damaged, faults, err)
	}
}

// What is left out would be missing in a backup as what was removed is: that is refused by name. A file that is made anew in its place is
// in it again.
func TestALinkOfADamagedFileIsRefused(t *testing.T) {
	h := mustOpen(t)
	start := closedHour(t, h)
	make := func(hour *lake.Hour) error { return rewrite(hour, lake.Rejected, "true", nil) }
	if err := withHour(t, h.lake, start, make); err != nil {
		t.Fatal(err)
	}
	made := h.lake.Files(lake.Rejected, "click", start)[0].String()
	if err := os.WriteFile(filepath.Join(h.dir, "lake", made), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	link := func(dataset string) error {
		_, err := h.lake.Link(filepath.Join(t.TempDir(), "snapshot"), func(n lake.Name) bool { return n.Dataset == dataset })
		return err
	}
	if err := link(lake.Rejected); err == nil || !strings.Contains(err.Error(), made) {
		t.Errorf("it says %v", err)
	}
	if err := link(lake.Raw); err != nil {
		t.Error("of files that are whole:", err)
	}
	if err := withHour(t, h.lake, start, make); err != nil {
		t.Fatal(err)
	}
	if err := link(lake.Rejected); err != nil {
		t.Error("made anew:", err)
	}
}

func TestALogOlderThanTheLakeIsRefused(t *testing.T) {
	h := mustOpen(t)
	h.append(click(testStart, 1))
	h.flush()
	mark, err := filepath.Glob(filepath.Join(h.dir, "lake", lake.Raw, "_flushed", "*"))
	if err != nil || len(mark) != 1 {
		t.Fatal(mark, err)
	}
	h.lake.Close()
	ahead := mark[0] + "000"
	if err := os.Rename(mark[0], ahead); err != nil {
		t.Fatal(err)
	}
	_, err = lake.Open(context.Background(), lake.Options{Dir: filepath.Join(h.dir, "lake"), Tables: tables(), Log: h.log, Now: h.clock.Wall})
	if err == nil || !strings.Contains(err.Error(), "older than the lake") {
		t.Errorf("got %v", err)
	}
	if err := os.Rename(ahead, mark[0]); err != nil {
		t.Fatal(err)
	}
	h.lake = h.openLake(h.log)
}

func TestNothingIsDoneAfterTheEnd(t *testing.T) {
	h := mustOpen(t)
	h.append(click(testStart, 1))
	h.flush()
	ended, end := context.WithCancel(context.Background())
	end()
	table, err := h.lake.Table(lake.Raw, "click")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.lake.Scan(ended, lake.Query{Table: table, To: 1 << 60}, func(*lake.Rows) error { return nil }); err != context.Canceled {
		t.Error("Scan with an ended context:", err)
	}
	h.lake.Close()
	if err := h.lake.Flush(context.Background()); err != lake.ErrClosed {
		t.Error("Flush after Close:", err)
	}
	h.lake = h.openLake(h.log)
}

func TestCloseWaitsForAReadUnderWay(t *testing.T) {
	h := mustOpen(t)
	h.append(click(testStart, 1))
	h.flush()
	table, err := h.lake.Table(lake.Raw, "click")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	err = h.lake.Scan(context.Background(), lake.Query{Table: table, To: 1 << 60}, func(rows *lake.Rows) error {
		go func() { h.lake.Close(); close(closed) }()
		for h.lake.Flush(context.Background()) != lake.ErrClosed { // until Close has begun
		}
		select {
		case <-closed:
			t.Error("closed under the read")
		default:
		}
		rows.AppendJSON(nil, 0)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	<-closed
	h.lake = h.openLake(h.log)
}
