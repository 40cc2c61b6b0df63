package facts

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/DataDog/sketches-go/ddsketch/encoding"

	"brine/kpi"
)

// The columns of a roll-up beside those of the segments. A row is a day of event time.
const (
	columnTime  = "time"  // when the day begins, ms since the epoch
	columnDate  = "date"  //
	columnAll   = "all"   // BLOB: the cell of all interactions
	columnSlots = "slots" // BLOB: the arrivals by 10 minutes
)

// columnOf is the column of a segment: BLOB, the cell of each value.
func columnOf(segment string) string { return "segment_" + segment }

// appendCells writes the cells of a segment's values behind dst.
func appendCells(dst []byte, cells map[string]*kpi.Cell) []byte {
	for _, value := range slices.Sorted(maps.Keys(cells)) {
		dst = cells[value].Append(kpi.AppendText(dst, value))
	}
	return dst
}

// mergeEncoded adds cells that appendCells wrote.
func mergeEncoded(into map[string]*kpi.Cell, from []byte, defs *kpi.Definitions) error {
	newCell := func() *kpi.Cell { return defs.NewCell(false) }
	for d := kpi.NewDecoder(from); ; {
		if !d.More() {
			return d.Err()
		}
		d.MergeCell(cellOf(into, d.Text(), newCell))
	}
}

// appendSlots writes arrivals behind dst, each time as a distance in slots from the one before.
func appendSlots(dst []byte, slots []kpi.Slot) []byte {
	var before int64
	for _, s := range slots {
		encoding.EncodeUvarint64(&dst, uint64(s.Time-before)/slotMillis)
		encoding.EncodeUvarint64(&dst, uint64(s.N))
		encoding.EncodeVarfloat64(&dst, s.Weight)
		before = s.Time
	}
	return dst
}

const slotMillis = uint64(10 * time.Minute / time.Millisecond)

// mergeSlots adds arrivals that appendSlots wrote.
func mergeSlots(into map[int64]kpi.Slot, from []byte) error {
	var at int64
	for d := kpi.NewDecoder(from); d.More(); {
		at += int64(d.Uint() * slotMillis)
		n, weight := d.Uint(), d.Float()
		if err := d.Err(); err != nil {
			return errors.New("not the encoding of arrivals")
		}
		s := into[at]
		into[at] = kpi.Slot{Time: at, N: s.N + int64(n), Weight: s.Weight + weight}
	}
	return nil
}
