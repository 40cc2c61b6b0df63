package audit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"
)

var errPower = errors.New("no power")

// cutAt lets the power go before the n-th change to the disk, of which a part may be done.
func (d *memDisk) cutAt(n int, random *rand.Rand) (gone func() bool) {
	left := n
	d.before = func(op, _ string, content []byte) (int, error) {
		if left--; left >= 0 {
			return 0, nil
		}
		if left == -1 && op == "write" {
			return random.IntN(len(content) + 1), errPower
		}
		return 0, errPower
	}
	return func() bool { return left < 0 }
}

// work appends over some days and purges, until the power is gone. acknowledged are the records that it was told are kept.
func work(t *testing.T, d *memDisk, now *clock, acknowledged map[uint64]string) {
	l, err := Open(Options{Dir: memDir, Now: now.now, disk: d})
	if err != nil {
		return
	}
	for n := range 8 {
		who := fmt.Sprint("person ", rand.Int())
		number, err := l.Append(Record{Action: Login, Who: who})
		if err == nil {
			acknowledged[number] = who
		}
		now.add(9 * time.Hour)
		if n == 5 {
			_, _ = l.Purge(Purging{Now: now.now(), MaxAge: 24 * time.Hour, Yes: true})
		}
	}
}

// The power goes before each change in turn, 5 times each, and twice in a row: what was acknowledged and is not purged is
// there, verify finds nothing, before and after the audit goes on, and a head noted before still holds.
func TestPowerCut(t *testing.T) {
	for n, gone := 0, func() bool { return true }; gone(); n++ {
		for round := range 5 {
			random := rand.New(rand.NewPCG(uint64(n), uint64(round)))
			d, now, acknowledged := newMemDisk(), newClock(), map[uint64]string{}
			what := fmt.Sprintf("change %d, round %d", n, round)
			gone = d.cutAt(n, random)
			work(t, d, now, acknowledged)
			first := gone()
			d.powerCut(random)
			check(t, d, acknowledged, what)
			again := d.cutAt(random.IntN(8), random)
			work(t, d, now, acknowledged)
			if again() {
				d.powerCut(random)
			}
			d.healthy()
			check(t, d, acknowledged, what+", twice")
			work(t, d, now, acknowledged)
			check(t, d, acknowledged, what+", and after more records")
			gone = func() bool { return first }
			if t.Failed() {
				return
			}
		}
		if n > 200 {
			t.Fatal("the work has no end")
		}
	}
}

func check(t *testing.T, d *memDisk, acknowledged map[uint64]string, what string) {
	t.Helper()
	v, err := verify(d, memDir, nil)
	if err != nil || len(v.Findings) > 0 {
		for name, f := range d.files {
			t.Logf("%s\n%s", name, f.content)
		}
		t.Fatalf("%s: %v, %v", what, v.Findings, err)
	}
	there := map[uint64]string{}
	l := &Log{o: Options{Dir: memDir, Now: time.Now, disk: d}}
	for e, err := range l.Read(t.Context(), Filter{}) {
		if err != nil && !errors.Is(err, errNoRecord) { // a torn line that ends in a line break
			t.Fatal(what, err)
		}
		there[e.Number] = e.Who
	}
	for number, who := range acknowledged {
		if number >= v.First && there[number] != who {
			t.Fatalf("%s: record %d was acknowledged and is not there (%d to %d are)", what, number, v.First, v.Number)
		}
	}
}

// The disk is full, for a while: each append fails, in part written or not, and then goes on. Nothing that was acknowledged is lost.
func TestFullDisk(t *testing.T) {
	d, now, acknowledged := newMemDisk(), newClock(), map[uint64]string{}
	l := d.log(t, now)
	must(l.Append(Record{Action: Login, Who: "ada"}))
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		d.before = func(op, name string, content []byte) (int, error) {
			if op == "write" && random.IntN(2) == 0 || op == "sync" && random.IntN(8) == 0 {
				return random.IntN(len(content) + 1), syscall.ENOSPC
			}
			return 0, nil
		}
		number, err := l.Append(Record{Action: Login, Who: fmt.Sprint("person ", round)})
		if (l.Err() == nil) != (err == nil) {
			t.Fatalf("Append says %v, Err %v", err, l.Err())
		}
		if err == nil {
			acknowledged[number] = fmt.Sprint("person ", round)
		} else if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		now.add(time.Hour)
		if round%10 == 9 {
			d.healthy()
			number := must(l.Append(Record{Action: Login, Who: "ada"}))
			acknowledged[number] = "ada"
			check(t, d, acknowledged, fmt.Sprint("round ", round))
		}
	}
	if len(acknowledged) < 50 || len(acknowledged) > 180 {
		t.Errorf("%d of 220 were acknowledged", len(acknowledged))
	}
}

// A read whose beginning cannot be written does not begin.
func TestBeginRefused(t *testing.T) {
	d := newMemDisk()
	l := d.log(t, newClock())
	d.before = func(string, string, []byte) (int, error) { return 0, syscall.EROFS }
	if r, err := l.BeginRead(read("ada", "interaction")); err == nil || r != nil {
		t.Errorf("%v, %v", r, err)
	}
}

// Whatever waits goes in one group: a sync is shared.
func TestGroup(t *testing.T) {
	d, now := newMemDisk(), newClock()
	l := d.log(t, now)
	syncs, entered, release := 0, make(chan bool), make(chan bool)
	var once sync.Once
	d.before = func(op, name string, _ []byte) (int, error) {
		if op == "sync" {
			syncs++
		}
		once.Do(func() { entered <- true; <-release })
		return 0, nil
	}
	var all sync.WaitGroup
	all.Go(func() { must(l.Append(Record{Action: Login, Who: "ada"})) })
	<-entered
	for range 100 {
		all.Go(func() { must(l.Append(Record{Action: Login, Who: "ben"})) })
	}
	for waiting := 0; waiting < 100; {
		l.queued.Lock()
		waiting = len(l.queue)
		l.queued.Unlock()
	}
	release <- true
	all.Wait()
	if syncs > 8 {
		t.Errorf("101 appends took %d syncs", syncs)
	}
	v, err := verify(d, memDir, nil)
	clean(t, v, err)
}

func TestPurge(t *testing.T) {
	d := threeDays(t)
	now := &clock{}
	l := d.log(t, now)
	for _, c := range []struct {
		now  string
		want string
	}{
		{"2026-11-25T23:59", "[]"},
		{"2026-11-27T00:00", "[000000000001-2026-11-25.ndjson]"},
		{"2026-11-27T23:59", "[]"},
		{"2026-11-29T00:00", "[000000000003-2026-11-26.ndjson 000000000007-2026-11-27.ndjson]"},
	} {
		now.t = at(c.now)
		p := Purging{Now: now.t, MaxAge: 24 * time.Hour, Guard: 1, DryRun: true}
		if got := fmt.Sprint(must(l.Purge(p)).Files); got != c.want {
			t.Errorf("at %s %s would go, want %s", c.now, got, c.want)
		}
		p.DryRun = false
		if got := fmt.Sprint(must(l.Purge(p)).Files); got != c.want {
			t.Errorf("at %s %s went, want %s", c.now, got, c.want)
		}
		v, err := verify(d, memDir, nil)
		clean(t, v, err)
		if v.First == 1 && c.want != "[]" {
			t.Error("the first record is still there")
		}
	}
	now.t = at("2036-11-29T00:00")
	if done := must(l.Purge(Purging{Now: now.t})); done.Files != nil {
		t.Errorf("without a limit %s went", done.Files)
	}
	noted := Anchor{1, genesis}
	if v := must(verify(d, memDir, &noted)); len(v.Findings) != 1 {
		t.Errorf("of a purged record %v is found", v.Findings)
	}
}

// What would be much at once goes with a yes alone, and never by a time that is yet to come.
func TestPurgeGuard(t *testing.T) {
	d := threeDays(t)
	now := &clock{t: at("2026-11-28T12:00")}
	l := d.log(t, now)
	p := Purging{Now: at("2036-01-01T00:00"), MaxAge: 3 * 24 * time.Hour, Yes: true}
	if done := must(l.Purge(p)); len(done.Files) > 0 {
		t.Errorf("by a time that is yet to come %s went", done.Files)
	}
	now.t = p.Now
	p.Yes = false
	done := must(l.Purge(p))
	if !done.Stopped || len(done.Files) > 0 || done.Days != 3 || done.Share < 0.5 || done.Share > 1 {
		t.Errorf("with a clock that is ahead: %+v", done)
	}
	p.Yes = true
	if done := must(l.Purge(p)); done.Stopped || len(done.Files) != 3 {
		t.Errorf("with a yes: %+v", done)
	}
	v, err := verify(d, memDir, nil)
	clean(t, v, err)
}

// The clock jumps far ahead, then far back, for a record each: days go on having files of their own, which go when they
// are old, and none before.
func TestPurgeAfterAClockThatJumped(t *testing.T) {
	d, now := newMemDisk(), newClock()
	l := d.log(t, now)
	for _, day := range []string{"2026-11-24", "2099-01-01", "2026-11-25", "1970-01-01", "2026-11-26", "2026-11-27", "2026-11-28"} {
		now.t = at(day + "T12:00")
		must(l.Append(Record{Action: Login, Who: "ada"}))
	}
	for _, c := range []struct {
		now  string
		want string
	}{
		{"2026-11-26T12:00", "[000000000001-2026-11-24.ndjson]"},
		{"2026-11-27T12:00", "[000000000002-2099-01-01.ndjson 000000000003-2026-11-25.ndjson 000000000004-1970-01-01.ndjson]"},
		{"2026-11-28T12:00", "[000000000005-2026-11-26.ndjson]"},
	} {
		now.t = at(c.now)
		if got := fmt.Sprint(must(l.Purge(Purging{Now: now.t, MaxAge: 24 * time.Hour, Guard: 1})).Files); got != c.want {
			t.Errorf("at %s went %s, want %s", c.now, got, c.want)
		}
		v, err := verify(d, memDir, nil)
		clean(t, v, err)
	}
}
