package lake_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/lake"
)

// closedHour stores two clicks in an hour and lets it pass.
func closedHour(t *testing.T, h *house) time.Time {
	t.Helper()
	start := h.clock.Wall().Truncate(time.Hour)
	h.append(click(h.clock.Wall(), 1), click(h.clock.Wall(), 2))
	h.clock.advance(time.Hour)
	h.append(click(h.clock.Wall(), 3))
	h.flush()
	if !h.lake.ClosedTo().After(start) {
		t.Fatalf("hour %s is not closed", start)
	}
	return start
}

// withHour has the hour for itself for a while.
func withHour(t *testing.T, l *lake.Lake, start time.Time, work func(*lake.Hour) error) error {
	t.Helper()
	r, err := l.Rewriter(lake.RewriteMemory)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return r.Hour(context.Background(), "click", start, work)
}

func clickTable(dataset string) lake.Table {
	return lake.NewTable(dataset, "click", []event.Column{{Name: "text", Kind: event.String}}, "", "")
}

// rewrite makes a file of the hour's raw rows.
func rewrite(hour *lake.Hour, dataset, where string, meta map[string]string) error {
	inputs := hour.Files(lake.Raw)
	rows, err := hour.From(context.Background(), inputs)
	if err != nil {
		return err
	}
	_, err = hour.Rewrite(context.Background(), lake.Rewrite{Table: clickTable(dataset), Inputs: inputs, Meta: meta,
		SQL: "SELECT * FROM " + rows + " WHERE " + where})
	return err
}

func TestRewrite(t *testing.T) {
	h := mustOpen(t)
	start := closedHour(t, h)
	err := withHour(t, h.lake, start, func(hour *lake.Hour) error {
		if err := rewrite(hour, lake.Sanitized, "true", map[string]string{"salt": "it's"}); err != nil {
			return err
		}
		if err := rewrite(hour, lake.Sanitized, "text LIKE '%1'", map[string]string{"salt": "new"}); err != nil {
			return err
		}
		return rewrite(hour, lake.Raw, "text LIKE '%2'", nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	h.reopen()
	if got := read(t, h.lake, lake.Raw, "click"); len(got) != 2 || !strings.Contains(got[0], "click 2") {
		t.Errorf("raw holds %v", got)
	}
	files := h.lake.Files(lake.Sanitized, "click", start)
	if len(files) != 1 || files[0].Generation != 2 {
		t.Fatalf("sanitized holds %v", files)
	}
	r, err := h.lake.Rewriter(lake.RewriteMemory)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	meta, err := r.Meta(context.Background(), files)
	if err != nil || meta[files[0].Name]["salt"] != "new" {
		t.Errorf("its metadata is %v, %v", meta, err)
	}
}

// Nothing is published of inputs that were replaced while it was made.
func TestRewriteReplaced(t *testing.T) {
	h := mustOpen(t)
	start := closedHour(t, h)
	err := withHour(t, h.lake, start, func(hour *lake.Hour) error {
		inputs := hour.Files(lake.Raw)
		rows, err := hour.From(t.Context(), inputs)
		if err != nil {
			return err
		}
		if err := rewrite(hour, lake.Raw, "false", nil); err != nil {
			return err
		}
		_, err = hour.Rewrite(context.Background(), lake.Rewrite{Table: clickTable(lake.Sanitized), Inputs: inputs, SQL: "FROM " + rows})
		return err
	})
	if !errors.Is(err, lake.ErrReplaced) || len(h.lake.Files(lake.Sanitized, "click", start)) != 0 {
		t.Error(err)
	}
	if got := read(t, h.lake, lake.Raw, "click"); len(got) != 1 {
		t.Errorf("a rewrite without rows left %v", got)
	}
}

// What is dropped takes along what it covered, so that nothing older comes back.
func TestDrop(t *testing.T) {
	h := mustOpen(t)
	start := closedHour(t, h)
	err := withHour(t, h.lake, start, func(hour *lake.Hour) error {
		if err := rewrite(hour, lake.Raw, "true", nil); err != nil {
			return err
		}
		return hour.Drop(t.Context(), hour.Files(lake.Raw))
	})
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(h.dir, "lake", "raw", "click", start.Format("date=2006-01-02"), start.Format("hour=15"))
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the hour's folder is still there: %v", err)
	}
	h.reopen()
	if got := read(t, h.lake, lake.Raw, "click"); len(got) != 1 {
		t.Errorf("what is left: %v", got)
	}
}

// One rewriter at a time has an hour; who waits for it can give up.
func TestHourIsHeld(t *testing.T) {
	h := mustOpen(t)
	start := closedHour(t, h)
	second, err := h.lake.Rewriter(lake.RewriteMemory)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	err = withHour(t, h.lake, start, func(*lake.Hour) error {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return second.Hour(ctx, "click", start, func(*lake.Hour) error { t.Error("both have it"); return nil })
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := second.Hour(context.Background(), "click", start, func(*lake.Hour) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A read that began before an erasure can be ended, and says why.
func TestEndReads(t *testing.T) {
	h := mustOpen(t)
	closedHour(t, h)
	table, err := h.lake.Table(lake.Raw, "click")
	if err != nil {
		t.Fatal(err)
	}
	err = h.lake.Scan(context.Background(), lake.Query{Table: table, To: 1 << 60}, func(*lake.Rows) error {
		h.clock.advance(time.Second)
		if !h.lake.EndReads(h.clock.Wall()) {
			t.Error("no read was under way")
		}
		return nil
	})
	if err != nil && !errors.Is(err, lake.ErrEnded) {
		t.Error(err)
	}
	if h.lake.ReadsBefore(h.clock.Wall()) {
		t.Error("the read is still under way")
	}
}
