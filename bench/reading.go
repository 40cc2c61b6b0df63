package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"brine/lake/duck"
	"brine/simulate"
)

const readDays, readRounds = 2, 5

// reading stores simulated interactions and reads all of them back, ordered and as sent.
func (s *suite) reading() (figures []figure, err error) {
	packed, err := s.importHistory("read")
	if err != nil {
		return nil, err
	}
	brine, err := s.serveBrine("read")
	if err != nil {
		return nil, err
	}
	rows, perEvent, err := held(brine)
	if err := errors.Join(err, brine.stop()); err != nil {
		return nil, err
	}
	if brine, err = s.serveBrine("read"); err != nil { // it has nothing to do now
		return nil, err
	}
	defer brine.stop()
	time.Sleep(time.Second)
	idle := brine.rss("VmRSS")
	var rates, limits []float64
	for range readRounds {
		rate, err := readAll(brine, rows)
		if err != nil {
			return nil, err
		}
		limit, err := s.scanAlone()
		if err != nil {
			return nil, err
		}
		rates, limits = append(rates, rate), append(limits, limit)
	}
	rate, limit := median(rates), median(limits)
	return []figure{
		{name: "read as NDJSON over HTTP", measured: fmt.Sprintf("%.0f events/s", rate), limit: fmt.Sprintf("%.0f/s DuckDB's scan of the same columns alone", limit),
			ratio: fmt.Sprintf("%.2f", rate/limit), target: "at least 400,000/s", met: rate >= 400_000},
		{name: fmt.Sprintf("at rest, bytes an event, %d an hour", rows/(24*readDays)), measured: fmt.Sprintf("%.1f", perEvent), limit: fmt.Sprintf("%.1f the same NDJSON in one zstd stream (best)", packed),
			ratio: fmt.Sprintf("%.2f", perEvent/packed), target: "at most 45", met: perEvent <= 45},
		{name: fmt.Sprintf("start to ready with %d events", rows), measured: brine.ready.Round(time.Millisecond).String(), target: "under 1 s", met: brine.ready < time.Second},
		{name: "idle memory (RSS)", measured: megabytes(idle), target: "under 120 MB", met: idle < 120<<20},
	}, nil
}

// importHistory stores the events with the command, and gives the bytes an event of its input, packed.
func (s *suite) importHistory(data string) (packed float64, err error) {
	config, err := s.config(data, "127.0.0.1:1", "127.0.0.1:2")
	if err != nil {
		return 0, err
	}
	history := filepath.Join(s.folder, "history.ndjson")
	out, err := os.Create(history)
	if err != nil {
		return 0, err
	}
	if err := (simulate.Config{Seed: 1, Days: readDays, PerDay: s.events / readDays, End: time.Now()}).Write(out); err != nil {
		return 0, err
	}
	if packed, err = pack(history); err != nil {
		return 0, err
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	command := exec.Command(s.brine, "import", "interaction", "--config", config)
	command.Stdin, command.Stderr = out, os.Stderr
	return packed, command.Run()
}

func pack(path string) (bytesPerLine float64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return 0, err
	}
	defer w.Close()
	return float64(len(w.EncodeAll(text, nil))) / float64(bytes.Count(text, []byte{'\n'})), nil
}

// held waits until what a start sets going has ended, and gives the raw rows there are, and their bytes an event.
func held(brine *process) (rows int64, perEvent float64, err error) {
	type table struct {
		Dataset, Stream string
		Rows, Bytes     int64
	}
	var before []table
	for range 60 {
		var status struct{ Held []table }
		res, err := brine.read("/api/v1/status", "application/json")
		if err != nil {
			return 0, 0, err
		}
		err = json.NewDecoder(res.Body).Decode(&status)
		res.Body.Close()
		if err != nil {
			return 0, 0, err
		}
		if slices.Equal(status.Held, before) {
			for _, t := range before {
				if t.Dataset == "raw" {
					return t.Rows, float64(t.Bytes) / float64(t.Rows), nil
				}
			}
		}
		before = status.Held
		time.Sleep(2 * time.Second)
	}
	return 0, 0, fmt.Errorf("what is held does not come to rest: %v", before)
}

func readAll(brine *process, rows int64) (perSecond float64, err error) {
	began := time.Now()
	res, err := brine.read("/api/v1/events/interaction?dataset=raw", "application/x-ndjson")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var lines int64
	buf := make([]byte, 256<<10)
	for {
		n, err := res.Body.Read(buf)
		lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	if lines != rows {
		return 0, fmt.Errorf("read %d of %d events", lines, rows)
	}
	return float64(lines) / time.Since(began).Seconds(), nil
}

// scanAlone lets DuckDB read the same files and throws the chunks away. Files that were just
// compacted may still lie beside the whole one, so that the rows are counted.
func (s *suite) scanAlone() (perSecond float64, err error) {
	conn, done, err := openDuck(duck.Options{Folders: []string{s.folder}})
	if err != nil {
		return 0, err
	}
	defer done()
	began := time.Now()
	got, err := conn.Query(context.Background(), "FROM read_parquet("+duck.Quote(s.folder+"/read/lake/raw/**/*.parquet")+", hive_partitioning=false)")
	if err != nil {
		return 0, err
	}
	defer got.Close()
	var n int64
	for got.Next() {
		n += int64(got.Len())
	}
	return float64(n) / time.Since(began).Seconds(), got.Err()
}
