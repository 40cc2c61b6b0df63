package lake_test

import (
	"errors"
	"strings"
	"testing"

	"brine/lake"
)

// Two processes take turns in owning a lake: whoever does not own it reads what the owner committed.
func TestOwnersTakeTurns(t *testing.T) {
	h := mustOpen(t)
	h.lake.Close()
	one, other := h.openLake(nil), h.openLake(nil)
	h.lake = one
	defer other.Close()
	a, b := click(testStart, 1), click(testStart, 2)
	if err := one.Flush(t.Context()); !errors.Is(err, lake.ErrNotOwner) {
		t.Fatal(err)
	}
	mustOwn(t, one, h.log, 7)
	h.append(a)
	h.flush()
	one.Disown()
	mustOwn(t, other, h.log, 9)
	h.append(b, a)
	if err := one.Flush(t.Context()); !errors.Is(err, lake.ErrNotOwner) {
		t.Fatal(err)
	}
	if err := other.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRows(t, read(t, other, lake.Raw, "click"), a, b)
	for _, name := range h.files() {
		if !strings.HasSuffix(name, ".e7.parquet") && !strings.HasSuffix(name, ".e9.parquet") {
			t.Errorf("%s does not bear the epoch of its owner", name)
		}
	}
}

func mustOwn(t *testing.T, l *lake.Lake, log lake.Log, epoch uint64) {
	t.Helper()
	if err := l.Own(t.Context(), log, epoch); err != nil {
		t.Fatal(err)
	}
}
