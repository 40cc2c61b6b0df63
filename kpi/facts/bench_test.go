package facts

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"brine/event"
	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
	"brine/simulate"
)

// cpuTime is what the process has used of the processors.
func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkJob makes the facts of simulated users, by the shipped definitions: as many hours as a day has, and as many events in each as
// 10 million over 60 days have.
func BenchmarkJob(b *testing.B) {
	const hours, events = 24, 7000
	h := openHouse(b)
	h.defs, h.clean.Plain, h.job.Plain = kpi.Shipped(), false, false
	table, err := h.lake.Table(lake.Raw, event.Interaction)
	if err != nil {
		b.Fatal(err)
	}
	users, start := simulate.NewSource(1), h.Wall().AddDate(0, 0, -2).Truncate(24*time.Hour)
	_, err = h.lake.Import(context.Background(), table, fmt.Sprintf("%064x", 1), func(yield func(event.Key, []byte) bool) {
		var blob, row []byte
		for i := range hours * events {
			at := start.Add(time.Duration(i%(hours*6)) * 10 * time.Minute)
			blob = users.AppendInteraction(blob[:0], at)
			var key event.Key
			row, key, _, _ = event.AppendInteraction(nil, blob, &event.Arrival{Now: at, NewID: event.NewID, AnyAge: true})
			if !yield(key, row) {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	h.closeHours()
	h.sanitize(sanitize.Request{})
	var cpu time.Duration
	for b.Loop() {
		began := cpuTime()
		report, err := h.job.Run(context.Background(), Request{All: true})
		if err != nil || report.Rows != hours*events {
			b.Fatal(err, report)
		}
		cpu += cpuTime() - began
	}
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N*hours*events), "cpu-ns/event")
}
