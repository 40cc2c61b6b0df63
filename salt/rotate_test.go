package salt

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRotate(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	for _, c := range []struct{ at, want string }{
		{"2026-11-25T11", "make " + q4}, // the first one, for the whole period
		{"2026-11-25T11", ""},           // a second time nothing
		{"2026-12-28T23", ""},
		{"2026-12-29T01", "make " + q1}, // less than 72 h ahead
		{"2027-01-02T23", ""},
		{"2027-01-03T00", "destroy " + q4},
		{"2027-01-03T00", ""},
		{"2028-02-01T00", "destroy " + q1 + ", forget 2027040100_2028010100_2028010300, make 2028010100_2028040100_2028040300"}, // after a year without a rotation
	} {
		if got := what(h.rotateAt(at(c.at))); got != c.want {
			t.Errorf("%s: %s, want %s", c.at, got, c.want)
		}
	}
}

func TestRotateMakesTheFolder(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	h.remove(".")
	steps, err := h.folder.Rotate(h.now, true)
	if err != nil || what(steps) != "make "+q4 || h.has(".") {
		t.Errorf("a dry run: %s, %v", what(steps), err)
	}
	h.rotateAt(h.now)
	if i := must(os.Lstat(h.dir)); i.Mode() != os.ModeDir|0o700 {
		t.Error(i.Mode())
	}
	if i := must(os.Lstat(h.file(q4))); i.Mode() != 0o600 || i.Size() != 65 {
		t.Error(i.Mode(), i.Size())
	}
}

func TestRotateDry(t *testing.T) {
	h := newHouse(t, "2026-12-31T00")
	h.put(q3, testKey("q3"))
	h.put(".new-"+q4, "half")
	names := h.names()
	steps, err := h.folder.Rotate(h.now, true)
	if err != nil || what(steps) != "clear "+q4+", destroy "+q3+", make "+q4+", make "+q1 {
		t.Errorf("%s, %v", what(steps), err)
	}
	if _, err := os.Lstat(h.options.Records); h.names() != names || err == nil {
		t.Errorf("a dry run left %s, %v", h.names(), err)
	}
}

// Salts keep their END when the config changes; the next begins there, and ends where a period of
// the new config does.
func TestPeriodsChange(t *testing.T) {
	for _, c := range []struct{ name, period, start, at, want string }{
		{"QuarterToDays", "30d", "2026-01-01", "2026-12-30T00", "make 2027010100_2027012600_2027012800"},
		{"QuarterToHours", "36h", "2026-01-01", "2026-12-31T00", "make 2027010100_2027010200_2027010400, make 2027010200_2027010312_2027010512"},
		{"ToLonger", "365d", "2026-03-01", "2026-12-30T00", "make 2027010100_2027030100_2027030300"},
		{"NotYet", "1d", "2026-01-01", "2026-12-28T00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, "2026-11-25T11")
			h.rotateAt(h.now)
			h.options.Periods = mustPeriods(t, c.period, c.start, 48*time.Hour)
			h.open()
			if got := what(h.rotateAt(at(c.at))); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			h.do(h.folder.Check())
		})
	}
}

// A salt that is destroyed before its time takes the hours that had begun with it; those after
// them get one of their own, up to the same END.
func TestDestroyEarly(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	h.rotateAt(h.now)
	fingerprint := h.mustFor("2026-11-25T10").Fingerprint()
	h.now = at("2026-11-25T11").Add(25 * time.Minute)
	rec, err := h.folder.Destroy(q4)
	if err != nil || rec != (Record{at("2026-11-25T11"), Destroyed, q4, fingerprint}) || h.names() != "" {
		t.Fatal(rec, err, h.names())
	}
	h.wantFor("2026-11-25T11", ErrForgotten, "it was destroyed")
	h.wantFor("2026-11-25T12", ErrMissing, "run brine salt rotate")
	if got := what(h.rotateAt(h.now)); got != "make 2026112512_2027010100_2027010300" {
		t.Error(got)
	}
	h.wantFor("2026-11-25T11", ErrForgotten, "it was destroyed")
	h.mustFor("2026-11-25T12")
	h.wantFor("2026-10-01T00", ErrForgotten, "it was destroyed")
}

// With the next one waiting, the hole that an early end leaves is filled up to it.
func TestDestroyEarlyBetween(t *testing.T) {
	h := newHouse(t, "2026-12-30T00")
	h.rotateAt(h.now)
	if _, err := h.folder.Destroy(q4); err != nil {
		t.Fatal(err)
	}
	if got := what(h.rotateAt(h.now)); got != "make 2026123001_2027010100_2027010300" {
		t.Error(got)
	}
	if _, err := h.folder.Destroy(q1); err != nil { // it waits: no hour of it has begun
		t.Fatal(err)
	}
	if got := what(h.rotateAt(h.now)); got != "make "+q1 {
		t.Error(got)
	}
	h.mustFor("2027-01-01T00")
}

func TestDestroyWhatIsNotThere(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	h.rotateAt(h.now)
	for name, says := range map[string]string{q1: "no salt " + q1 + "; there are: " + q4, "../" + q4: "START is no time", "hello": "not a name"} {
		if _, err := h.folder.Destroy(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.remove(q4)
	if rec, err := h.folder.Destroy(q4); err != nil || rec.What != Gone || rec.Fingerprint == "" {
		t.Errorf("%v, %v", rec, err)
	}
	if got := what(h.rotateAt(h.now)); got != "make 2026112512_2027010100_2027010300" {
		t.Error(got)
	}
}

// What is overdue is destroyed whatever else is wrong, and although it is not in order itself.
func TestDestroyOverdueInDisorder(t *testing.T) {
	h := newHouse(t, "2026-10-03T00")
	h.put(q3, "short")
	h.chmod(q3, 0o644)
	h.put("hello", "x")
	steps, err := h.folder.Rotate(h.now, false)
	if what(steps) != "destroy "+q3 || !errors.Is(err, ErrBroken) || h.names() != "hello" {
		t.Errorf("%s, %v: %s", what(steps), err, h.names())
	}
	h.link("/etc/hostname", q3) // what it points to is left alone
	if _, err := h.folder.Rotate(h.now, false); err == nil || !strings.Contains(err.Error(), q3+": it is no file of Brine's") {
		t.Error(err)
	}
}

// A salt that comes back after it was destroyed, as from a backup, is destroyed again.
func TestDestroyAgain(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	h.rotateAt(h.now)
	key := h.content(q4)
	if _, err := h.folder.Destroy(q4); err != nil {
		t.Fatal(err)
	}
	h.put(q4, key)
	h.wantFor("2026-11-25T10", ErrForgotten, "")
	if got := what(h.rotateAt(h.now)); got != "destroy "+q4+", make 2026112512_2027010100_2027010300" {
		t.Error(got)
	}
}

func TestRecords(t *testing.T) {
	h := newHouse(t, "2026-12-30T00")
	var told []Record
	h.options.Told = func(r Record) { told = append(told, r) }
	h.open()
	h.put(q4, testKey("q4"))
	h.rotateAt(h.now)
	h.rotateAt(at("2027-01-03T05"))
	got := ""
	for _, r := range told {
		got += r.At.Format("2006-01-02T15 ") + string(r.What) + " " + r.Salt + "\n"
	}
	if want := "2026-12-30T00 seen " + q4 + "\n2026-12-30T00 made " + q1 + "\n2027-01-03T05 destroying " + q4 + "\n2027-01-03T05 destroyed " + q4 + "\n"; got != want {
		t.Errorf("\n%s", got)
	}
	if n := strings.Count(h.recorded(), "\n"); n != len(told) {
		t.Errorf("%d lines of %d records", n, len(told))
	}
	if want := `{"at":"2026-12-30T00:00:00Z","what":"seen","salt":"` + q4 + `","fingerprint":"` + told[0].Fingerprint + `"}`; !strings.HasPrefix(h.recorded(), want) || len(told[0].Fingerprint) != 16 {
		t.Error(h.recorded())
	}
}

// Run by many at once, a rotation makes one salt and destroys one.
func TestRotateAtOnce(t *testing.T) {
	h := newHouse(t, "2026-12-31T00")
	h.put(q3, testKey("q3"))
	var all sync.WaitGroup
	var mu sync.Mutex
	count := map[string]int{}
	for range 16 {
		all.Go(func() {
			folder, err := Open(h.dir, h.options)
			if err != nil {
				t.Error(err)
				return
			}
			steps, err := folder.Rotate(h.now, false)
			if err != nil {
				t.Error(err)
			}
			if _, err := folder.For(at("2026-12-31T00")); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range steps {
				count[string(s.Do)+" "+s.Salt]++
			}
		})
	}
	all.Wait()
	if len(count) != 3 || count["destroy "+q3] != 1 || count["make "+q4] != 1 || count["make "+q1] != 1 {
		t.Error(count)
	}
}

// Whatever the config is changed to, whenever it is rotated and whatever is destroyed, each hour
// that has begun has had one salt, the same whenever it was asked for, and none after its time.
func TestRotateProperty(t *testing.T) {
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 1))
		h, d := memHouse(t, "2026-02-01T00")
		seen := map[time.Time]string{}
		for range 40 {
			switch random.IntN(8) {
			case 0:
				period := []string{"quarter", "1d", "7d", "5h", "12h", "40d"}[random.IntN(6)]
				h.options.Periods = mustPeriods(t, period, "2026-01-01", time.Duration(random.IntN(100))*time.Hour)
				h.open()
			case 1:
				if files := must(d.list(h.dir)); len(files) > 0 {
					if _, err := h.folder.Destroy(files[random.IntN(len(files))].name); err != nil {
						t.Fatal(err)
					}
				}
			}
			h.now = h.now.Add(time.Duration(random.IntN(int(90 * time.Hour))))
			h.rotateAt(h.now)
			h.do(h.folder.Check())
			h.checkHours(seen, random)
		}
	}
}

// checkHours asks for many hours, before and after now, of one look.
func (h *house) checkHours(seen map[time.Time]string, random *rand.Rand) {
	h.t.Helper()
	h.do(h.folder.locked(func(s *state) error {
		this := h.now.Truncate(time.Hour)
		for hour := this.Add(-200 * time.Hour); hour.Before(this.Add(ahead)); hour = hour.Add(time.Duration(1+random.IntN(3)) * time.Hour) {
			salt, err := s.choose(hour)
			switch {
			case errors.Is(err, ErrForgotten) && !hour.After(this):
				seen[hour] = "gone"
			case err != nil:
				h.t.Fatalf("%s at %s: %v", hour, h.now, err)
			case seen[hour] == "gone":
				h.t.Fatalf("%s at %s has a salt again", hour, h.now)
			case !salt.Period.Holds(hour) || salt.Period.Due(h.now):
				h.t.Fatalf("%s at %s has %s", hour, h.now, salt)
			case hour.After(this): // its salt may still be destroyed before it is used
			case seen[hour] != "" && seen[hour] != salt.Fingerprint():
				h.t.Fatalf("%s at %s has another salt", hour, h.now)
			default:
				seen[hour] = salt.Fingerprint()
			}
		}
		return nil
	}))
}

func TestStatus(t *testing.T) {
	h := newHouse(t, "2026-10-02T12")
	h.put("2026040100_2026070100_2026070300", testKey("q2"))
	h.put(q3, testKey("q3"))
	h.put(q4, testKey("q4"))
	h.put(q1, testKey("q1"))
	h.put("2027040100_2027070100_2027070300", "short")
	st := h.folder.Status()
	var states []string
	for _, s := range st.Salts {
		states = append(states, string(s.State))
	}
	if got := strings.Join(states, ", "); got != "overdue, grace, in force, waiting, broken" {
		t.Error(got)
	}
	if !st.NextRotation.Equal(at("2027-01-01T00")) || len(st.Faults) != 1 || st.Next.Do != Destroy {
		t.Errorf("%+v", st)
	}
}

func TestStatusNext(t *testing.T) {
	h := newHouse(t, "2026-10-02T12")
	want := func(when string, do Do, salt string) {
		t.Helper()
		if got := h.folder.Status().Next; got == nil || *got != (Next{at(when), do, salt}) {
			t.Errorf("%+v, want %s %s %s", got, when, do, salt)
		}
	}
	want("2026-10-02T12", Make, q4)
	h.put(q3, testKey("q3"))
	h.put(q4, testKey("q4"))
	want("2026-10-03T00", Destroy, q3)
	h.rotateAt(at("2026-10-03T00"))
	want("2026-12-29T00", Make, q1)
	h.rotateAt(at("2026-12-29T01"))
	want("2027-01-03T00", Destroy, q4)
}

// A server rotates by itself, tries again after a failure, tells both, and waits while the clock is not believed.
func TestRotator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, "2026-12-31T23")
		h.put(q4, testKey("q4"))
		begin := time.Now()
		start := h.now.Add(30 * time.Minute)
		h.options.Now = func() time.Time { return start.Add(time.Since(begin)) }
		h.open()
		var log strings.Builder
		jumped := errors.New("the clock jumped")
		var held atomic.Bool
		r := &Rotator{Folder: h.folder, Logger: slog.New(slog.NewTextHandler(&log, nil)), Hold: func() error {
			if held.Load() {
				return jumped
			}
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); r.Run(ctx) }()
		synctest.Wait()
		if r.Err() != nil || h.names() != q4+" "+q1 {
			t.Error(r.Err(), h.names())
		}
		h.put("hello", "x")
		time.Sleep(lookEvery + time.Second)
		synctest.Wait()
		if r.Err() == nil || !strings.Contains(log.String(), "salts/hello: not a name of a salt") {
			t.Error(r.Err(), log.String())
		}
		held.Store(true)
		h.remove("hello")
		time.Sleep(72 * time.Hour)
		synctest.Wait()
		if r.Err() != jumped || !h.has(q4) {
			t.Error(r.Err(), h.names())
		}
		held.Store(false)
		time.Sleep(lookEvery)
		synctest.Wait()
		if r.Err() != nil || h.has(q4) || !strings.Contains(log.String(), "in order again") {
			t.Error(r.Err(), h.names())
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 2 {
			t.Errorf("two faults were told %d times", n)
		}
		cancel()
		<-done
	})
}

func TestRotatorExternal(t *testing.T) {
	h := newHouse(t, "2026-11-25T11")
	h.options.External = true
	h.open()
	r := &Rotator{Folder: h.folder, Logger: slog.New(slog.DiscardHandler)}
	r.Turn()
	if r.Err() != nil || h.names() != "" {
		t.Error(r.Err(), h.names())
	}
	h.put(q3, testKey("q3"))
	r.Turn()
	h.remove(q3) // it was used for nothing, and still there was one
	if names, err := h.folder.Within(at("2026-09-30T22"), at("2026-09-30T23")); err != nil || len(names) != 1 || names[0] != q3 {
		t.Error(names, err)
	}
	h.put(q4, "short")
	r.Turn()
	if !errors.Is(r.Err(), ErrBroken) {
		t.Error(r.Err())
	}
}
