package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/kpi"
	"brine/kpi/facts"
	"brine/lake"
	"brine/lake/duck"
	"brine/salt"
	"brine/sanitize"
	"brine/simulate"
)

// The interactions that facts are made of: so many of simulated users, each of them several times, over days of 24 equal hours.
const (
	kpiEvents  = 10_000_000
	kpiDays    = 60
	kpiHours   = kpiDays * 24
	kpiSample  = 400_000
	kpiRate    = 500_000
	kpiWorkers = 2
	kpiData    = "figures" // the data folder
)

// measuringKPIs times the job that makes facts and roll-ups, and the pages that tell of all of them.
func (s *suite) measuringKPIs() ([]figure, error) {
	k := &kpiBench{suite: s, dir: filepath.Join(s.folder, kpiData), defs: kpi.Shipped(), end: time.Now().UTC().Truncate(24 * time.Hour)}
	if err := k.sanitized(); err != nil {
		return nil, err
	}
	limit, err := measurePace(func() error { return k.eachHour(k.copyAgain) })
	if err != nil {
		return nil, err
	}
	l, closeLake, err := k.open()
	if err != nil {
		return nil, err
	}
	closeLake = sync.OnceFunc(closeLake)
	defer closeLake()
	job := &facts.Job{Lake: l, Definitions: func() *kpi.Definitions { return k.defs }}
	var report facts.Report
	speed, err := measurePace(func() (err error) {
		report, err = job.Run(context.Background(), facts.Request{})
		return err
	})
	if err == nil && (report.Hours != kpiHours || report.Rows != kpiHours*int64(kpiEvents/kpiHours)) {
		err = fmt.Errorf("the job did %+v", report)
	}
	if err != nil {
		return nil, err
	}
	built := figure{name: fmt.Sprintf("facts of %d interactions in %d hours", kpiEvents, kpiHours), measured: speed.String(),
		limit: limit.String() + ", DuckDB's copy of the same files", ratio: fmt.Sprintf("%.2f, %.2f of the CPU", speed.rate/limit.rate, float64(speed.cpu)/float64(limit.cpu)),
		target: "at least 500,000/s", met: speed.rate >= kpiRate}
	sizes := k.sizes()
	closeLake()
	asked, err := s.pages(kpiData, k.end.AddDate(0, 0, -kpiDays), k.end)
	return append([]figure{built, sizes}, asked...), err
}

// pace is how fast all interactions went through something, and the CPU of one of them: where others use the machine, too, the latter
// tells more.
type pace struct {
	rate float64 // events/s
	cpu  time.Duration
}

func (p pace) String() string { return fmt.Sprintf("%.0f events/s, %s CPU an event", p.rate, p.cpu) }

func measurePace(work func() error) (pace, error) {
	settle()
	began, cpu := time.Now(), cpuTime()
	err := work()
	return pace{kpiEvents / time.Since(began).Seconds(), (cpuTime() - cpu) / kpiEvents}, err
}

// kpiBench is a lake with sanitized hours.
type kpiBench struct {
	*suite
	dir  string
	defs *kpi.Definitions
	end  time.Time
	plan *sanitize.Plan
	rows string // the SQL of the sample
	meta map[string]string
}

func (k *kpiBench) lakeDir() string { return filepath.Join(k.dir, "lake") }

// open opens the lake, as a process that has just begun.
func (k *kpiBench) open() (l *lake.Lake, end func(), err error) {
	ctx := context.Background()
	log, err := eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(k.dir, "log"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	s := event.InteractionStream()
	tables := append(facts.Tables(), lake.NewTable(lake.Raw, s.Name, s.Columns, s.Time, s.ID))
	if l, err = lake.Open(ctx, lake.Options{Dir: k.lakeDir(), Log: log, Tables: tables}); err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	return l, func() { l.Close(); log.Close() }, l.Flush(ctx) // now it knows which hours are closed
}

// sanitized makes the hours: a sample passes the whole way, and its rows come again and again at other times.
func (k *kpiBench) sanitized() error {
	if err := k.sample(); err != nil {
		return err
	}
	return k.eachHour(func(conn *duck.Conn, hour int) error {
		start := k.end.Add(time.Duration(hour-kpiHours) * time.Hour)
		name := lake.Name{Dataset: lake.Sanitized, Stream: event.Interaction, Hour: start, Log: strings.Repeat("0", 64), First: 1, Last: 1, Generation: 1}
		path := filepath.Join(k.lakeDir(), name.String())
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		n := kpiEvents / kpiHours
		sql := fmt.Sprintf(`SELECT * REPLACE (%d + (brine_time %% 3600000) AS brine_time, %[1]d + (brine_time %% 3600000) AS "timestamp")
			FROM (FROM %s LIMIT %d OFFSET %d) ORDER BY brine_time`, start.UnixMilli(), k.rows, n, hour*9973%(kpiSample-n))
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(k.meta)) {
			pairs = append(pairs, duck.Ident(key)+": "+duck.Quote(k.meta[key]))
		}
		return conn.Exec(context.Background(), strings.Replace(copyTo("("+sql+")", path), "FORMAT parquet", "FORMAT parquet, KV_METADATA {"+strings.Join(pairs, ", ")+"}", 1))
	})
}

// sample imports simulated users and sanitizes them.
func (k *kpiBench) sample() error {
	ctx := context.Background()
	stream := event.InteractionStream()
	log, err := eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(k.folder, "sample-log"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer log.Close()
	table := lake.NewTable(lake.Raw, stream.Name, stream.Columns, stream.Time, stream.ID)
	l, err := lake.Open(ctx, lake.Options{Dir: filepath.Join(k.folder, "sample"), Log: log, Tables: []lake.Table{table}})
	if err != nil {
		return err
	}
	defer l.Close()
	var source [32]byte
	rand.Read(source[:])
	if _, err := l.Import(ctx, table, hex.EncodeToString(source[:]), k.users()); err != nil {
		return err
	}
	if err := l.Flush(ctx); err != nil {
		return err
	}
	if err := l.Compact(ctx); err != nil {
		return err
	}
	if k.plan, err = sanitize.Compile(stream, nil, sanitize.Options{}); err != nil {
		return err
	}
	job := &sanitize.Job{Lake: l, Salts: func(time.Time) (*salt.Salt, error) { return salt.Fresh() },
		Plans: func() (map[string]*sanitize.Plan, error) {
			return map[string]*sanitize.Plan{stream.Name: k.plan}, nil
		}}
	report, err := job.Run(ctx, sanitize.Request{})
	if err != nil || report.Rows != kpiSample {
		return errors.Join(err, fmt.Errorf("the sample was sanitized: %+v", report))
	}
	err = l.Reading(ctx, func(ctx context.Context, r *lake.Reader) ([]lake.File, error) {
		files := l.List(lake.Sanitized, stream.Name)
		k.rows, err = r.From(ctx, files)
		return files, err
	})
	if err != nil {
		return err
	}
	k.meta = sanitize.Meta{Allowlist: k.plan.Digest(), Made: k.plan.Made(), RowsOut: kpiEvents / kpiHours}.Pairs()
	return nil
}

// users come over the hours of a day.
func (k *kpiBench) users() func(func(event.Key, []byte) bool) {
	return func(yield func(event.Key, []byte) bool) {
		source := simulate.NewSource(1)
		var text, row []byte
		for i := range kpiSample {
			at := k.end.AddDate(0, 0, -1).Add(time.Duration(i%(24*6)) * 10 * time.Minute)
			text = source.AppendInteraction(text[:0], at)
			var key event.Key
			row, key, _, _ = event.AppendInteraction(nil, text, &event.Arrival{Now: at, NewID: event.NewID, AnyAge: true})
			if !yield(key, row) {
				return
			}
		}
	}
}

// copyAgain copies a sanitized hour as it is.
func (k *kpiBench) copyAgain(conn *duck.Conn, hour int) error {
	start := k.end.Add(time.Duration(hour-kpiHours) * time.Hour)
	name := lake.Name{Dataset: lake.Sanitized, Stream: event.Interaction, Hour: start, Log: strings.Repeat("0", 64), First: 1, Last: 1, Generation: 1}
	from := "read_parquet(" + duck.Quote(filepath.Join(k.lakeDir(), name.String())) + ")"
	return conn.Exec(context.Background(), copyTo("(FROM "+from+")", filepath.Join(k.folder, fmt.Sprintf("copy-%d.parquet", hour%kpiWorkers))))
}

// eachHour does something with each hour, two at once.
func (k *kpiBench) eachHour(each func(*duck.Conn, int) error) error {
	errs := make([]error, kpiWorkers)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			conn, done, err := openDuck(duck.Options{Memory: 1 << 30, Threads: 1, Folders: []string{k.folder}})
			if err != nil {
				errs[i] = err
				return
			}
			defer done()
			for hour := i; hour < kpiHours && errs[i] == nil; hour += kpiWorkers {
				errs[i] = each(conn, hour)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// sizes are the bytes on disk an event.
func (k *kpiBench) sizes() figure {
	size := func(dataset string) float64 {
		var bytes int64
		filepath.WalkDir(filepath.Join(k.lakeDir(), dataset), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				bytes += info.Size()
			}
			return err
		})
		return float64(bytes) / kpiEvents
	}
	f, r, s := size(lake.Facts), size(lake.Rollups), size(lake.Sanitized)
	return figure{name: "the same: bytes an event", measured: fmt.Sprintf("%.1f facts, %.1f roll-ups", f, r), limit: fmt.Sprintf("%.1f sanitized", s),
		ratio: fmt.Sprintf("%.2f", (f+r)/s), target: "less than sanitized", met: f+r < s}
}

// counted looks whether an overview tells of all interactions.
func counted(overview []byte) error {
	var told kpi.Overview
	if err := json.Unmarshal(overview, &told); err != nil {
		return err
	}
	for _, k := range told.KPIs {
		if k.KPI.Kind == kpi.Count && k.Now.Interactions == kpiHours*(kpiEvents/kpiHours) {
			return nil
		}
	}
	return fmt.Errorf("the overview does not tell of %d interactions: %.300s", kpiHours*(kpiEvents/kpiHours), overview)
}
