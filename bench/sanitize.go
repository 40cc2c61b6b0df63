package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/lake/duck"
	"brine/salt"
	"brine/sanitize"
)

// The events that are sanitized: hours of a stream with a hashed id, nested fields and an array.
const (
	sanitizeHours  = 10      // an even number: two are done at once, and neither core waits at the end
	sanitizeRows   = 500_000 // an hour
	sanitizeRounds = 3
	sanitizeMemory = 1 << 30
	sanitizeStart  = 1795266000000 // ms since the epoch, of the first hour

	sanitizeSchema = `
$schema: https://json-schema.org/draft/2020-12/schema
title: app_session
type: object
properties:
  dt: {type: string, format: date-time}
  app_install_id: {type: string}
  meta: {type: object, properties: {dt: {type: string, format: date-time}, stream: {type: string}, id: {type: string}, domain: {type: string}}}
  length_ms: {type: integer}
  languages: {type: array, items: {type: string}}
  session_data: {type: object, properties: {from_back: {type: integer}, from_external: {type: integer}, total_pages: {type: integer}, page_load_latency_ms: {type: integer}}}
  is_anon: {type: boolean}
`
	sanitizeRules = `
app_session:
  dt: {floor: 1h}
  app_install_id: hash
  meta: {domain: keep}
  length_ms: {bucket: [0, 1000, 10000, 60000, 600000]}
  languages: keep
  session_data: {from_back: keep, total_pages: keep}
  is_anon: keep
`
	// sanitizeRaw makes an hour's rows in the order of their times; each install comes about four times an hour.
	sanitizeRaw = `SELECT strftime(make_timestamp_ms(1795266000000 + %d * 3600000 + i * 3600000 // %d), '%%Y-%%m-%%dT%%H:%%M:%%S.%%gZ') AS dt,
		(md5((hash(i * 7919 + %[1]d) %% (%[2]d // 4))::VARCHAR)::UUID)::VARCHAR AS app_install_id,
		{dt: strftime(make_timestamp_ms(1795266000000 + i), '%%Y-%%m-%%dT%%H:%%M:%%S.%%gZ'), stream: 'app_session', id: uuid()::VARCHAR, domain: 'example.org'} AS meta,
		(hash(i) %% 1000000)::BIGINT AS length_ms,
		['en', 'de', 'kn'][1:1 + (hash(i * 3) %% 3)::BIGINT] AS languages,
		{from_back: (hash(i * 5) %% 10)::BIGINT, from_external: (hash(i * 7) %% 7)::BIGINT, total_pages: (hash(i * 11) %% 100)::BIGINT, page_load_latency_ms: (hash(i * 13) %% 3000)::BIGINT} AS session_data,
		hash(i * 17) %% 2 = 0 AS is_anon FROM range(%[2]d) t(i)`
)

// sanitizing runs the job over hours of raw files, two hours at once, and copies the same files without a rule
// in the same way: one thread an hour, packed as tightly.
func (s *suite) sanitizing() ([]figure, error) {
	plan, err := sanitizePlan()
	if err != nil {
		return nil, err
	}
	if err := s.sanitizeHours(func(conn *duck.Conn, hour int) error {
		return conn.Exec(context.Background(), copyTo(fmt.Sprintf("("+sanitizeRaw+")", hour, sanitizeRows), s.rawHour(hour)))
	}); err != nil {
		return nil, err
	}
	var rates, limits []float64
	var memory int64
	for range sanitizeRounds {
		limit, _, err := rate(func() error {
			return s.sanitizeHours(func(conn *duck.Conn, hour int) error {
				from := "read_parquet(" + duck.Quote(s.rawHour(hour)) + ")"
				return conn.Exec(context.Background(), copyTo("(FROM "+from+")", filepath.Join(s.folder, fmt.Sprintf("copy-%d.parquet", hour))))
			})
		})
		if err != nil {
			return nil, err
		}
		speed, peak, err := s.sanitizeOnce(plan)
		if err != nil {
			return nil, err
		}
		rates, limits, memory = append(rates, speed), append(limits, limit), max(memory, peak)
	}
	speed, limit := median(rates), median(limits)
	return []figure{
		{name: fmt.Sprintf("sanitize %d events", sanitizeHours*sanitizeRows), measured: fmt.Sprintf("%.0f events/s", speed),
			limit: fmt.Sprintf("%.0f/s DuckDB's copy of the same files", limit), ratio: fmt.Sprintf("%.2f", speed/limit),
			target: "at least 600,000/s and 0.5", met: speed >= 600_000 && speed >= limit/2},
		{name: "the same: memory", measured: megabytes(memory), target: "at most 1 GB", met: memory <= sanitizeMemory},
	}, nil
}

// sanitizeOnce has the job do all hours, in a lake that has nothing sanitized yet.
func (s *suite) sanitizeOnce(plan *sanitize.Plan) (speed float64, memory int64, err error) {
	ctx := context.Background()
	log, err := eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(s.folder, "log"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, 0, err
	}
	defer log.Close()
	l, err := lake.Open(ctx, lake.Options{Dir: s.sanitizeLake(), Log: log})
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	if err := l.Flush(ctx); err != nil { // now it knows which hours are closed
		return 0, 0, err
	}
	key, err := salt.Fresh()
	if err != nil {
		return 0, 0, err
	}
	job := &sanitize.Job{Lake: l, Salts: func(time.Time) (*salt.Salt, error) { return key, nil },
		Plans: func() (map[string]*sanitize.Plan, error) {
			return map[string]*sanitize.Plan{plan.Stream: plan}, nil
		}}
	var report sanitize.Report
	speed, memory, err = rate(func() (err error) { report, err = job.Run(ctx, sanitize.Request{}); return err })
	if err == nil && (report.Rows != sanitizeHours*sanitizeRows || len(report.Refused) > 0) {
		err = fmt.Errorf("the job did %+v", report)
	}
	return speed, memory, errors.Join(err, os.RemoveAll(filepath.Join(s.sanitizeLake(), lake.Sanitized)))
}

func (s *suite) sanitizeLake() string { return filepath.Join(s.folder, "lake") }

// rawHour is the raw file of an hour, as an import would name it.
func (s *suite) rawHour(hour int) string {
	name := lake.Name{Dataset: lake.Raw, Stream: "app_session", Hour: time.UnixMilli(sanitizeStart).UTC().Add(time.Duration(hour) * time.Hour),
		Log: strings.Repeat("0", 64), First: 1, Last: 1, Generation: 1}
	return filepath.Join(s.sanitizeLake(), name.String())
}

func sanitizePlan() (*sanitize.Plan, error) {
	schema, err := event.ParseSchema("app_session.yaml", []byte(sanitizeSchema))
	if err != nil {
		return nil, err
	}
	columns, err := event.Columns(schema)
	if err != nil {
		return nil, err
	}
	stream := &event.Stream{Name: "app_session", Time: "dt", Schemas: []*event.Schema{schema}, Columns: columns}
	return sanitize.Compile(stream, sanitize.Parse("allowlist.yaml", []byte(sanitizeRules)), sanitize.Options{})
}

// rate does something with all events, and gives the events a second and the most memory that the process had.
func rate(work func() error) (speed float64, memory int64, err error) {
	settle()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // Linux: forget the peak so far
	began := time.Now()
	err = work()
	return sanitizeHours * sanitizeRows / time.Since(began).Seconds(), ownMemory("VmHWM"), err
}

// sanitizeHours does something with each hour, two at once.
func (s *suite) sanitizeHours(each func(*duck.Conn, int) error) error {
	hours := make(chan int, sanitizeHours)
	for hour := range sanitizeHours {
		if err := os.MkdirAll(filepath.Dir(s.rawHour(hour)), 0o700); err != nil {
			return err
		}
		hours <- hour
	}
	close(hours)
	errs := make([]error, 2)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			conn, done, err := openDuck(duck.Options{Memory: 320 << 20, Threads: 1, Folders: []string{s.folder}, Temp: filepath.Join(s.folder, "spill"+strconv.Itoa(i))})
			if err != nil {
				errs[i] = err
				return
			}
			defer done()
			for hour := range hours {
				errs[i] = errors.Join(errs[i], each(conn, hour))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func copyTo(sql, path string) string {
	return fmt.Sprintf("COPY %s TO %s (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 61440)", sql, duck.Quote(path))
}

// ownMemory is a figure of this process's status.
func ownMemory(name string) int64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(status), name+":")
	var kb int64
	fmt.Sscan(after, &kb)
	return kb << 10
}
