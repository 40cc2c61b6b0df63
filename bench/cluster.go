package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/door/doortest"
	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/lake/store/s3test"
	"brine/simulate"
)

// wide is how many connections a load has that goes over more than one machine's worth of doors: each answer takes longer there.
const wide = 256

// wayRounds is how often the ways are measured in turn, and remoteRounds how often the two lakes.
const wayRounds, remoteRounds = 3, 5

// cluster measures what several machines have, on this one alone and over its loopback: so all of it shares one processor, and none
// of it waits for a network.
func (s *suite) cluster() (figures []figure, err error) {
	// What runs an S3 server and makes certificates is made for tests. A benchmark that takes longer than a second runs once.
	testing.Benchmark(func(b *testing.B) {
		server, pair := s3test.Start(b), doortest.NewPair(b, 24*time.Hour)
		ways, waysErr := s.ways(b, server, pair)
		lakes, lakesErr := s.lakes(b, server)
		figures, err = append(ways, lakes...), errors.Join(waysErr, lakesErr)
	})
	if figures == nil && err == nil {
		err = errors.New("the S3 server, or a certificate, could not be had")
	}
	return figures, err
}

// ways compares the durable POST at `brine serve`, at a collector of one store, and at a collector of three replicas.
func (s *suite) ways(b *testing.B, server *s3test.Server, pair *doortest.Pair) ([]figure, error) {
	serve, err := s.serveBrine("alone")
	if err != nil {
		return nil, err
	}
	defer serve.stop()
	one, err := s.collected(b, "one", server, pair, 1)
	defer stopAll(one)
	if err != nil {
		return nil, err
	}
	three, err := s.collected(b, "three", server, pair, 3)
	defer stopAll(three)
	if err != nil {
		return nil, err
	}
	var rates [3][]float64
	var costs [3][]time.Duration
	for range wayRounds {
		for i, way := range [][]*process{{serve}, one, three} {
			before := cpuOf(way)
			r, err := load{addr: way[0].public, connections: wide, duration: 10 * time.Second, raw: true}.run()
			if err != nil {
				return nil, err
			}
			if r.errors > 0 {
				return nil, fmt.Errorf("%d of %d durable posts were not answered with success", r.errors, r.requests)
			}
			rates[i] = append(rates[i], r.perSecond())
			costs[i] = append(costs[i], (cpuOf(way)-before)/time.Duration(r.requests))
		}
	}
	alone, hop, replicas := median(rates[0]), median(rates[1]), median(rates[2])
	measured := func(i int) string {
		return fmt.Sprintf("%.0f/s, %s of CPU each", median(rates[i]), median(costs[i]).Round(100*time.Nanosecond))
	}
	peer := measured(0) + " brine serve"
	return []figure{
		{name: "durable POST through a collector and one store", measured: measured(1), limit: peer,
			ratio: fmt.Sprintf("%.2f", hop/alone), target: "ratio at least 0.70", met: hop >= 0.7*alone},
		{name: "durable POST through a collector and three replicas, on one machine", measured: measured(2), limit: peer,
			ratio: fmt.Sprintf("%.2f", replicas/alone), target: "at least 20,000/s", met: replicas >= 20_000},
	}, nil
}

func cpuOf(all []*process) (sum time.Duration) {
	for _, p := range all {
		sum += p.cpu()
	}
	return sum
}

// stopAll stops all at once: nodes of a log wait for each other.
func stopAll(all []*process) {
	for _, p := range all {
		p.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range all {
		p.cmd.Wait()
	}
}

// collected starts so many stores with one log, and a collector that sends to them, which is the first of all.
func (s *suite) collected(b *testing.B, name string, server *s3test.Server, pair *doortest.Pair, stores int) (all []*process, err error) {
	pair.Files(b, s.folder)
	var nodes, between, doors []string // between: the doors that nodes have for each other
	for i := range stores {
		nodes = append(nodes, fmt.Sprintf("store%d=%s", i, mustAddr(b)))
		between, doors = append(between, fmt.Sprintf("store%d=%s", i, mustAddr(b))), append(doors, mustAddr(b))
	}
	for i, door := range doors {
		text := fmt.Sprintf("data: ./%s-%d\nprivate: {addr: %q}\nstore: {addr: %q, tls: {cert: door.pem, key: door.key}, collectors_file: %[1]s-collectors}\n",
			name, i, mustAddr(b), door)
		if stores > 1 {
			text += fmt.Sprintf("lake: %q\nsalts: {manage: external}\nlog: {nodes: [\"%s\"], doors: [\"%s\"], cluster: bench, name: store%d, replicas: 3, tls: {cert: door.pem, key: door.key, ca: door.pem}}\n",
				server.Address("brine", name), strings.Join(nodes, `","`), strings.Join(between, `","`), i)
		}
		cmd := exec.Command(s.brine, "store", "--config", s.write(b, fmt.Sprintf("%s-store%d.yaml", name, i), text))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			return all, err
		}
		all = append(all, &process{cmd: cmd})
	}
	token, err := exec.Command(s.brine, "collector", "add", "bench", "--config", filepath.Join(s.folder, name+"-store0.yaml")).Output()
	if err != nil {
		return all, fmt.Errorf("brine collector add: %w", err)
	}
	s.write(b, name+"-token", string(token))
	public := mustAddr(b)
	config := s.write(b, name+"-collect.yaml", fmt.Sprintf("data: ./%s-collect\npublic: {addr: %q, rate_limit: {per_second: 0}}\n"+
		"forward: {to: [\"https://%s\"], token_file: %[1]s-token, ca: door.pem}\n", name, public, strings.Join(doors, `","https://`)))
	collector, err := start(exec.Command(s.brine, "collect", "--config", config), public, "")
	if err != nil {
		return all, err
	}
	return append([]*process{collector}, all...), nil
}

// write writes a file into the bench's folder.
func (s *suite) write(b *testing.B, name, text string) (path string) {
	path = filepath.Join(s.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

func mustAddr(b *testing.B) string {
	addr, err := freeAddr()
	if err != nil {
		b.Fatal(err)
	}
	return addr
}

// lakes compares a lake in an S3 server on this machine with one in a folder: a flush by the time it takes, and a read of
// everything, of which the cache has nothing.
func (s *suite) lakes(b *testing.B, server *s3test.Server) ([]figure, error) {
	inFolder, inS3 := lake.Options{Dir: filepath.Join(s.folder, "lakes")}, lake.Options{}
	names := []string{"folder", "s3"}
	flushes, reads := [2][]float64{}, [2][]float64{}
	for i, at := range []lake.Options{inFolder, inS3} {
		log, err := eventlog.Open(b.Context(), eventlog.Options{Dir: filepath.Join(s.folder, "lakes-"+names[i]), TailBytes: 256 << 20})
		if err != nil {
			return nil, err
		}
		defer log.Close()
		at.Log = log
		source := simulate.NewSource(1)
		for range remoteRounds {
			if err := appendEvents(b.Context(), log, source, flushEvents); err != nil {
				return nil, err
			}
			flushed, read, err := s.flushAndRead(b, server, at)
			if err != nil {
				return nil, err
			}
			flushes[i], reads[i] = append(flushes[i], flushed), append(reads[i], read)
		}
	}
	row := func(name string, rates [2][]float64) figure {
		local, remote := median(rates[0]), median(rates[1])
		return figure{name: name, measured: fmt.Sprintf("%.0f events/s", remote), limit: fmt.Sprintf("%.0f/s in a folder", local),
			ratio: fmt.Sprintf("%.2f", remote/local), target: "ratio at least 0.50", met: remote >= local/2}
	}
	return []figure{row("flush into an object store", flushes), row("read from an object store, nothing of it cached", reads)}, nil
}

// flushAndRead opens the lake, flushes what waits in the log and, opened anew, reads everything; it gives events a second of both.
func (s *suite) flushAndRead(b *testing.B, server *s3test.Server, o lake.Options) (flushed, read float64, err error) {
	remote := o.Dir == ""
	table := lake.NewTable(lake.Raw, event.Interaction, event.InteractionColumns(), "timestamp", "id")
	o.Tables, o.Temp = []lake.Table{table}, b.TempDir()
	open := func() (*lake.Lake, error) {
		if remote {
			o.Store, o.CacheDir = server.Open(b, "lakes"), b.TempDir()
		}
		return lake.Open(b.Context(), o)
	}
	l, err := open()
	if err != nil {
		return 0, 0, err
	}
	settle()
	began := time.Now()
	err = l.Flush(b.Context())
	flushed = flushEvents / time.Since(began).Seconds()
	l.Close()
	if err != nil {
		return 0, 0, err
	}
	if l, err = open(); err != nil {
		return 0, 0, err
	}
	defer l.Close()
	settle()
	rows := 0
	began = time.Now()
	err = l.Scan(context.Background(), lake.Query{Table: table, To: 1 << 60}, func(r *lake.Rows) error {
		rows += r.Len()
		return nil
	})
	if rows == 0 && err == nil {
		err = errors.New("nothing was read")
	}
	return flushed, float64(rows) / time.Since(began).Seconds(), err
}
