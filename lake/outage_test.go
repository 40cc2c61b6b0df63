package lake_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brine/event"
	"brine/lake"
	"brine/lake/store"
	"brine/lake/store/s3test"
)

// inStore is a house whose lake lies in an object store.
func inStore(t *testing.T) *house {
	t.Helper()
	h := &house{tb: t, dir: t.TempDir(), clock: &clock{}, point: func(string) {}, store: s3test.Start(t)}
	h.open()
	t.Cleanup(h.close)
	return h
}

// While the store is gone the log holds what comes, and what is at hand is read; afterwards all is stored once.
func TestStoreIsGone(t *testing.T) {
	h := inStore(t)
	a, b := click(testStart, 1), click(testStart, 2)
	h.append(a)
	h.flush()
	h.store.Fail(s3test.Gone)
	h.append(b, a)
	if err := h.lake.Flush(t.Context()); !errors.Is(err, store.ErrUnavailable) || !lake.Unavailable(err) {
		t.Fatal(err)
	}
	if err := h.lake.Err(); err != nil {
		t.Errorf("events would be refused, which the log can hold: %v", err)
	}
	if err := h.lake.Trouble(); err == nil || !strings.Contains(err.Error(), "s3://brine/lake/") {
		t.Errorf("nobody is told which store is gone: %v", err)
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), a)
	h.store.Fail(nil)
	h.flush()
	if err := h.lake.Trouble(); err != nil {
		t.Error(err)
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), a, b)
	h.reopen()
	wantRows(t, read(t, h.lake, lake.Raw, "click"), a, b)
}

// The store does what it is asked, and its answer is lost, at each request of a flush, one after the other.
func TestAnswersAreLost(t *testing.T) {
	for at := 1; ; at++ {
		h := inStore(t)
		first, a, b := click(testStart, 0), click(testStart, 1), click(testStart, 2)
		h.append(first)
		h.flush()
		h.append(a)
		var mu sync.Mutex
		n := 0
		lost := map[string]bool{}
		h.store.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			mu.Lock()
			key := r.Method + r.URL.String()
			if !lost[key] {
				n++
			}
			lose := n == at || lost[key] // again and again
			lost[key] = lose
			mu.Unlock()
			if lose {
				next.ServeHTTP(httptest.NewRecorder(), r)
				s3test.Gone(w, r, nil)
				return
			}
			next.ServeHTTP(w, r)
		})
		err := h.lake.Flush(t.Context())
		h.store.Fail(nil)
		if err == nil && n < at {
			t.Logf("a flush is %d requests", n)
			return
		}
		h.append(b, a)
		h.flush()
		wantRows(t, read(t, h.lake, lake.Raw, "click"), first, a, b)
		h.reopen()
		wantRows(t, read(t, h.lake, lake.Raw, "click"), first, a, b)
	}
}

// Wrong bytes are never read: not of a file, nor of the journal.
func TestWrongBytes(t *testing.T) {
	h := inStore(t)
	a := click(testStart, 1)
	h.append(a)
	h.flush()
	var asked atomic.Int32
	for _, wrong := range []string{".parquet", "_journal/"} {
		h.store.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, wrong) {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			text := answer.Body.Bytes()
			if answer.Code == http.StatusOK {
				text[len(text)/2] ^= 1
				text[len(text)/3] ^= byte(asked.Add(1)) // others each time
			}
			for _, key := range []string{"Content-Length", "Content-Type", "ETag", "Last-Modified"} {
				w.Header().Set(key, answer.Header().Get(key))
			}
			w.WriteHeader(answer.Code)
			w.Write(text)
		})
		other, err := h.tryOpen()
		if err == nil {
			defer other.Close()
			table, tableErr := other.Table(lake.Raw, "click")
			if tableErr != nil {
				t.Fatal(tableErr)
			}
			err = other.Scan(t.Context(), lake.Query{Table: table, To: 1 << 60}, func(*lake.Rows) error { return errors.New("rows of wrong bytes") })
		}
		if !errors.Is(err, store.ErrWrong) || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: %v", wrong, err)
		}
		h.store.Fail(nil)
		if other != nil {
			wantRows(t, read(t, other, lake.Raw, "click"), a)
		}
	}
}

// An object that is damaged at rest is left out by name, for reads and for the flush that looks into it, rather than to keep all of
// its range from being read. Once the store has it right again it counts again.
func TestADamagedObjectIsLeftOutByName(t *testing.T) {
	h := inStore(t)
	old, fresh := click(testStart, 1), click(testStart, 2)
	h.append(old)
	h.flush()
	h.clock.advance(time.Hour)
	h.reopen() // with an empty cache
	var key string
	for _, k := range h.store.Keys(t) {
		if strings.HasSuffix(k, ".parquet") {
			key = k
		}
	}
	right := h.store.Get(t, key)
	wrong := bytes.Clone(right)
	for i := 5; i < len(wrong)/2; i++ {
		wrong[i] ^= 0xff
	}
	h.store.Put(t, key, wrong)
	wantRows(t, read(t, h.lake, lake.Raw, "click"))
	h.append(fresh, old) // what is sent again is looked for in the damaged file
	for range 3 {        // the one that finds it may fail
		if h.lake.Flush(t.Context()) == nil {
			break
		}
	}
	if err := errors.Join(h.lake.Err(), h.lake.Trouble()); err != nil {
		t.Fatal("the flush does not get past it:", err)
	}
	_, faults, err := h.lake.Summaries(t.Context())
	if err != nil || len(faults) != 1 || !strings.HasSuffix(key, faults[0].Path) || !strings.Contains(faults[0].Why, "damaged in the object store") {
		t.Errorf("want %s told by name, got %v (%v)", key, faults, err)
	}
	h.lake.Mend(t.Context())
	if _, faults, _ := h.lake.Summaries(t.Context()); len(faults) != 1 {
		t.Errorf("it is damaged still, and told no more: %v", faults)
	}
	h.store.Put(t, key, right)
	h.lake.Mend(t.Context())
	if _, faults, _ := h.lake.Summaries(t.Context()); len(faults) != 0 {
		t.Errorf("it is whole again, and still told: %v", faults)
	}
	rows := read(t, h.lake, lake.Raw, "click")
	if !slices.Contains(rows, string(old.Row)) || !slices.Contains(rows, string(fresh.Row)) {
		t.Errorf("afterwards there are %v", rows)
	}
}

// tryOpen opens the lake for one who does not own it.
func (h *house) tryOpen() (*lake.Lake, error) {
	return lake.Open(h.tb.Context(), lake.Options{Tables: tables(), Now: h.clock.Wall, Store: h.store.Open(h.tb, "lake"), CacheDir: h.dir + "/cache"})
}

func (h *house) mustFollow() *lake.Lake {
	h.tb.Helper()
	l, err := h.tryOpen()
	if err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(l.Close)
	return l
}

// A store whose lists show nothing of what was written lately hides nothing from those who read or own the lake.
func TestListsAreLate(t *testing.T) {
	h := inStore(t)
	h.store.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("list-type") == "2" {
			w.Header().Set("Content-Type", "application/xml")
			io.WriteString(w, `<ListBucketResult><Name>brine</Name><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>`)
			return
		}
		next.ServeHTTP(w, r)
	})
	reader := h.mustFollow()
	var all []event.Record
	for n := range 3 {
		r := click(h.clock.Wall(), n)
		all = append(all, r)
		h.append(r)
		h.flush()
		wantRows(t, read(t, reader, lake.Raw, "click"), slices.Clone(all)...)
		wantRows(t, read(t, h.mustFollow(), lake.Raw, "click"), slices.Clone(all)...)
		h.reopen()
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all...)
}

// A few events wait in the log while their hour is open, for ten minutes at most.
func TestFewEventsWait(t *testing.T) {
	h := inStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	h.append(click(testStart, 1))
	objects := len(h.store.Keys(t)) + 1 // the entry that the hour has begun
	run := make(chan error, 1)
	cancel() // a single round
	go func() { run <- h.lake.Run(ctx) }()
	if err := <-run; err != nil {
		t.Fatal(err)
	}
	if now := len(h.store.Keys(t)); now != objects || len(h.files()) > 0 || h.lake.Unflushed() == 0 {
		t.Errorf("%d objects were written for one event", now-objects)
	}
	h.clock.advance(10 * time.Minute)
	go func() { run <- h.lake.Run(ctx) }()
	if err := <-run; err != nil {
		t.Fatal(err)
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), click(testStart, 1))
	var many []event.Record
	for n := range 1000 {
		many = append(many, click(testStart, n+1))
	}
	h.append(many...)
	go func() { run <- h.lake.Run(ctx) }()
	if err := <-run; err != nil || h.lake.Unflushed() > 0 {
		t.Error("a thousand events waited", err)
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), many...)
}

// late keeps requests back, as a network or a paused process does, until they are let go.
type late struct {
	mu   sync.Mutex
	kept []*http.Request
}

// keep is a fault: what it is said of by which is kept back, and nobody gets an answer.
func (l *late) keep(which func(*http.Request) bool) s3test.Fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !which(r) {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		again := r.Clone(context.Background())
		again.Body = io.NopCloser(bytes.NewReader(body))
		l.mu.Lock()
		l.kept = append(l.kept, again)
		l.mu.Unlock()
		s3test.Gone(w, r, nil)
	}
}

// letGo sends them all.
func (l *late) letGo(t *testing.T, s *s3test.Server) (sent int) {
	t.Helper()
	var once sync.Once // the lake may ask meanwhile
	s.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		once.Do(func() {
			for _, kept := range l.kept {
				answer := httptest.NewRecorder()
				next.ServeHTTP(answer, kept)
				t.Log(kept.Method, kept.URL.Path, answer.Code)
				sent++
			}
			s.Fail(nil)
		})
		next.ServeHTTP(w, r)
	})
	for range s.Open(t, "").List(t.Context(), "") { // any request will do
	}
	return sent
}

// An owner is paused at each kind of its writes, which arrive when another has long been the owner, has taken out a row
// for good and dropped an hour. Nothing of it comes back, nothing acknowledged is lost, and nothing is there twice.
func TestAPausedOwnerWritesLate(t *testing.T) {
	put := func(of string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == http.MethodPut && strings.Contains(r.URL.Path, of) }
	}
	for name, c := range map[string]struct {
		which func(*http.Request) bool
		work  func(*lake.Lake) error
	}{
		"FlushFile":    {put("/raw/"), func(l *lake.Lake) error { return l.Flush(context.Background()) }},
		"FlushEntry":   {put("/_journal/"), func(l *lake.Lake) error { return l.Flush(context.Background()) }},
		"CompactFile":  {put("/raw/"), func(l *lake.Lake) error { return l.Compact(context.Background()) }},
		"CompactEntry": {put("/_journal/"), func(l *lake.Lake) error { return l.Compact(context.Background()) }},
		"RewriteFile":  {put("/raw/"), rewriteHour},
		"RewriteEntry": {put("/_journal/"), rewriteHour},
	} {
		t.Run(name, func(t *testing.T) {
			h := inStore(t)
			gone, erased, kept := click(testStart, 1), click(testStart.Add(time.Hour), 2), click(testStart.Add(time.Hour), 3)
			h.append(gone)
			h.flush()
			h.clock.advance(time.Hour)
			h.append(erased)
			h.flush()
			h.append(kept)
			h.flush()
			h.clock.advance(time.Hour)
			later := click(h.clock.Wall(), 4)
			if name == "CompactFile" || name == "CompactEntry" {
				h.twoFiles(t)
				h.clock.advance(time.Hour)
				h.append(click(h.clock.Wall(), 40_000))
				h.flush()
			}
			before := read(t, h.lake, lake.Raw, "click")
			h.append(later)

			paused := &late{}
			h.store.Fail(paused.keep(c.which))
			if err := c.work(h.lake); err == nil {
				t.Fatal("it was not paused")
			}
			h.store.Fail(nil)
			next := h.mustFollow()
			mustOwn(t, next, h.log, 5)
			if err := next.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			first := testStart.Truncate(time.Hour)
			mustHour(t, next, first, func(hour *lake.Hour) error { return hour.Drop(t.Context(), hour.Files(lake.Raw)) })
			mustHour(t, next, first.Add(time.Hour), func(hour *lake.Hour) error { return rewrite(hour, lake.Raw, "text <> 'click 2'", nil) })

			if paused.letGo(t, h.store) == 0 {
				t.Fatal("nothing arrives late")
			}
			if err := h.lake.Flush(t.Context()); !errors.Is(err, lake.ErrFenced) {
				t.Errorf("the former owner goes on: %v", err)
			}
			want := slices.DeleteFunc(append(slices.Clone(before), string(later.Row)), func(row string) bool {
				return row == string(gone.Row) || row == string(erased.Row)
			})
			slices.Sort(want)
			mustOwn(t, next, h.log, 6)
			for who, l := range map[string]*lake.Lake{"the owner": next, "one who comes new": h.mustFollow()} {
				got := read(t, l, lake.Raw, "click")
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%s reads %d rows, not %d", who, len(got), len(want))
				}
			}
			for range 2 { // what came late is removed, and not what counts
				if err := next.SweepStrays(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			got := read(t, h.mustFollow(), lake.Raw, "click")
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("after the strays went %d rows are read, not %d", len(got), len(want))
			}
			for _, key := range h.files() {
				if strings.Contains(key, "hour="+first.Format("15")) {
					t.Errorf("%s is in the store, of an hour that was dropped", key)
				}
			}
		})
	}
}

// twoFiles makes an hour of two files, as the first is too large to be replaced.
func (h *house) twoFiles(t *testing.T) {
	t.Helper()
	var many []event.Record
	for n := range lake.SmallRows + 1 {
		many = append(many, click(h.clock.Wall(), 10+n))
	}
	h.append(many...)
	h.flush()
	h.append(click(h.clock.Wall(), 39_999))
	h.flush()
}

func mustHour(t *testing.T, l *lake.Lake, start time.Time, work func(*lake.Hour) error) {
	t.Helper()
	if err := withHour(t, l, start, work); err != nil {
		t.Fatal(err)
	}
}

// rewriteHour writes the second hour anew, as it is.
func rewriteHour(l *lake.Lake) error {
	r, err := l.Rewriter(lake.RewriteMemory)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Hour(context.Background(), "click", testStart.Truncate(time.Hour).Add(time.Hour), func(hour *lake.Hour) error {
		return rewrite(hour, lake.Raw, "true", nil)
	})
}

// The lake is owned anew, by the same process, while a file is written under the ownership before: it is a stray, and is swept as one,
// so it is not committed.
func TestAFileOfAnEarlierOwnership(t *testing.T) {
	for _, c := range []struct {
		point string
		work  func(*lake.Lake) error
		want  error
	}{
		{"rewrite-written", rewriteHour, lake.ErrReplaced},
		{"compact-written", func(l *lake.Lake) error { return l.Compact(context.Background()) }, nil}, // another round does it
	} {
		t.Run(c.point, func(t *testing.T) {
			h := inStore(t)
			h.clock.advance(time.Hour)
			h.append(click(h.clock.Wall(), 1))
			h.flush()
			h.twoFiles(t)
			h.clock.advance(time.Hour)
			h.append(click(h.clock.Wall(), 40_000))
			h.flush()
			want := read(t, h.lake, lake.Raw, "click")
			slices.Sort(want) // a rewrite of these tests does not
			owned := false
			h.point = func(p string) {
				if p != c.point || owned {
					return
				}
				owned = true
				mustOwn(t, h.lake, h.log, 5)
				if err := h.lake.SweepStrays(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if err := c.work(h.lake); !errors.Is(err, c.want) || !owned {
				t.Errorf("owned anew: %v; %v, want %v", owned, err, c.want)
			}
			h.point = func(string) {}
			if err := c.work(h.lake); err != nil {
				t.Errorf("another try: %v", err)
			}
			h.reopen() // without copies of its own
			got := read(t, h.lake, lake.Raw, "click")
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%d rows are left of %d", len(got), len(want))
			}
		})
	}
}

// What is in the journal counts, whatever the local disk says of a copy of it.
func TestACopyCannotBeKept(t *testing.T) {
	h := inStore(t)
	a, b := click(testStart, 1), interaction(testStart, 2)
	h.append(a, b)
	h.point = func(p string) {
		if p != "entry-put" {
			return
		}
		h.point = func(string) {}
		asides, err := filepath.Glob(filepath.Join(h.dir, "cache", "use-*", "_aside", "*.parquet"))
		if err != nil || len(asides) != 2 {
			t.Fatal(asides, err)
		}
		// In the way of the second one.
		if err := os.MkdirAll(filepath.Join(filepath.Dir(filepath.Dir(asides[1])), filepath.Base(asides[1]), "x"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := h.lake.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := h.lake.Err(); err != nil {
		t.Errorf("events are refused: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, "cache", "use-*", "_aside", "*.parquet")); len(left) > 0 {
		t.Errorf("left aside: %s", left)
	}
	h.reopen()
	wantRows(t, read(t, h.lake, lake.Raw, "click"), a)
	wantRows(t, read(t, h.lake, lake.Raw, event.Interaction), b)
}

// A file is swept under a read of one who does not own the lake: it is read again from its cover. One that the store has
// lost is told by name.
func TestSweptUnderAFollower(t *testing.T) {
	h := inStore(t)
	a, b := click(testStart, 1), click(testStart, 2)
	h.append(a)
	h.flush()
	reader := h.mustFollow()
	tries := 0
	count := func() (n int64, err error) {
		err = reader.Reading(t.Context(), func(ctx context.Context, r *lake.Reader) ([]lake.File, error) {
			files := reader.List(lake.Raw, "click")
			if tries++; tries == 1 {
				h.append(b)
				h.flush()
				h.sweep()
			}
			from, err := r.From(ctx, files)
			if err != nil {
				return files, err
			}
			rows, err := r.Query(ctx, "SELECT count(*) FROM "+from)
			if err != nil {
				return files, err
			}
			defer rows.Close()
			for rows.Next() {
				n = rows.Vector(0).Int64(0)
			}
			return files, rows.Err()
		})
		return n, err
	}
	if n, err := count(); err != nil || n != 2 || tries != 2 {
		t.Errorf("%d rows in %d tries, %v", n, tries, err)
	}
	if err := h.store.Open(t, "lake").Delete(t.Context(), h.files()[0]); err != nil {
		t.Fatal(err)
	}
	reader = h.mustFollow()
	if _, err := count(); !errors.Is(err, store.ErrWrong) || !strings.Contains(err.Error(), ".g2.e1.parquet") || !lake.Unavailable(err) {
		t.Error(err)
	}
}

// The cache holds less than the lake: hour after hour is read through it, and more at once is refused by name.
func TestCacheIsBounded(t *testing.T) {
	h := inStore(t)
	var all []event.Record
	var largest int64
	for hour := range 6 {
		var some []event.Record
		for n := range 25_000 { // more than is sorted without a thought
			some = append(some, click(h.clock.Wall(), 100_000*hour+n))
		}
		h.append(some...)
		h.flush()
		all = append(all, some...)
		h.clock.advance(time.Hour)
	}
	for _, f := range h.lake.List(lake.Raw, "click") {
		largest = max(largest, f.Size)
	}
	dir := h.dir + "/small"
	l, err := lake.Open(t.Context(), lake.Options{Tables: tables(), Now: h.clock.Wall, Store: h.store.Open(t, "lake"), CacheDir: dir, CacheBytes: 2 * largest})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		for _, r := range []int{0, 25_000 * 3, 25_000 * 5} {
			table, err := l.Table(lake.Raw, "click")
			if err != nil {
				t.Fatal(err)
			}
			n, from := 0, all[r].Key.Time
			err = l.Scan(t.Context(), lake.Query{Table: table, From: from, To: from + 1}, func(r *lake.Rows) error { n += r.Len(); return nil })
			if err != nil || n != 25_000 {
				t.Errorf("%d rows, %v", n, err)
			}
		}
	}
	var used int64
	copies, err := filepath.Glob(dir + "/use-*/*.parquet")
	if err != nil || len(copies) == 0 {
		t.Fatal(copies, err)
	}
	for _, path := range copies {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if used += info.Size(); info.ModTime().Minute() != 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, info.ModTime(), info.Mode())
		}
	}
	if used > 2*largest {
		t.Errorf("copies of %d bytes are there, over %d", used, 2*largest)
	}
}

// A rewrite whose file was written and whose answer was lost leaves nothing behind, though the owner stays the same.
func TestAFailedRewriteLeavesNothing(t *testing.T) {
	h := inStore(t)
	a := click(testStart.Add(time.Hour), 1)
	h.clock.advance(time.Hour)
	h.append(a)
	h.flush()
	h.store.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/raw/") {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		s3test.Gone(w, r, nil)
	})
	if err := rewriteHour(h.lake); !lake.Unavailable(err) {
		t.Fatal(err)
	}
	h.store.Fail(nil)
	if n := len(h.files()); n != 2 {
		t.Fatalf("%d files are there: nothing was left that could be swept", n)
	}
	checkCleanStore(t, h)
	wantRows(t, readClicks(t, h.lake), a)
	if err := rewriteHour(h.lake); err != nil {
		t.Fatal(err)
	}
	checkCleanStore(t, h)
	wantRows(t, readClicks(t, h.lake), a)
}

// Who stops does not wait for another's turn at a store that does not answer.
func TestStopWhileTheStoreIsSilent(t *testing.T) {
	h := inStore(t)
	reader := h.mustFollow()
	asked, end := make(chan struct{}, 100), make(chan struct{})
	h.store.Fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		asked <- struct{}{}
		<-end
		s3test.Gone(w, r, nil)
	})
	defer h.store.Fail(nil)
	defer close(end)
	<-asked // it follows each second
	ctx, stop := context.WithCancel(t.Context())
	owned := make(chan error, 1)
	go func() { owned <- reader.Own(ctx, h.log, 9) }()
	stop()
	select {
	case err := <-owned:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits")
	}
}
