package erasure_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"brine/erasure"
	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/lake/duck"
	"brine/lake/store/s3test"
	"brine/salt"
	"brine/sanitize"
)

// clock stands still until a test moves it.
type clock struct{ since atomic.Int64 }

var testStart = time.Date(2026, 11, 21, 13, 7, 0, 0, time.UTC)

func (c *clock) Wall() time.Time         { return testStart.Add(c.Mono()) }
func (c *clock) Mono() time.Duration     { return time.Duration(c.since.Load()) }
func (c *clock) advance(d time.Duration) { c.since.Add(int64(d)) }

// house is a log, a lake, salts, the job of sanitizing and erasures on a real disk.
type house struct {
	tb       testing.TB
	dir      string
	list     string // the allowlist
	period   string // of salts
	clock    *clock
	log      *eventlog.Log
	lake     *lake.Lake
	salts    *salt.Folder
	job      *sanitize.Job
	erasures *erasure.Erasures
	streams  map[string]*event.Stream
	said     *bytes.Buffer // what was logged
	point    func(string)
	store    *s3test.Server // where the lake lies; nil for a folder
	conn     *duck.Conn     // of a DuckDB that looks at files
}

// The test's streams, and how a row of each holds an install.
var schemas = map[string]string{
	"app":    `{type: object, properties: {dt: {type: string}, install: {type: string}, screen: {type: string}}}`,
	"web":    `{type: object, properties: {dt: {type: string}, meta: {type: object, properties: {install: {type: string}, domain: {type: string}}}}}`,
	"device": `{type: object, properties: {dt: {type: string}, serial: {type: integer}}}`,
	"plain":  `{type: object, properties: {dt: {type: string}, screen: {type: string}}}`,
}

var units = map[string]string{"app": "install", "web": "meta.install", "device": "serial"}

const usualList = `
app:
  install: hash
  screen: keep
web:
  meta: {install: hash_per_stream, domain: keep}
device:
  serial: hash
plain:
  screen: keep
`

func newHouse(tb testing.TB, list, period string) *house {
	tb.Helper()
	h := &house{tb: tb, dir: tb.TempDir(), list: list, period: period, clock: &clock{}, point: func(string) {}}
	if strings.HasPrefix(tb.Name(), "TestObjectStore/") {
		h.store = s3test.StartIn(tb, h.path("s3"))
	}
	h.open()
	tb.Cleanup(h.close)
	return h
}

func (h *house) open() {
	h.tb.Helper()
	ctx := context.Background()
	var err error
	if h.said == nil {
		h.said = &bytes.Buffer{}
	}
	logger := slog.New(slog.NewTextHandler(h.said, nil))
	h.makeStreams()
	tables := []lake.Table{lake.QuarantineTable()}
	for name, s := range h.streams {
		tables = append(tables, lake.NewTable(lake.Raw, name, s.Columns, s.Time, s.ID))
	}
	if h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: h.path("log"), Clock: h.clock, Logger: logger}); err != nil {
		h.tb.Fatal(err)
	}
	o := lake.Options{Dir: h.path("lake"), Tables: tables, Log: h.log, Now: h.clock.Wall, Logger: logger, Point: func(p string) { h.point(p) }}
	if h.store != nil {
		o.Store, o.CacheDir = h.store.Open(h.tb, "lake"), h.path("cache")
	}
	h.lake, err = lake.Open(ctx, o)
	if err != nil {
		h.tb.Fatal(err)
	}
	h.openSalts()
	h.job = &sanitize.Job{Lake: h.lake, Salts: h.salts.For, Plans: func() (map[string]*sanitize.Plan, error) { return h.plans(), nil }, Logger: logger, Plain: true}
	h.openErasures(erasure.Options{Logger: logger})
}

// openErasures takes up the requests that are there, as this or another node that has them does.
func (h *house) openErasures(o erasure.Options) {
	h.tb.Helper()
	o.Dir, o.Receipts, o.Lake, o.Log, o.Streams = h.path("erasures"), h.path("receipts"), h.lake, h.log, h.streams
	o.Salts, o.Redo, o.Now, o.Plain, o.Point = h.salts.For, h.job.Redo, h.clock.Wall, true, func(p string) { h.point(p) }
	var err error
	if h.erasures, err = erasure.Open(o); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) makeStreams() {
	h.tb.Helper()
	h.streams = map[string]*event.Stream{}
	for name, text := range schemas {
		schema, err := event.ParseSchema(name+".yaml", []byte("{$schema: https://json-schema.org/draft/2020-12/schema, "+text[1:]))
		if err != nil {
			h.tb.Fatal(err)
		}
		columns, err := event.Columns(schema)
		if err != nil {
			h.tb.Fatal(err)
		}
		h.streams[name] = &event.Stream{Name: name, Time: "dt", Unit: units[name], Schemas: []*event.Schema{schema}, Columns: columns}
	}
}

func (h *house) openSalts() {
	h.tb.Helper()
	periods, err := salt.ParsePeriods(h.period, "", time.Hour)
	if err == nil {
		h.salts, err = salt.Open(h.path("salts"), salt.Options{Periods: periods, Records: h.path("salts.ndjson"), Now: h.clock.Wall})
	}
	if err != nil {
		h.tb.Fatal(err)
	}
	h.rotate()
}

func (h *house) rotate() {
	h.tb.Helper()
	if _, err := h.salts.Rotate(h.clock.Wall(), false); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) plans() map[string]*sanitize.Plan {
	h.tb.Helper()
	list := sanitize.Parse("allowlist.yaml", []byte(h.list))
	all := map[string]*sanitize.Plan{}
	for name, s := range h.streams {
		plan, err := sanitize.Compile(s, list, sanitize.Options{})
		if err != nil {
			h.tb.Fatal(err)
		}
		all[name] = plan
	}
	return all
}

func (h *house) close() {
	h.lake.Close()
	if err := h.log.Close(); err != nil {
		h.tb.Error(err)
	}
}

func (h *house) reopen() {
	h.tb.Helper()
	h.close()
	h.open()
}

func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

// install is who sends: an id as text and, for the stream of devices, as a number.
type install struct {
	id     string
	serial int64
}

var (
	ada = install{"0b7e9a4c-5d1f-4c3a-9e2b-6f8d7c5a4b3e", 7_201_936_485_012_345}
	bob = install{"bob-install", 42}
)

func (i install) ids() []string { return []string{i.id, fmt.Sprint(i.serial)} }

// visit appends one event of an install to each stream, or to those that are named.
func (h *house) visit(who install, only ...string) {
	h.tb.Helper()
	at := h.clock.Wall().UTC().Format(time.RFC3339)
	for stream, row := range map[string]string{
		"app":    fmt.Sprintf(`{"dt":%q,"install":%q,"screen":"home"}`, at, who.id),
		"web":    fmt.Sprintf(`{"dt":%q,"meta":{"install":%q,"domain":"example.org"}}`, at, who.id),
		"device": fmt.Sprintf(`{"dt":%q,"serial":%d}`, at, who.serial),
		"plain":  fmt.Sprintf(`{"dt":%q,"screen":"home"}`, at),
	} {
		if only == nil || slices.Contains(only, stream) {
			h.append(stream, row)
		}
	}
}

func (h *house) append(stream, row string) {
	h.tb.Helper()
	record := event.Record{Dataset: lake.Raw, Stream: stream, Row: []byte(row), Key: event.Key{Time: event.FloorMillis(h.clock.Wall().UnixMilli()), ID: uuid.New()}}
	if err := h.log.Append(h.tb.Context(), event.AppendRecord(nil, record)); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) flush() {
	h.tb.Helper()
	if err := h.lake.Flush(h.tb.Context()); err != nil {
		h.tb.Fatal(err)
	}
}

// nextHour lets the hour pass, and files and sanitizes it.
func (h *house) nextHour() {
	h.tb.Helper()
	h.clock.advance(time.Hour)
	h.append("plain", `{"screen":"tick"}`)
	h.flush()
	h.compact()
	h.rotate()
	h.sanitize(sanitize.Request{})
}

func (h *house) compact() {
	h.tb.Helper()
	if err := h.lake.Compact(h.tb.Context()); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) sanitize(q sanitize.Request) {
	h.tb.Helper()
	report, err := h.job.Run(h.tb.Context(), q)
	if err != nil || len(report.Refused) > 0 {
		h.tb.Fatal(err, report.Refused)
	}
}

func (h *house) accept(unit string) (number string) {
	h.tb.Helper()
	number, err := h.erasures.Accept(unit, false)
	if err != nil {
		h.tb.Fatal(err)
	}
	return number
}

func (h *house) step() {
	h.tb.Helper()
	if err := h.erasures.Step(h.tb.Context()); err != nil {
		h.tb.Fatal(err)
	}
}

// sweep lets covered files go.
func (h *house) sweep() {
	h.tb.Helper()
	h.flush()
	h.clock.advance(31 * time.Second)
	h.flush()
}

// nextDay lets the log of the day go.
func (h *house) nextDay() {
	h.tb.Helper()
	h.clock.advance(24 * time.Hour)
	h.rotate()
	h.append("plain", `{"screen":"tick"}`)
	h.flush()
}

func (h *house) wantState(number string, want erasure.State) erasure.Receipt {
	h.tb.Helper()
	r, err := h.erasures.Receipt(number)
	if err != nil || r.State != want {
		h.tb.Fatalf("the request is %q, %v; want %q", r.State, err, want)
	}
	return r
}

// holds says which files hold one of these texts: their names, their bytes, or what Parquet reads from them.
func (h *house) holds(texts ...string) (files []string) {
	h.tb.Helper()
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".parquet" {
			content = append(content, h.parquet(path)...)
		}
		content = append(content, path...)
		if slices.ContainsFunc(texts, func(text string) bool { return bytes.Contains(content, []byte(text)) }) {
			rel, _ := filepath.Rel(h.dir, path)
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		h.tb.Fatal(err)
	}
	return files
}

// parquet is all that a file holds, as text.
func (h *house) parquet(path string) (text []byte) {
	h.tb.Helper()
	for _, row := range h.query("SELECT CAST(f AS VARCHAR) FROM read_parquet(" + duck.Quote(path) + ", hive_partitioning=false) AS f") {
		text = append(text, row...)
	}
	return text
}

// query gives a query's first column.
func (h *house) query(sql string) (values []string) {
	h.tb.Helper()
	if h.conn == nil {
		h.openConn()
	}
	rows, err := h.conn.Query(h.tb.Context(), sql)
	if err != nil {
		h.tb.Fatal(told(err), sql)
	}
	defer rows.Close()
	for rows.Next() {
		for i := range rows.Len() {
			values = append(values, string(rows.Vector(0).String(i)))
		}
	}
	if err := rows.Err(); err != nil {
		h.tb.Fatal(told(err))
	}
	return values
}

func (h *house) openConn() {
	h.tb.Helper()
	db, err := duck.Open(duck.Options{Folders: []string{h.dir}})
	if err != nil {
		h.tb.Fatal(err)
	}
	if h.conn, err = db.Conn(); err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(func() { h.conn.Close(); db.Close() })
}

func told(err error) string {
	var e *duck.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// rows counts what is read of a stream.
func (h *house) rows(dataset, stream string) (n int) {
	h.tb.Helper()
	table := lake.NewTable(dataset, stream, h.plans()[stream].Columns, "", "")
	if dataset == lake.Raw {
		var err error
		if table, err = h.lake.Table(dataset, stream); err != nil {
			h.tb.Fatal(err)
		}
	}
	err := h.lake.Scan(h.tb.Context(), lake.Query{Table: table, To: 1 << 60}, func(r *lake.Rows) error { n += r.Len(); return nil })
	if err != nil {
		h.tb.Fatal(err)
	}
	return n
}

// pseudonyms are those of an install under the salt of an hour.
func (h *house) pseudonyms(who install, hour time.Time) (all []string) {
	h.tb.Helper()
	key, err := h.salts.For(hour)
	if err != nil {
		h.tb.Fatal(err)
	}
	for _, id := range who.ids() {
		all = append(all, string(key.Hasher().Pseudonym(nil, []byte(id))))
		for _, stream := range slices.Sorted(maps.Keys(h.streams)) {
			all = append(all, string(key.Hasher().PseudonymPerStream(nil, stream, []byte(id))))
		}
	}
	return all
}

func (h *house) checkSaidNothing(texts ...string) {
	h.tb.Helper()
	for _, text := range texts {
		if strings.Contains(h.said.String(), text) {
			h.tb.Errorf("the log tells %q", text)
		}
	}
}
