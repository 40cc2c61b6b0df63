package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/lake/duck"
	"brine/simulate"
)

// validation times the one pass over the sample blob.
func (s *suite) validation() ([]figure, error) {
	now := time.Now()
	src := fmt.Appendf(nil, blob, zeroID, event.FloorMillis(now.UnixMilli()))
	arrival := &event.Arrival{Now: now, Rates: []float64{1}, NewID: event.NewID}
	var row []byte
	one := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var p *event.Problem
			if row, _, _, p = event.AppendInteraction(row[:0], src, arrival); p != nil {
				b.Fatal(p)
			}
		}
	})
	peer := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			json.Valid(src)
		}
	})
	took, limit := time.Duration(one.NsPerOp()), time.Duration(peer.NsPerOp())
	return []figure{{
		name: "validate and encode the sample blob", measured: fmt.Sprintf("%s, %d allocations", took, one.AllocsPerOp()),
		limit: fmt.Sprintf("%s json.Valid alone", limit), ratio: fmt.Sprintf("%.2f", float64(took)/float64(limit)),
		target: "at most 3 µs, 3 allocations", met: took <= 3*time.Microsecond && one.AllocsPerOp() <= 3,
	}}, nil
}

func cpuTime() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// flushEvents is what one flush moves: about 5 s at 15,000 events/s.
const flushEvents, flushRounds = 75_000, 7

// flush measures the CPU that moving an event from the log into a Parquet file costs.
func (s *suite) flush() ([]figure, error) {
	ctx := context.Background()
	folder := filepath.Join(s.folder, "flush")
	log, err := eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(folder, "log"), TailBytes: 256 << 20})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	l, err := lake.Open(ctx, lake.Options{Dir: filepath.Join(folder, "lake"), Log: log,
		Tables: []lake.Table{lake.NewTable(lake.Raw, event.Interaction, event.InteractionColumns(), "timestamp", "id")}})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	var costs, limits []time.Duration
	source := simulate.NewSource(1)
	for range flushRounds {
		if err := appendEvents(ctx, log, source, flushEvents); err != nil {
			return nil, err
		}
		settle()
		began := cpuTime()
		if err := l.Flush(ctx); err != nil {
			return nil, err
		}
		costs = append(costs, (cpuTime()-began)/flushEvents)
		limit, err := s.copyAgain(ctx, filepath.Join(folder, "lake"))
		if err != nil {
			return nil, err
		}
		limits = append(limits, limit)
	}
	cost, limit := median(costs), median(limits)
	return []figure{{
		name: "flush, CPU an event", measured: cost.String(), limit: fmt.Sprintf("%s DuckDB's COPY of the same rows alone", limit),
		ratio: fmt.Sprintf("%.2f", float64(cost)/float64(limit)), target: "at most 5 µs", met: cost <= 5*time.Microsecond,
	}}, nil
}

// settle waits until what was started before no longer uses the processor.
func settle() {
	for range 100 {
		began := cpuTime()
		time.Sleep(20 * time.Millisecond)
		if cpuTime()-began < 2*time.Millisecond {
			return
		}
	}
}

func appendEvents(ctx context.Context, log *eventlog.Log, source *simulate.Source, n int) error {
	arrival := &event.Arrival{Now: time.Now(), NewID: event.NewID, AnyAge: true}
	var group, text, row []byte
	for i := range n {
		text = source.AppendInteraction(text[:0], arrival.Now)
		var key event.Key
		var p *event.Problem
		if row, key, _, p = event.AppendInteraction(row[:0], text, arrival); p != nil {
			return p
		}
		group = event.AppendRecord(group, event.Record{Dataset: lake.Raw, Stream: event.Interaction, Key: key, Row: row})
		if i%40 == 39 || i == n-1 {
			if err := log.Append(ctx, group); err != nil {
				return err
			}
			group = group[:0]
		}
	}
	return nil
}

// openDuck is a DuckDB of its own with one connection.
func openDuck(o duck.Options) (conn *duck.Conn, done func(), err error) {
	db, err := duck.Open(o)
	if err != nil {
		return nil, nil, err
	}
	if conn, err = db.Conn(); err != nil {
		db.Close()
		return nil, nil, err
	}
	return conn, func() { conn.Close(); db.Close() }, nil
}

// copyAgain is the CPU that DuckDB alone takes to write as many rows once more, from a table in memory, with one
// thread and row groups as the lake does. Its strings are text, where the lake gives it an ENUM.
func (s *suite) copyAgain(ctx context.Context, folder string) (time.Duration, error) {
	conn, done, err := openDuck(duck.Options{Memory: 1 << 30, Threads: 1, Folders: []string{s.folder}})
	if err != nil {
		return 0, err
	}
	defer done()
	load := fmt.Sprintf("CREATE TABLE rows AS FROM read_parquet(%s, hive_partitioning=false) LIMIT %d", duck.Quote(folder+"/raw/**/*.parquet"), flushEvents)
	if err := conn.Exec(ctx, load); err != nil {
		return 0, err
	}
	began := cpuTime()
	err = conn.Exec(ctx, "COPY rows TO "+duck.Quote(filepath.Join(s.folder, "again.parquet"))+" (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 20480)")
	return (cpuTime() - began) / flushEvents, err
}
