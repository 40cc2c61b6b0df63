package lake_test

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"brine/event"
	"brine/lake"
	"brine/simulate"
)

func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkFlush moves simulated interactions from the log into the lake.
func BenchmarkFlush(b *testing.B) {
	h := mustOpen(b)
	source := simulate.NewSource(1)
	arrival := &event.Arrival{Now: testStart, NewID: event.NewID, AnyAge: true}
	const events, perGroup = 100_000, 40
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		var group, blob, row []byte
		for i := range events {
			blob = source.AppendInteraction(blob[:0], testStart)
			var key event.Key
			var p *event.Problem
			row, key, _, p = event.AppendInteraction(row[:0], blob, arrival)
			if p != nil {
				b.Fatal(p)
			}
			group = event.AppendRecord(group, event.Record{Dataset: lake.Raw, Stream: "interaction", Key: key, Row: bytes.Clone(row)})
			if i%perGroup == perGroup-1 {
				if err := h.log.Append(context.Background(), group); err != nil {
					b.Fatal(err)
				}
				group = group[:0]
			}
		}
		b.StartTimer()
		began := cpuTime()
		h.flush()
		cpu += cpuTime() - began
	}
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N*events), "cpu-ns/event")
	b.ReportMetric(0, "ns/op")
	s, _, _ := h.lake.Summaries(context.Background())
	for _, t := range s {
		if t.Rows > 0 {
			fmt.Println(t.Bytes/t.Rows, "bytes/event", t.Rows, "rows", t.Files, "files")
		}
	}
}
