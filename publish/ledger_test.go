package publish

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/kpi"
	"brine/lake/store/s3test"
)

func mustOpenLedger(t testing.TB, dir string) *Ledger {
	t.Helper()
	l, err := OpenLedger(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// spending is what publishes one total.
func spending(epsilon, day, all kpi.Epsilon) *kpi.Publish {
	return &kpi.Publish{From: "2026-12-01", Zone: time.UTC, Day: day, All: all, Totals: []kpi.Total{{Name: "visits", KPI: "visits", Epsilon: epsilon}}}
}

// drawn are figures that are other ones each time.
func drawn() []TotalsOfDay {
	v := float64(rand.Uint32())
	return []TotalsOfDay{{Name: "visits", Unit: kpi.UnitCount, Epsilon: 10_000, Cells: []Figure{{Figure: &v, Low: &v, High: &v}}}}
}

// contents are the bytes of all releases, by name.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "2*.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = string(text)
	}
	return all
}

// Whatever two processes do to one folder in whatever order, opened anew in between, crashing on the way or with a full disk: a day is published once, stays
// as it is, and no more is spent than there is.
func TestLedgerModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir := filepath.Join(t.TempDir(), "publish")
		ledgers := []*Ledger{mustOpenLedger(t, dir), mustOpenLedger(t, dir)}
		model, spent := map[string]string{}, kpi.Epsilon(0)
		all := kpi.Epsilon(50_000 + rng.Int64N(150_000))
		for range 60 {
			i := rng.IntN(2)
			date := kpi.Date("2026-12-01").Plus(rng.IntN(20))
			epsilon := kpi.Epsilon(1 + rng.Int64N(20_000))
			switch rng.IntN(8) {
			case 0:
				ledgers[i] = mustOpenLedger(t, dir)
			case 1: // it dies while it writes
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(".%d", rng.Uint32())), []byte(`{"number":`), 0o600); err != nil {
					t.Fatal(err)
				}
			case 2: // it dies while noise is drawn
				func() {
					defer func() { recover() }()
					_ = ledgers[i].Publish(context.Background(), spending(epsilon, 20_000, all), date, func() []TotalsOfDay { panic("killed") })
				}()
			default:
				asked := false
				err := ledgers[i].Publish(context.Background(), spending(epsilon, 20_000, all), date, func() []TotalsOfDay { asked = true; return drawn() })
				_, published := model[string(date)]
				switch over := spent+epsilon > all; {
				case published && !errors.Is(err, ErrPublished), !published && over && !errors.As(err, new(Overspent)), !published && !over && err != nil:
					t.Fatalf("seed %d: %s published %v, %s of %s spent, %s asked: %v", seed, date, published, spent, all, epsilon, err)
				case err == nil != asked:
					t.Fatalf("seed %d: noise was drawn: %v; %v", seed, asked, err)
				case err == nil:
					model[string(date)] = contents(t, dir)[string(date)]
					spent += epsilon
				}
			}
			if got := contents(t, dir); fmt.Sprint(got) != fmt.Sprint(model) {
				t.Fatalf("seed %d: the folder holds %v, want %v", seed, got, model)
			}
		}
		last := mustOpenLedger(t, dir)
		if got := last.Spent(spending(1, 20_000, all)); got != spent || len(last.Releases()) != len(model) {
			t.Fatalf("seed %d: %s spent on %d days, want %s on %d", seed, got, len(last.Releases()), spent, len(model))
		}
	}
}

// A budget that is spent to the last ten-thousandth is spent; what it takes is told.
func TestBudget(t *testing.T) {
	l := mustOpenLedger(t, filepath.Join(t.TempDir(), "publish"))
	p := spending(3_333, 3_333, 9_999)
	for i := range 3 {
		if err := l.Publish(context.Background(), p, p.From.Plus(i), drawn); err != nil {
			t.Fatal(err)
		}
	}
	first := l.Releases()[0]
	if err := l.Look(t.Context()); err != nil || l.Releases()[0] != first {
		t.Errorf("a file that did not change is read again for each day: %v", err)
	}
	err := l.Publish(context.Background(), p, p.From.Plus(3), drawn)
	if !errors.As(err, new(Overspent)) || !strings.Contains(err.Error(), "0.9999 of an epsilon of 0.9999 is spent, and a day takes 0.3333") {
		t.Error(err)
	}
	if len(l.Releases()) != 3 {
		t.Error(len(l.Releases()))
	}
	if err := l.Publish(context.Background(), spending(2, 1, 100_000), p.From.Plus(3), drawn); !errors.As(err, new(Overspent)) {
		t.Errorf("a day spends more than a day may: %v", err)
	}
}

// Where a file is missing or damaged, what was spent is not known, and nothing is published until it is back.
func TestDamagedLedger(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"is missing": func(dir string) error {
			return os.Rename(filepath.Join(dir, "2026-12-02.json"), filepath.Join(dir, "kept"))
		},
		"the release of 2026-12-03 was there": func(dir string) error { // the newest, which no number after it tells of
			return os.Rename(filepath.Join(dir, "2026-12-03.json"), filepath.Join(dir, "kept"))
		},
		"unexpected": func(dir string) error { return os.Truncate(filepath.Join(dir, "2026-12-02.json"), 20) },
		"the release": func(dir string) error {
			return os.Rename(filepath.Join(dir, "2026-12-02.json"), filepath.Join(dir, "2026-12-04.json"))
		},
	} {
		dir := filepath.Join(t.TempDir(), "publish")
		l, p := mustOpenLedger(t, dir), spending(10_000, 10_000, 1_000_000)
		for i := range 3 {
			if err := l.Publish(context.Background(), p, p.From.Plus(i), drawn); err != nil {
				t.Fatal(err)
			}
		}
		before := contents(t, dir)
		if err := harm(dir); err != nil {
			t.Fatal(err)
		}
		for _, l := range []*Ledger{l, mustOpenLedger(t, dir)} {
			err := l.Publish(context.Background(), p, p.From.Plus(5), func() []TotalsOfDay { t.Error("noise was drawn"); return nil })
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "nothing is published") || l.Err() == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for day, text := range before {
			if err := os.WriteFile(filepath.Join(dir, day+".json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		os.Remove(filepath.Join(dir, "2026-12-04.json"))
		if err := l.Publish(context.Background(), p, p.From.Plus(5), drawn); err != nil {
			t.Errorf("mended: %v", err)
		}
	}
}

// Days that may have been published before a restore are not published again, and count as spent.
func TestSkippedDays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "publish")
	l, p := mustOpenLedger(t, dir), spending(10_000, 10_000, 60_000)
	if err := l.Publish(context.Background(), p, "2026-12-01", drawn); err != nil {
		t.Fatal(err)
	}
	if err := l.Skip(t.Context(), "2026-12-05"); err != nil {
		t.Fatal(err)
	}
	l = mustOpenLedger(t, dir)
	if err := l.Publish(context.Background(), p, "2026-12-03", drawn); !errors.Is(err, ErrSkipped) || l.Due(p, "2026-12-03") {
		t.Error(err)
	}
	if spent := l.Spent(p); spent != 40_000 {
		t.Error(spent)
	}
	later := *p
	if later.From = "2026-12-05"; l.Spent(&later) != 40_000 {
		t.Error("with a later first day, what may have been spent before is forgotten")
	}
	for i, want := range []bool{true, true, false} {
		if err := l.Publish(context.Background(), p, kpi.Date("2026-12-05").Plus(i), drawn); err == nil != want {
			t.Error(i, err)
		}
	}
}

// What may have been published after a backup counts by the most that was ever allowed, whatever kpi.yaml says after the restore: the ledger of the
// backup knows it, in a folder and brought over to an object store.
func TestSkippedDaysCountInFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "publish")
	before := mustOpenLedger(t, dir)
	asked := spending(10_000, 10_000, 100_000)
	for range 2 {
		if err := before.Ask(t.Context(), asked.From, asked.Day); err != nil {
			t.Fatal(err)
		}
	}
	if err := before.Publish(t.Context(), asked, asked.From, drawn); err != nil {
		t.Fatal(err)
	}
	if err := before.Skip(t.Context(), asked.From.Plus(10)); err != nil { // the backup is restored after nine more days
		t.Fatal(err)
	}
	lower, later := spending(1_000, 1_000, 100_000), spending(10_000, 10_000, 100_000)
	later.From = asked.From.Plus(10)
	wantOver := func(l *Ledger) {
		t.Helper()
		for _, p := range []*kpi.Publish{asked, lower, later} {
			err := l.Publish(t.Context(), p, asked.From.Plus(11), drawn)
			if !errors.As(err, new(Overspent)) || l.Spent(p) != asked.All {
				t.Errorf("of days at %s from %s on %s is spent, want %s (%v)", p.Day, p.From, l.Spent(p), asked.All, err)
			}
		}
		if err := l.Ask(t.Context(), later.From, lower.Day); err != nil || l.now().First != asked.From || l.now().Day != asked.Day {
			t.Errorf("%+v, %v", l.now().elsewhere, err)
		}
	}
	wantOver(mustOpenLedger(t, dir))
	s := s3test.Start(t)
	shared := mustShare(t, s.Address("brine", "lake"), dir)
	last := shared.now().last
	wantOver(shared)
	if shared.now().last != last {
		t.Error("what is known is written again")
	}
	if err := shared.Ask(t.Context(), asked.From.Plus(-1), asked.Day); err != nil || mustShare(t, s.Address("brine", "lake"), dir).now().First != asked.From.Plus(-1) {
		t.Error(err)
	}
}

// Where the timezone changes, no moment is published in two days.
func TestNoMomentInTwoDays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "publish")
	l, p := mustOpenLedger(t, dir), spending(10_000, 10_000, 90_000)
	if err := l.Publish(context.Background(), p, "2026-12-03", drawn); err != nil {
		t.Fatal(err)
	}
	l = mustOpenLedger(t, dir)
	for zone, free := range map[int][]bool{0: {true, false, true, true}, 1: {true, false, false, true}, -1: {false, false, true, true}} {
		other := *p
		other.Zone = time.FixedZone("other", zone*3600)
		for i, want := range free {
			date := kpi.Date("2026-12-02").Plus(i)
			if got := l.Due(&other, date); got != want {
				t.Errorf("UTC%+d, %s: %t", zone, date, got)
			}
			if want {
				continue
			}
			if err := l.Publish(context.Background(), &other, date, nil); !errors.Is(err, ErrOverlap) && !errors.Is(err, ErrPublished) {
				t.Error(zone, date, err)
			}
		}
	}
}

// Two processes that publish the same days and are killed at any moment: whatever either said is published is so afterwards, to the byte, and
// no more is spent than there is. They share a folder, or an object store and nothing else.
func TestKilledWhilePublishing(t *testing.T) {
	t.Run("Folder", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "publish")
		mustOpenLedger(t, dir)
		killWhilePublishing(t, 8, []string{dir, dir}, "", func() *Ledger { return mustOpenLedger(t, dir) })
	})
	t.Run("Objects", func(t *testing.T) {
		s := s3test.Start(t)
		dirs := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
		killWhilePublishing(t, 6, dirs, s.Address("brine", "lake"), func() *Ledger { return mustShare(t, s.Address("brine", "lake"), dirs[0]) })
	})
}

func killWhilePublishing(t *testing.T, rounds int, dirs []string, address string, open func() *Ledger) {
	said := map[string]string{}
	for round := range rounds {
		lines := make(chan string, 10_000)
		var processes []*exec.Cmd
		for _, dir := range dirs {
			cmd := exec.Command(os.Args[0], "-test.run=^TestPublishUntilKilled$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), "BRINE_PUBLISH="+dir, "BRINE_PUBLISH_SHARED="+address)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			processes = append(processes, cmd)
			go func() {
				for in := bufio.NewScanner(out); in.Scan(); {
					lines <- in.Text()
				}
				lines <- ""
			}()
		}
		first, ended := <-lines, 0
		time.Sleep(time.Duration(rand.Int64N(int64(40 * time.Millisecond))))
		for _, p := range processes {
			p.Process.Kill()
		}
		for line := first; ; line = <-lines {
			if day, sum, ok := strings.Cut(strings.TrimPrefix(line, "published "), " "); ok && strings.HasPrefix(line, "published ") {
				if before := said[day]; before != "" && before != sum {
					t.Fatalf("round %d: %s was published twice", round, day)
				}
				said[day] = sum
			}
			if line == "" {
				if ended++; ended == 2 {
					break
				}
			}
		}
		for _, p := range processes {
			p.Wait()
		}
		l := open()
		if err := l.Err(); err != nil {
			t.Fatal(err)
		}
		if spent := l.Spent(killedSpends); spent > killedSpends.All {
			t.Fatalf("%s is spent", spent)
		}
	}
	l := open() // what they left of the budget is spent, and no more
	var err error
	for i := 0; err == nil || errors.Is(err, ErrPublished); i++ {
		err = l.Publish(t.Context(), killedSpends, killedSpends.From.Plus(i), drawn)
	}
	if spent := l.Spent(killedSpends); !errors.As(err, new(Overspent)) || spent != killedSpends.All {
		t.Errorf("in the end %s of %s is spent: %v", spent, killedSpends.All, err)
	}
	now := sums(l)
	for day, sum := range said {
		if now[day] != sum {
			t.Errorf("%s is another one than was published", day)
		}
	}
	if len(said) == 0 {
		t.Error("nothing was published")
	}
	t.Logf("%d days were told, %d are there", len(said), len(now))
}

// sums tell the releases of a ledger, by day.
func sums(l *Ledger) map[string]string {
	all := map[string]string{}
	for _, r := range l.Releases() {
		all[string(r.Date)] = r.sum()
	}
	return all
}

// killedSpends has room for fewer days than are come to.
var killedSpends = spending(10_000, 10_000, 300_000)

// TestPublishUntilKilled is a process of the test above. It says that a day is published once that is durable.
func TestPublishUntilKilled(t *testing.T) {
	dir := os.Getenv("BRINE_PUBLISH")
	if dir == "" {
		return
	}
	l := &Ledger{}
	if address := os.Getenv("BRINE_PUBLISH_SHARED"); address != "" {
		l = mustShare(t, address, dir)
	} else {
		l = mustOpenLedger(t, dir)
	}
	for i := range 400 {
		date := killedSpends.From.Plus(i)
		if err := l.Publish(t.Context(), killedSpends, date, drawn); err != nil && !errors.Is(err, ErrPublished) {
			fmt.Println("stopped", err)
			return
		}
		fmt.Println("published", date, sums(l)[string(date)])
	}
}
