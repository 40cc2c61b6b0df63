package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"brine/kpi"
	"brine/lake/store"
	"brine/lake/store/s3test"
)

func mustBucket(t testing.TB, address string) *store.Bucket {
	t.Helper()
	a, err := store.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Open(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// mustShare opens a ledger in an object store, with what this process has seen of it beside dir.
func mustShare(t testing.TB, address, dir string) *Ledger {
	t.Helper()
	l := OpenSharedLedger(mustBucket(t, address), dir)
	if err := l.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// Whatever nodes do to one ledger in an object store in whatever order, opened anew in between, with requests that the store never gets and answers that get
// lost: a day is published once, stays as it is, and no more is spent than there is.
func TestSharedLedgerModel(t *testing.T) {
	s := s3test.Start(t)
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 2))
		address, dir := s.Address("brine", fmt.Sprint(seed)), t.TempDir()
		open := func(i int) *Ledger { return mustShare(t, address, filepath.Join(dir, fmt.Sprint(i))) }
		ledgers := []*Ledger{open(0), open(1)}
		model, spent := map[string]string{}, kpi.Epsilon(0)
		all := kpi.Epsilon(50_000 + rng.Int64N(150_000))
		for range 40 {
			i, fate := rng.IntN(2), rng.IntN(8)
			date, epsilon := kpi.Date("2026-12-01").Plus(rng.IntN(20)), kpi.Epsilon(1+rng.Int64N(20_000))
			if fate == 0 {
				ledgers[i] = open(i)
			}
			if fate < 3 { // a write fails: some come to the store nevertheless
				s.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					if r.Method == http.MethodPut {
						if fate == 1 {
							next.ServeHTTP(httptest.NewRecorder(), r)
						}
						w.WriteHeader(http.StatusBadRequest)
						return
					}
					next.ServeHTTP(w, r)
				})
			}
			err := ledgers[i].Publish(t.Context(), spending(epsilon, 20_000, all), date, drawn)
			s.Fail(nil)
			var now map[string]string
			if now = sums(open(2)); err == nil && now[string(date)] == "" {
				t.Fatalf("seed %d: %s was said to be published", seed, date)
			}
			if _, before := model[string(date)]; !before && now[string(date)] != "" {
				model[string(date)] = now[string(date)]
				spent += epsilon
			} else if err == nil {
				t.Fatalf("seed %d: %s was published twice", seed, date)
			}
			if !maps.Equal(now, model) || spent > all {
				t.Fatalf("seed %d: %v, want %v; %s of %s is spent", seed, now, model, spent, all)
			}
			if fate > 2 && err != nil && !errors.Is(err, ErrPublished) && !errors.As(err, new(Overspent)) {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for i, l := range ledgers {
			if err := l.Look(t.Context()); err != nil || l.Spent(spending(1, 20_000, all)) != spent {
				t.Errorf("seed %d: node %d: %s is spent, want %s (%v)", seed, i, l.Spent(spending(1, 20_000, all)), spent, err)
			}
		}
	}
}

// Nodes that take themselves for the one that publishes, at once: each day is one of theirs, and no more is spent than there is.
func TestNodesPublishAtOnce(t *testing.T) {
	s := s3test.Start(t)
	p := spending(10_000, 10_000, 100_000)
	var nodes sync.WaitGroup
	var published atomic.Int64
	said := make([]map[string]string, 3)
	for i := range said {
		said[i] = map[string]string{}
		l := mustShare(t, s.Address("brine", "lake"), filepath.Join(t.TempDir(), "publish"))
		nodes.Go(func() {
			for day := range 12 {
				date := p.From.Plus(day)
				switch err := l.Publish(context.Background(), p, date, drawn); {
				case err == nil:
					published.Add(1)
				case !errors.Is(err, ErrPublished) && !errors.As(err, new(Overspent)):
					t.Error(err)
				}
				maps.Copy(said[i], sums(l))
			}
		})
	}
	nodes.Wait()
	l := mustShare(t, s.Address("brine", "lake"), filepath.Join(t.TempDir(), "publish"))
	if n := published.Load(); n != 10 || len(l.Releases()) != 10 || l.Spent(p) != p.All {
		t.Errorf("%d days were said to be published, %d are, %s is spent", n, len(l.Releases()), l.Spent(p))
	}
	for i, saw := range said {
		for day, sum := range saw {
			if sums(l)[day] != sum {
				t.Errorf("node %d showed another release of %s", i, day)
			}
		}
	}
}

// Where an object is missing or damaged, be it the last, nothing is published until it is back: by any node, also one that has seen nothing yet.
func TestDamagedSharedLedger(t *testing.T) {
	s := s3test.Start(t)
	for name, harm := range map[string]func(b *store.Bucket, text []byte) error{
		"is missing": func(b *store.Bucket, _ []byte) error { return nil },
		"its sum is another": func(b *store.Bucket, text []byte) error {
			return b.Put(t.Context(), entryKey(3), []byte(strings.Replace(string(text), "1", "2", 1)))
		},
		"its number is 3":     func(b *store.Bucket, text []byte) error { return b.Put(t.Context(), entryKey(2), text) },
		"_published/00000000": func(b *store.Bucket, _ []byte) error { return b.Delete(t.Context(), entryKey(2)) },
	} {
		address := s.Address("brine", strings.ReplaceAll(name, " ", ""))
		b, dir, p := mustBucket(t, address), filepath.Join(t.TempDir(), "publish"), spending(10_000, 10_000, 1_000_000)
		l := mustShare(t, address, dir)
		for i := range 3 {
			if err := l.Publish(t.Context(), p, p.From.Plus(i), drawn); err != nil {
				t.Fatal(err)
			}
		}
		var texts [4][]byte
		for i := 1; i < 4; i++ {
			texts[i], _ = b.Get(t.Context(), entryKey(i))
		}
		if name == "its number is 3" {
			b.Delete(t.Context(), entryKey(2))
		} else {
			b.Delete(t.Context(), entryKey(3))
		}
		if err := harm(b, texts[3]); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{dir, filepath.Join(t.TempDir(), "publish")} {
			l := OpenSharedLedger(b, dir)
			err := l.Publish(t.Context(), p, p.From.Plus(5), func() []TotalsOfDay { t.Error("noise was drawn"); return nil })
			if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "nothing is published") || l.Err() == nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for i := 1; i < 4; i++ {
			b.Delete(t.Context(), entryKey(i))
			if err := b.Put(t.Context(), entryKey(i), texts[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := OpenSharedLedger(b, dir).Publish(t.Context(), p, p.From.Plus(5), drawn); err != nil {
			t.Errorf("%s: mended: %v", name, err)
		}
	}
}

// A ledger in a folder is brought over to the object store, whatever else is there, also where that is broken off; a backup of it is a folder again.
// What two ledgers published of the same hours counts twice, and is shown once.
func TestLedgerIsBroughtOver(t *testing.T) {
	s := s3test.Start(t)
	address, p := s.Address("brine", "lake"), spending(10_000, 10_000, 100_000)
	folders := []string{filepath.Join(t.TempDir(), "publish"), filepath.Join(t.TempDir(), "publish")}
	for i, days := range [][]int{{0, 1}, {1, 2}} {
		l := mustOpenLedger(t, folders[i])
		for _, day := range days {
			if err := l.Publish(t.Context(), p, p.From.Plus(day), drawn); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := mustOpenLedger(t, folders[1]).Skip(t.Context(), "2026-12-05"); err != nil {
		t.Fatal(err)
	}
	first := mustOpenLedger(t, folders[0])
	a := mustShare(t, address, folders[0])
	if fmt.Sprint(sums(a)) != fmt.Sprint(sums(first)) || a.Spent(p) != 20_000 {
		t.Errorf("%v, want %v", sums(a), sums(first))
	}
	var puts atomic.Int64
	s.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut && puts.Add(1) > 2 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
	if err := OpenSharedLedger(mustBucket(t, address), folders[1]).Look(t.Context()); err == nil {
		t.Fatal("the store did not fail")
	}
	s.Fail(nil)
	b := mustShare(t, address, folders[1])
	backup := filepath.Join(t.TempDir(), "snapshot", "publish")
	if err := b.Export(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	restored := mustShare(t, s.Address("brine", "restored"), backup)
	for name, l := range map[string]*Ledger{"brought over": b, "restored": restored} {
		if err := l.Look(t.Context()); err != nil {
			t.Error(name, err)
		}
		if spent := l.Spent(p); spent != 50_000 || len(l.Releases()) != 3 || sums(l)["2026-12-02"] != sums(first)["2026-12-02"] || l.Due(p, "2026-12-04") || !l.Due(p, "2026-12-05") {
			t.Errorf("%s: %s is spent (3 days, one of them twice, and one that may have been published)", name, spent)
		}
	}
	for _, folder := range append(folders, backup) {
		if _, err := os.Stat(folder); !os.IsNotExist(err) {
			t.Errorf("%s is there still: %v", folder, err)
		}
	}
	// Back to a folder without a restore: what was published is not known there.
	if l := mustOpenLedger(t, folders[1]); l.Err() == nil || !strings.Contains(l.Err().Error(), "was there, and is missing") {
		t.Error(l.Err())
	}
}

// A folder that was brought over goes as a whole: what a crash leaves of it is no ledger that lacks releases, and is removed at the next start.
func TestBroughtFolderGoesWhole(t *testing.T) {
	s, p := s3test.Start(t), spending(10_000, 10_000, 100_000)
	dir := filepath.Join(t.TempDir(), "publish")
	l := mustOpenLedger(t, dir)
	for i := range 2 {
		if err := l.Publish(t.Context(), p, p.From.Plus(i), drawn); err != nil {
			t.Fatal(err)
		}
	}
	shared := OpenSharedLedger(mustBucket(t, s.Address("brine", "lake")), dir)
	left := filepath.Join(dir+".brought", "2026-12-02.json")
	if err := errors.Join(os.Mkdir(filepath.Dir(left), 0o700), os.WriteFile(left, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := shared.Look(t.Context()); err == nil || mustOpenLedger(t, dir).Err() != nil || len(contents(t, dir)) != 2 {
		t.Errorf("the folder is not whole while it is not aside: %v", err)
	}
	if l := mustShare(t, s.Address("brine", "lake"), dir); len(l.Releases()) != 2 {
		t.Error(len(l.Releases()))
	}
	for _, path := range []string{dir, filepath.Dir(left)} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is there still: %v", path, err)
		}
	}
}
