package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"brine/event"
	"brine/lake/duck"
	"brine/sanitize"
)

// The events that are sanitized: hours of a stream with a hashed id, nested fields and an array.
const (
	sanitizeHours  = 5
	sanitizeRows   = 1_000_000 // an hour
	sanitizeRounds = 3
	sanitizeMemory = 1 << 30

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

// sanitizing runs a plan over hours of raw files, one thread an hour and two hours at once, and copies the
// same files without a rule in the same way.
func (s *suite) sanitizing() ([]figure, error) {
	plan, err := sanitizePlan()
	if err != nil {
		return nil, err
	}
	if err := s.sanitizeHours(2, func(conn *duck.Conn, hour int) error {
		return conn.Exec(context.Background(), copyTo(fmt.Sprintf("("+sanitizeRaw+")", hour, sanitizeRows), s.hour("raw", hour)))
	}); err != nil {
		return nil, err
	}
	var rates, limits []float64
	var memory int64
	for range sanitizeRounds {
		limit, _, err := s.rate(func(conn *duck.Conn, hour int) error {
			return conn.Exec(context.Background(), copyTo("(FROM "+s.rawRows(hour)+")", s.hour("copy", hour)))
		})
		if err != nil {
			return nil, err
		}
		rate, peak, err := s.rate(func(conn *duck.Conn, hour int) error { return s.sanitizeHour(conn, plan, hour) })
		if err != nil {
			return nil, err
		}
		rates, limits, memory = append(rates, rate), append(limits, limit), max(memory, peak)
	}
	rate, limit := median(rates), median(limits)
	return []figure{
		{name: fmt.Sprintf("sanitize %d events", sanitizeHours*sanitizeRows), measured: fmt.Sprintf("%.0f events/s", rate),
			limit: fmt.Sprintf("%.0f/s DuckDB's copy of the same files", limit), ratio: fmt.Sprintf("%.2f", rate/limit),
			target: "at least 600,000/s and 0.5", met: rate >= 600_000 && rate >= limit/2},
		{name: "the same: memory", measured: megabytes(memory), target: "at most 1 GB", met: memory <= sanitizeMemory},
	}, nil
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

func (s *suite) sanitizeHour(conn *duck.Conn, plan *sanitize.Plan, hour int) error {
	sql, done, err := plan.Select(conn, sanitize.Input{Rows: s.rawRows(hour), Hour: time.UnixMilli(1795266000000), Source: uint64(hour), Hasher: newHasher})
	if err != nil {
		return err
	}
	defer done()
	return conn.Exec(context.Background(), copyTo(sql, s.hour("sanitized", hour)))
}

// rate does something with each hour, and gives the events a second and the most memory that the process had.
func (s *suite) rate(each func(*duck.Conn, int) error) (rate float64, memory int64, err error) {
	settle()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // Linux: forget the peak so far
	began := time.Now()
	err = s.sanitizeHours(2, each)
	return sanitizeHours * sanitizeRows / time.Since(began).Seconds(), ownMemory("VmHWM"), err
}

// sanitizeHours does something with each hour, several at once.
func (s *suite) sanitizeHours(workers int, each func(*duck.Conn, int) error) error {
	hours := make(chan int, sanitizeHours)
	for hour := range sanitizeHours {
		hours <- hour
	}
	close(hours)
	errs := make([]error, workers)
	var all sync.WaitGroup
	for i := range workers {
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

func (s *suite) hour(dataset string, hour int) string {
	return filepath.Join(s.folder, fmt.Sprintf("%s-%d.parquet", dataset, hour))
}

func (s *suite) rawRows(hour int) string {
	return "read_parquet(" + duck.Quote(s.hour("raw", hour)) + ", union_by_name=true)"
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

// hasher makes pseudonyms with a key that is set once, as package salt does.
type hasher struct {
	mac hash.Hash
	sum []byte
}

func newHasher() sanitize.Hasher {
	return &hasher{mac: hmac.New(sha256.New, []byte(strings.Repeat("0123456789abcdef", 4)))}
}

// Pseudonym appends HMAC-SHA-256(salt, value) in hex.
func (h *hasher) Pseudonym(dst, value []byte) []byte {
	h.mac.Reset()
	h.mac.Write(value)
	h.sum = h.mac.Sum(h.sum[:0])
	return hex.AppendEncode(dst, h.sum)
}

// PseudonymPerStream does so over the stream's name, a NUL byte and the value.
func (h *hasher) PseudonymPerStream(dst []byte, stream string, value []byte) []byte {
	return h.Pseudonym(dst, append([]byte(stream+"\x00"), value...))
}
