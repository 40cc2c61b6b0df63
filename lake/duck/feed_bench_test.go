package duck_test

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"brine/event"
	"brine/lake/duck"
	"brine/simulate"
)

// BenchmarkFeed reads simulated interactions into columns, in an order that is not that of their memory, as a flush does.
func BenchmarkFeed(b *testing.B) {
	const rows = 20_000
	now := time.Now()
	source, arrival := simulate.NewSource(1), &event.Arrival{Now: now, NewID: event.NewID, AnyAge: true}
	var all []byte
	ends := make([]int, rows+1)
	for i := range rows {
		row, _, _, p := event.AppendInteraction(all, source.AppendInteraction(nil, now), arrival)
		if p != nil {
			b.Fatal(p)
		}
		all, ends[i+1] = row, len(row)
	}
	order := rand.Perm(rows)
	feed := duck.NewFeed(event.InteractionColumns(), false)
	began := cpuTime()
	for b.Loop() {
		feed.Reset()
		for _, i := range order {
			if err := feed.Add(event.Key{}, all[ends[i]:ends[i+1]]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64((cpuTime()-began).Nanoseconds())/float64(b.N*rows), "cpu-ns/row")
	b.ReportMetric(float64(len(all))/rows, "bytes/row")
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
