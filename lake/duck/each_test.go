package duck_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"brine/lake/duck"
)

func TestEach(t *testing.T) {
	b := mustOpen(t)
	rows, nulls, elements := 0, 0, 0
	seen := map[string]bool{}
	selected := []string{"i", "CASE WHEN i % 3 = 0 THEN 'text number ' || i END", "[{'n': i}, NULL]", "NULL::INTEGER[]"}
	err := b.conn.Each(context.Background(), selected, "range(10000) t(i)", func(k duck.Chunk) {
		numbers, texts, lists, absent := k.Vector(0), k.Vector(1), k.Vector(2), k.Vector(3)
		for i := range k.Len() {
			rows++
			if texts.Null(i) {
				nulls++
			} else {
				seen[string(texts.String(i))] = true
			}
			from, to := lists.List(i)
			if n := lists.Elements().Field(0); n.Int64(from) == numbers.Int64(i) && lists.Elements().Null(from+1) && absent.Null(i) {
				elements += to - from
			}
		}
	})
	if err != nil || rows != 10_000 || nulls != 6666 || len(seen) != 3334 || !seen["text number 9999"] || elements != 20_000 {
		t.Errorf("%d rows, %d nulls, %d texts, %d elements: %v", rows, nulls, len(seen), elements, err)
	}
	empty := func(duck.Chunk) { t.Error("there are no rows") }
	if err := b.conn.Each(context.Background(), []string{"i"}, "range(0) t(i)", empty); err != nil {
		t.Error(err)
	}
	if err := b.conn.Each(context.Background(), []string{"i"}, "range(5) t(i)", func(duck.Chunk) { panic("no") }); err == nil {
		t.Error("a panic was no error")
	}
	if err := b.conn.Each(context.Background(), []string{"nothing"}, "range(5) t(i)", empty); err == nil {
		t.Error("a column that is not there was no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = b.conn.Each(ctx, []string{"i"}, "range(100000000) t(i)", func(duck.Chunk) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped in the midst of it: %v", err)
	}
	var after []int64
	if err := b.conn.Each(context.Background(), []string{"i"}, "range(3) t(i)", func(k duck.Chunk) {
		for i := range k.Len() {
			after = append(after, k.Vector(0).Int64(i))
		}
	}); err != nil || !slices.Equal(after, []int64{0, 1, 2}) {
		t.Errorf("after that: %v, %v", after, err)
	}
}
