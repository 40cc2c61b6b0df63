package e2e

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"brine/lake/duck"
)

// Killed at random moments under load, brine has every acknowledged event once, and every other
// one at most once. BRINE_ROUNDS says how often it is killed.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := startBrine(t)
	said := newLedger("interaction")
	for round := range rounds(t) {
		stopSending := b.send(4, said)
		at := 50*time.Millisecond + rand.N(750*time.Millisecond)
		<-time.After(at)
		b.kill()
		stopSending()
		t.Logf("round %d: killed after %s, %d acknowledged, %d unanswered", round+1, at.Round(time.Millisecond), len(said.acked), len(said.open))
		checkWholeFiles(t, b)
		if round%4 == 3 { // while it recovers, too
			b.launch()
			<-time.After(rand.N(150 * time.Millisecond))
			b.kill()
		}
		b.start()
	}
	if len(said.acked) < rounds(t) {
		t.Fatalf("only %d events were acknowledged: this was no load", len(said.acked))
	}
	said.check(t, b)
	b.restart()
	said.check(t, b)
	if left := b.status().LeftOut; len(left) > 0 {
		t.Errorf("left out: %v", left)
	}
}

// rounds is how often brine is killed under load: 20 times, or as BRINE_ROUNDS says.
func rounds(t testing.TB) int { return roundsOr(t, 20) }

// jobRounds is how often a job is killed: 5 times, as the whole suite has 15 minutes, or as BRINE_ROUNDS says.
func jobRounds(t testing.TB) int { return roundsOr(t, 5) }

func roundsOr(t testing.TB, usual int) int {
	text := os.Getenv("BRINE_ROUNDS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("BRINE_ROUNDS: %v", err)
	}
	return n
}

// ledger is what senders know of their events.
type ledger struct {
	stream   string
	mu       sync.Mutex
	acked    map[string]bool
	open     []string          // sent, and the answer never came or said no: they may be stored or not
	blobs    map[string]string // as they were first sent: a resend has the same time, also when 10 minutes have passed between
	refusals int               // answers of 503, each with Retry-After
	odd      []reply           // answers that should not be
}

func newLedger(stream string) *ledger {
	return &ledger{stream: stream, acked: map[string]bool{}, blobs: map[string]string{}}
}

// check reads all events back.
func (l *ledger) check(t *testing.T, b *brine) {
	t.Helper()
	times := map[string]int{}
	for _, e := range b.readAll(l.stream) {
		times[e.id()]++
	}
	lost, twice := 0, 0
	for id := range l.acked {
		if times[id] == 0 {
			lost++
		}
	}
	for _, n := range times {
		if n > 1 {
			twice++
		}
	}
	if lost+twice > 0 {
		t.Errorf("of %d acknowledged events %d are lost; %d of %d are there more than once", len(l.acked), lost, twice, len(times))
	}
	for id := range times {
		if !l.acked[id] && !slices.Contains(l.open, id) {
			t.Errorf("an event was read that nobody sent")
		}
	}
	for _, r := range l.odd {
		t.Errorf("answered %d %s", r.status, r.body)
	}
}

// note files the answer to one request.
func (l *ledger) note(ids []string, r reply, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil && (r.status == http.StatusOK || r.status == http.StatusCreated):
		for _, id := range ids {
			l.acked[id] = true
		}
		return
	case err == nil && r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
		l.refusals++
	case err == nil:
		l.odd = append(l.odd, r)
	}
	l.open = append(l.open, ids...)
}

// next gives a new event or, now and again, one that was sent without success.
func (l *ledger) next() (id, sent string) {
	l.mu.Lock()
	if len(l.open) == 0 || rand.N(4) > 0 {
		l.mu.Unlock()
		return l.fresh()
	}
	defer l.mu.Unlock()
	id = l.open[rand.N(len(l.open))]
	return id, l.blobs[id]
}

// fresh gives a new event.
func (l *ledger) fresh() (id, sent string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id = newID()
	l.blobs[id] = blob(id)
	return id, l.blobs[id]
}

// send lets so many browsers send one to three events at a time until stopped, some of them
// events that an earlier process was killed over.
func (b *brine) send(browsers int, l *ledger) (stop func()) {
	ctx, cancel := context.WithCancel(b.tb.Context())
	var all sync.WaitGroup
	for range browsers {
		s := b.session()
		all.Go(func() {
			for ctx.Err() == nil {
				var ids, blobs []string
				for range 1 + rand.N(3) {
					id, sent := l.next()
					ids, blobs = append(ids, id), append(blobs, sent)
				}
				r, err := s.send(blobs...)
				l.note(ids, r, err)
				if err != nil {
					return // the door is gone
				}
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// checkWholeFiles opens every Parquet file that a killed brine has put in its place.
func checkWholeFiles(t *testing.T, b *brine) {
	t.Helper()
	conn, done := b.duck()
	defer done()
	for _, path := range b.lakeFiles() {
		b.countIn(conn, path)
	}
}

// duck opens a DuckDB that may read the lake.
func (b *brine) duck() (conn *duck.Conn, done func()) {
	b.tb.Helper()
	db, err := duck.Open(duck.Options{Folders: []string{filepath.Join(b.data, "lake")}})
	if err != nil {
		b.tb.Fatal(err)
	}
	conn, err = db.Conn()
	if err != nil {
		b.tb.Fatal(err)
	}
	return conn, func() { conn.Close(); db.Close() }
}

// countRows is countIn with a DuckDB of its own.
func (b *brine) countRows(path string) int {
	b.tb.Helper()
	conn, done := b.duck()
	defer done()
	return b.countIn(conn, path)
}

// countIn reads a file of the lake whole, or those that a pattern stands for by the names of their columns, and gives
// the number of their rows.
func (b *brine) countIn(conn *duck.Conn, path string) (n int) {
	b.tb.Helper()
	lake := filepath.Join(b.data, "lake")
	rows, err := conn.Query(b.tb.Context(), "SELECT count(*), max(columns(*)::TEXT) FROM read_parquet("+duck.Quote(filepath.Join(lake, path))+", union_by_name=true, hive_partitioning=false)")
	if err != nil {
		b.tb.Fatalf("%s: %v", path, err)
	}
	defer rows.Close()
	for rows.Next() {
		n = int(rows.Vector(0).Int64(0))
	}
	if err := rows.Err(); err != nil {
		b.tb.Fatalf("%s: %v", path, err)
	}
	return n
}

// lakeFiles are the Parquet files that are in their place, as paths below the lake's folder.
func (b *brine) lakeFiles() (paths []string) {
	b.tb.Helper()
	lake := filepath.Join(b.data, "lake")
	err := filepath.WalkDir(lake, func(path string, d fs.DirEntry, err error) error {
		switch {
		case os.IsNotExist(err): // swept while we walked
			return nil
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "_aside":
			return fs.SkipDir
		case filepath.Ext(path) == ".parquet":
			rel, err := filepath.Rel(lake, path)
			paths = append(paths, rel)
			return err
		}
		return nil
	})
	if err != nil {
		b.tb.Fatal(err)
	}
	return paths
}
