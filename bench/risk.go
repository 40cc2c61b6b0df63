package main

import (
	"context"
	"fmt"
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
	"brine/lake"
	"brine/lake/duck"
	"brine/risk"
	"brine/sanitize"
	"brine/simulate"
)

// The sanitized rows that the risk of is measured: of installs that use two streams, over hours of equal size.
const (
	riskRows     = 10_000_000
	riskInstalls = 250_000
	riskHours    = 7 * 24
	riskMost     = time.Minute
	riskMemory   = 2 << 30

	riskRules = `
%s:
  dt: {floor: 1h}
  app_install_id: hash
  is_anon: keep
  languages: keep
  primary_language: keep
  length_ms: {bucket: [1000, 10000, 60000, 600000]}
  session_data: {total_pages: {bucket: [1, 2, 5, 10, 20]}, from_search: {bucket: [1, 2, 5]}, page_load_latency_ms: {bucket: [100, 300, 1000]}}
`
	// riskHour makes an hour's rows, as the job would leave them: an install has habits, from which it strays.
	riskHour = `SELECT %[1]d::BIGINT AS brine_time, uuid() AS brine_id, strftime(make_timestamp_ms(%[1]d), '%%Y-%%m-%%dT%%H:%%M:%%SZ') AS dt,
		sha256(install::VARCHAR) AS app_install_id, hash(install, 'anon') %% 6 > 0 AS is_anon,
		[['en-US', 'de', 'es', 'fr', 'pt-BR', 'it', 'pl', 'nl', 'ja', 'sv'][1 + (hash(install, 'language') %% 10)::BIGINT], 'l' || (hash(install, 'second') %% 40)] [1:1 + (hash(install, 'n') %% 5 = 0)::BIGINT] AS languages,
		['<1000', '1000-9999', '10000-59999', '60000-599999', '600000+'][1 + ((hash(install, 'length') + hash(i) %% 2) %% 5)::BIGINT] AS length_ms,
		['en-US', 'de', 'es', 'fr', 'pt-BR', 'it', 'pl', 'nl', 'ja', 'sv'][1 + (hash(install, 'language') %% 10)::BIGINT] AS primary_language,
		{from_search: ['<1', '1', '2-4', '5+'][1 + (hash(i, 'search') %% 4)::BIGINT], page_load_latency_ms: ['<100', '100-299', '300-999', '1000+'][1 + (hash(i, 'load') %% 4)::BIGINT],
			total_pages: ['<1', '1', '2-4', '5-9', '10-19', '20+'][1 + (hash(install, 'pages', hash(i) %% 2) %% 6)::BIGINT]} AS session_data
		FROM (SELECT i, (hash(i, '%[2]s', %[1]d) %% %[3]d)::BIGINT AS install FROM range(%[4]d) t(i)) ORDER BY app_install_id`
)

// measuringRisk times what brine risk does: two streams, and both joined.
func (s *suite) measuringRisk() ([]figure, error) {
	b := &riskBench{dir: filepath.Join(s.folder, "risk"), end: time.Now().UTC().Truncate(time.Hour), plans: map[string]*sanitize.Plan{}, streams: map[string]*event.Stream{}}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	ctx := context.Background()
	log, err := eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(b.dir, "log"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	tmp := filepath.Join(b.dir, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return nil, err
	}
	l, err := lake.Open(ctx, lake.Options{Dir: b.lakeDir(), Temp: tmp, Log: log})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	settle()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // Linux: forget the peak so far
	began, cpu := time.Now(), cpuTime()
	report, err := risk.Measure(ctx, risk.Options{Lake: l, Streams: b.streams, Plans: b.plans, From: b.end.Add(-riskHours * time.Hour), To: b.end})
	if err != nil {
		return nil, err
	}
	took, used, memory := time.Since(began), cpuTime()-cpu, ownMemory("VmHWM")
	if len(report.Parts) != 3 || report.Parts[2].Rows.All != riskRows/(2*riskHours)*2*riskHours {
		return nil, fmt.Errorf("the risk of other rows was measured: %+v", report)
	}
	return []figure{
		{name: fmt.Sprintf("risk of %d rows in 2 streams of %d installs", riskRows, riskInstalls), measured: took.Round(100 * time.Millisecond).String(), limit: used.Round(100*time.Millisecond).String() + " of CPU",
			target: "at most 60 s", met: took <= riskMost},
		{name: "the same: memory", measured: megabytes(memory), target: "at most 2 GB", met: memory <= riskMemory},
	}, nil
}

// riskBench is a lake with sanitized hours of two streams.
type riskBench struct {
	dir     string
	end     time.Time
	streams map[string]*event.Stream
	plans   map[string]*sanitize.Plan
}

func (b *riskBench) lakeDir() string { return filepath.Join(b.dir, "lake") }

func (b *riskBench) prepare() error {
	schema, err := event.ParseSchema("app_session.yaml", simulate.AppSchema)
	if err != nil {
		return err
	}
	columns, err := event.Columns(schema)
	if err != nil {
		return err
	}
	for _, name := range []string{"app_read", "app_session"} {
		b.streams[name] = &event.Stream{Name: name, Time: "dt", Unit: "app_install_id", Schemas: []*event.Schema{schema}, Columns: columns}
		if b.plans[name], err = sanitize.Compile(b.streams[name], sanitize.Parse("allowlist.yaml", fmt.Appendf(nil, riskRules, name)), sanitize.Options{}); err != nil {
			return err
		}
	}
	errs := map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for name := range b.streams {
		all.Go(func() {
			err := b.write(name)
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// write makes the hours of a stream.
func (b *riskBench) write(name string) error {
	conn, done, err := openDuck(duck.Options{Memory: 512 << 20, Threads: 1, Folders: []string{b.dir}})
	if err != nil {
		return err
	}
	defer done()
	meta := sanitize.Meta{Allowlist: b.plans[name].Digest(), Made: b.plans[name].Made(), RowsOut: riskRows / (2 * riskHours)}.Pairs()
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		pairs = append(pairs, duck.Ident(key)+": "+duck.Quote(meta[key]))
	}
	for hour := range riskHours {
		start := b.end.Add(time.Duration(hour-riskHours) * time.Hour)
		file := lake.Name{Dataset: lake.Sanitized, Stream: name, Hour: start, Log: strings.Repeat("0", 64), First: 1, Last: 1, Generation: 1}
		path := filepath.Join(b.lakeDir(), file.String())
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		sql := fmt.Sprintf(riskHour, start.UnixMilli(), name, riskInstalls, riskRows/(2*riskHours))
		if err := conn.Exec(context.Background(), strings.Replace(copyTo("("+sql+")", path), "FORMAT parquet", "FORMAT parquet, KV_METADATA {"+strings.Join(pairs, ", ")+"}", 1)); err != nil {
			return err
		}
	}
	return nil
}
