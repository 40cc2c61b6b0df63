package erasure_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"brine/erasure"
	"brine/event"
	"brine/lake"
	"brine/sanitize"
)

// An install that is erased is found in no file, by its id or by any pseudonym, and nobody else loses a row.
func TestErase(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	for range 3 {
		h.visit(ada)
		h.visit(bob)
		h.nextHour()
	}
	h.visit(ada) // in the open hour
	h.flush()
	h.visit(ada) // in the log
	h.visit(bob)
	secrets := append(ada.ids(), h.pseudonyms(ada, h.clock.Wall())...)
	for _, secret := range append(ada.ids(), secrets[2], secrets[6]) { // the pseudonym of hash, and that of web
		if len(h.holds(secret)) == 0 {
			t.Fatalf("no file holds %s: looking tells nothing", secret)
		}
	}

	numbers := []string{h.accept(ada.id), h.accept(fmt.Sprint(ada.serial))}
	h.wantState(numbers[0], erasure.Accepted)
	h.step()
	h.checkBobHas(t, 4, 3)
	h.checkCurrent(t)

	h.visit(ada) // the client had not stopped yet
	h.sweep()
	h.step()
	for _, number := range numbers {
		if r := h.wantState(number, erasure.Removed); r.CompleteBy != "2026-11-22" {
			t.Errorf("it is expected to be complete by %q", r.CompleteBy)
		}
	}
	h.nextDay()
	h.step()
	h.sweep()
	h.step()
	if found := h.holds(secrets...); len(found) > 0 {
		t.Errorf("found in %v", found)
	}
	h.checkBobHas(t, 4, 3)
	h.checkReceipts(t, numbers)
	h.checkSaidNothing(secrets...)
}

func (h *house) checkBobHas(t *testing.T, raw, sanitized int) {
	t.Helper()
	for stream := range units {
		if n, m := h.rows(lake.Raw, stream), h.rows(lake.Sanitized, stream); n != raw || m != sanitized {
			t.Errorf("%s holds %d raw rows and %d sanitized, want %d and %d", stream, n, m, raw, sanitized)
		}
	}
}

// checkCurrent wants what sanitized files say of themselves to be true still: no hour is stale.
func (h *house) checkCurrent(t *testing.T) {
	t.Helper()
	states, err := h.job.States(t.Context(), sanitize.Request{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.State != sanitize.Done {
			t.Errorf("%s is %s", s.Hour, s.State)
		}
	}
}

func (h *house) checkReceipts(t *testing.T, numbers []string) {
	t.Helper()
	for i, streams := range [][]string{{"app", "web"}, {"device"}} {
		r := h.wantState(numbers[i], erasure.Complete)
		var want []erasure.Removal
		for _, stream := range streams {
			want = append(want, erasure.Removal{Dataset: lake.Raw, Stream: stream, Rows: 6, Hours: 5},
				erasure.Removal{Dataset: lake.Sanitized, Stream: stream, Rows: 3, Hours: 3})
		}
		if !slices.Equal(r.Removed, want) {
			t.Errorf("the receipt says %+v, want %+v", r.Removed, want)
		}
		if r.Accepted != "2026-11-21" || r.Completed != "2026-11-22" || len(r.OutOfReach) != 3 || r.OutOfReach[0].Stream != "plain" {
			t.Errorf("the receipt is %+v", r)
		}
	}
	if left, err := os.ReadDir(h.path("erasures")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if st := h.erasures.Status(); st != (erasure.Status{}) {
		t.Errorf("the status is %+v", st)
	}
}

// What an install sent after it was removed is taken out by one more pass, at any time, and its erasure ends as it would have.
func TestAgain(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	inLake := func() []string {
		return slices.DeleteFunc(h.holds(ada.id), func(path string) bool { return strings.HasPrefix(path, "erasures/") })
	}
	h.visit(ada)
	h.visit(bob)
	number := h.accept(ada.id)
	h.step()
	h.visit(ada) // the client had not stopped yet
	h.flush()
	if len(inLake()) == 0 {
		t.Fatal("no file holds what came in: looking tells nothing")
	}
	if err := h.erasures.Again(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.sweep()
	if found := inLake(); len(found) > 0 {
		t.Errorf("found in %v", found)
	}
	h.wantState(number, erasure.Removed)
	h.visit(ada) // and has not still
	h.nextDay()
	h.step()
	h.sweep()
	h.step()
	if found := h.holds(ada.id); len(found) > 0 {
		t.Errorf("after it was complete, found in %v", found)
	}
	if got := h.wantState(number, erasure.Complete); len(got.Removed) == 0 {
		t.Errorf("the receipt says that nothing was removed: %+v", got)
	}
}

// A start takes requests up again, wherever they stand.
func TestStartTakesRequestsUp(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	h.visit(ada)
	h.nextHour()
	number := h.accept(ada.id)
	if info, err := os.Stat(h.path("erasures/" + number + ".json")); err != nil || info.Mode() != 0o600 || !info.ModTime().Equal(testStart.Add(time.Hour).Truncate(time.Hour)) {
		t.Errorf("the work file: %v, %v", info, err)
	}
	h.reopen()
	if again := h.accept(ada.id); again != number {
		t.Error("a request that waits is asked for once more, and is another one")
	}
	h.step()
	h.reopen()
	h.wantState(number, erasure.Removed)
	if again := h.accept(ada.id); again == number {
		t.Error("a request after the files were rewritten is taken for the one before")
	}
	h.nextDay()
	h.step()
	h.reopen()
	h.step()
	h.wantState(number, erasure.Complete)
	if r, err := erasure.ReadReceipt(h.path("erasures"), h.path("receipts"), number); err != nil || r.State != erasure.Complete {
		t.Errorf("the receipt at rest: %+v, %v", r, err)
	}
}

// What the salt no longer ties to an id is out of reach, and the receipt says so.
func TestOutOfReach(t *testing.T) {
	h := newHouse(t, usualList, "1d")
	h.visit(ada)
	h.nextHour()
	h.nextDay()
	h.nextDay() // its salt is destroyed
	h.visit(ada)
	h.nextHour()
	number := h.accept(ada.id)
	h.step()
	r := h.wantState(number, erasure.Removed)
	h.checkOut(t, r, "app", "salt", 1)
	h.checkOut(t, r, "web", "salt", 1)
	if n := h.rows(lake.Sanitized, "app"); n != 1 {
		t.Errorf("sanitized holds %d rows, want that of the destroyed salt", n)
	}
}

func (h *house) checkOut(t *testing.T, r erasure.Receipt, stream, why string, hours int) {
	t.Helper()
	for _, o := range r.OutOfReach {
		if o.Stream == stream && strings.Contains(o.Why, why) && o.Hours == hours {
			return
		}
	}
	t.Errorf("%s is not out of reach for its %s in %d hours: %+v", stream, why, hours, r.OutOfReach)
}

// drop takes an hour away, as retention would.
func (h *house) drop(dataset, stream string, hour time.Time) {
	h.tb.Helper()
	r, err := h.lake.Rewriter(lake.RewriteMemory)
	if err != nil {
		h.tb.Fatal(err)
	}
	defer r.Close()
	err = r.Hour(h.tb.Context(), stream, hour, func(held *lake.Hour) error { return held.Drop(h.tb.Context(), held.Files(dataset)) })
	if err != nil {
		h.tb.Fatal(err)
	}
}

// Pseudonyms of a backfill match nothing, so rows under them cannot be found.
func TestBackfillIsOutOfReach(t *testing.T) {
	h := newHouse(t, usualList, "1d")
	h.visit(ada)
	h.visit(bob)
	h.clock.advance(time.Hour)
	h.append("plain", `{"screen":"tick"}`)
	h.flush()
	h.compact()
	h.nextDay()
	h.nextDay()
	h.compact()
	h.sanitize(sanitize.Request{Backfill: true})
	number := h.accept(ada.id)
	h.step()
	h.checkOut(t, h.wantState(number, erasure.Removed), "app", "never stored", 1)
	if n := h.rows(lake.Raw, "app"); n != 1 {
		t.Errorf("raw holds %d rows", n)
	}
}

// Where the allowlist keeps the id, rows go by it; where it keeps no id, the hour is made anew while its raw events are there.
func TestRulesOfTheUnit(t *testing.T) {
	h := newHouse(t, "app: {install: keep, screen: keep}\nweb: {meta: {domain: keep}}\ndevice: {serial: {bucket: [100]}}\n", "quarter")
	h.visit(ada)
	h.visit(bob)
	h.nextHour()
	numbers := []string{h.accept(ada.id), h.accept(fmt.Sprint(ada.serial))}
	h.step()
	h.checkBobHas(t, 1, 1)
	h.checkCurrent(t)
	if r := h.wantState(numbers[0], erasure.Removed); len(r.Removed) != 4 || len(r.OutOfReach) != 3 {
		t.Errorf("the receipt is %+v", r)
	}
	for stream := range units {
		h.drop(lake.Raw, stream, testStart.Truncate(time.Hour))
	}
	number := h.accept(bob.id)
	h.step()
	r := h.wantState(number, erasure.Removed)
	h.checkOut(t, r, "web", "no identifier", 1)
	h.checkOut(t, r, "device", "coarsely", 1)
	if n := h.rows(lake.Sanitized, "app"); n != 0 {
		t.Errorf("app holds %d sanitized rows", n)
	}
}

// Lines that could not be read go too, where they hold the id.
func TestQuarantine(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	h.append("app", `{"install":"`+ada.id+`","screen":`)
	h.append("app", `{"install":"`+ada.id+"\",\"screen\":\"\xff\"}")
	h.append("device", `{"serial":`+fmt.Sprint(bob.serial)+`,"serial":{}}`)
	h.append("device", `{"serial":`+fmt.Sprint(bob.serial)+`0,"serial":{}}`)
	h.flush()
	before := len(h.query("SELECT line FROM read_parquet('" + h.path("lake/quarantine/lines/*/*/*.parquet") + "')"))
	odd := "a&b<c\n\u2028\""
	h.append("app", string(event.AppendString([]byte(`{"install":`), odd))+`,"screen":`)
	h.flush()
	number, other := h.accept(ada.id), h.accept(fmt.Sprint(bob.serial))
	h.accept(odd)
	h.step()
	h.sweep()
	left := h.query("SELECT line FROM read_parquet('" + h.path("lake/quarantine/lines/*/*/*.parquet") + "')")
	if before != 4 || len(left) != 1 || !strings.Contains(left[0], "420") {
		t.Errorf("of %d lines are left: %v", before, left)
	}
	if r := h.wantState(number, erasure.Removed); !slices.Contains(r.Removed, erasure.Removal{Dataset: lake.Quarantine, Stream: "lines", Rows: 2, Hours: 1}) {
		t.Errorf("the receipt is %+v", r)
	}
	h.wantState(other, erasure.Removed)
}

// A read that goes on is waited for, and ended after 10 minutes.
func TestReadsAreWaitedFor(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	h.visit(ada)
	h.nextHour()
	number := h.accept(ada.id)
	table, err := h.lake.Table(lake.Raw, "app")
	if err != nil {
		t.Fatal(err)
	}
	err = h.lake.Scan(t.Context(), lake.Query{Table: table, To: 1 << 60}, func(*lake.Rows) error {
		h.clock.advance(time.Second)
		h.step()
		h.nextDay()
		h.sweep()
		h.step()
		h.sweep()
		h.step()
		h.wantState(number, erasure.Removed)
		h.clock.advance(11 * time.Minute)
		h.step()
		return nil
	})
	if err != nil && !errors.Is(err, lake.ErrEnded) {
		t.Error(err)
	}
	h.step()
	h.wantState(number, erasure.Complete)
}

// A copy that is being made may hold what was in files before: it is waited for.
func TestACopyIsWaitedFor(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	copying := true
	h.openErasures(erasure.Options{Held: func() bool { return copying }})
	h.visit(ada)
	h.nextHour()
	number := h.accept(ada.id)
	h.step()
	h.nextDay()
	for range 2 {
		h.sweep()
		h.step()
	}
	h.wantState(number, erasure.Removed)
	copying = false
	h.step()
	h.wantState(number, erasure.Complete)
}

// A node that comes to lead after another made the last pass waits for what may still show the rows.
func TestReadsAreWaitedForAfterAnotherNode(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	h.openErasures(erasure.Options{Shared: true})
	h.visit(ada)
	h.nextHour()
	number := h.accept(ada.id)
	table, err := h.lake.Table(lake.Raw, "app")
	if err != nil {
		t.Fatal(err)
	}
	err = h.lake.Scan(t.Context(), lake.Query{Table: table, To: 1 << 60}, func(*lake.Rows) error {
		h.clock.advance(time.Second)
		h.step()
		h.nextDay()
		h.sweep()
		h.step()
		if h.erasures.Waiting()[number] != 2 {
			t.Error("the last pass is not made")
		}
		h.openErasures(erasure.Options{Shared: true})
		h.step()
		h.wantState(number, erasure.Removed)
		h.clock.advance(11 * time.Minute)
		h.step()
		return nil
	})
	if err != nil && !errors.Is(err, lake.ErrEnded) {
		t.Error(err)
	}
	h.sweep()
	h.step()
	h.wantState(number, erasure.Removed) // other nodes may read still
	h.clock.advance(11 * time.Minute)
	h.step()
	h.wantState(number, erasure.Complete)
}

// Where nodes share requests, one that was taken a while ago may be done on another node: what is asked for then is a request of its own.
func TestAcceptShared(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	h.openErasures(erasure.Options{Shared: true})
	number := h.accept(ada.id)
	if h.accept(ada.id) != number {
		t.Error("the same request at once is another one")
	}
	h.clock.advance(2 * time.Second)
	if h.accept(ada.id) == number {
		t.Error("it is taken for a request that may be done")
	}
}

func TestAccept(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	for name, unit := range map[string]string{"Empty": "", "TooLarge": strings.Repeat("x", erasure.MaxUnit+1), "NoText": "\xff"} {
		if _, err := h.erasures.Accept(unit, true); !errors.Is(err, erasure.ErrUnit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.RemoveAll(h.path("erasures")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.erasures.Accept(ada.id, true); err == nil || strings.Contains(err.Error(), ada.id) {
		t.Errorf("without a folder: %v", err)
	}
	if st := h.erasures.Status(); st.Accepted != 0 {
		t.Error("what was not durable is accepted")
	}
}

// Asked for by the public door, an install that nobody has heard of leaves nothing behind.
func TestQuietRequestLeavesNothing(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	h.visit(bob)
	for _, unit := range []string{"nobody", bob.id} {
		if _, err := h.erasures.Accept(unit, true); err != nil {
			t.Fatal(err)
		}
	}
	h.step()
	h.nextDay()
	h.step()
	h.sweep()
	h.step()
	receipts, err := os.ReadDir(h.path("receipts"))
	if err != nil || len(receipts) != 1 {
		t.Errorf("receipts: %v, %v", receipts, err)
	}
}

// What an operator asks for has a receipt of its own, which tells what was found, where the same install was asked for by the public door before.
func TestOperatorAfterQuietRequest(t *testing.T) {
	for name, shared := range map[string]bool{"OneNode": false, "SeveralNodes": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, usualList, "quarter")
			h.rotate()
			h.openErasures(erasure.Options{Shared: shared})
			h.visit(bob)
			numbers := map[string]string{}
			for _, unit := range []string{"nobody", bob.id} {
				quiet, err := h.erasures.Accept(unit, true)
				if err != nil {
					t.Fatal(err)
				}
				numbers[unit] = h.accept(unit)
				if again, err := h.erasures.Accept(unit, true); err != nil || quiet == numbers[unit] || again != numbers[unit] {
					t.Errorf("%s: the requests are %s, %s and %s (%v)", unit, quiet, numbers[unit], again, err)
				}
			}
			h.step()
			h.nextDay()
			h.step()
			h.sweep()
			h.clock.advance(time.Hour)
			h.step()
			h.wantState(numbers["nobody"], erasure.Complete)
			if r := h.wantState(numbers[bob.id], erasure.Complete); len(r.Removed) == 0 {
				t.Errorf("the receipt tells of nothing: %+v", r)
			}
		})
	}
}

// Ids that somebody makes up give their places up once they were looked for; who is in some row, or asked by another way, keeps his.
func TestMadeUpIdsKeepNobodyOut(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	h.openErasures(erasure.Options{Places: 6})
	h.visit(bob)
	h.accept("asked by an operator")
	real, err := h.erasures.Accept(bob.id, true)
	if err != nil {
		t.Fatal(err)
	}
	for made := range 10 {
		_, err := h.erasures.Accept(fmt.Sprintf("made up %d", made), true)
		if full := made == 4 || made == 8; full != errors.Is(err, erasure.ErrFull) {
			t.Fatalf("request %d: %v", made, err)
		} else if !full {
			continue
		}
		h.step()
		h.clock.advance(time.Second)
		if st := h.erasures.Status(); st.Accepted+st.Removed != 3 {
			t.Errorf("%+v are left", st)
		}
	}
	h.nextDay()
	h.step()
	h.sweep()
	h.step()
	h.wantState(real, erasure.Complete)
	if receipts, err := os.ReadDir(h.path("receipts")); err != nil || len(receipts) != 2 {
		t.Errorf("receipts: %v, %v", receipts, err)
	}
}

// A work file that cannot be read is told, and keeps nobody else waiting.
func TestBrokenWorkFile(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	h.visit(ada)
	number, other := h.accept(ada.id), h.accept(bob.id)
	path := h.path("erasures/" + other + ".json")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	h.step()
	h.wantState(number, erasure.Removed)
	if st := h.erasures.Status(); !strings.Contains(st.Error, path) || strings.Contains(st.Error, bob.id) {
		t.Errorf("the status is %+v", st)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	h.step()
	h.wantState(other, erasure.Removed)
}

// A file of several row groups keeps its order without the rows that went.
func TestOrderIsKept(t *testing.T) {
	h := newHouse(t, usualList, "quarter")
	table, err := h.lake.Table(lake.Raw, "app")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 200_000
	_, err = h.lake.Import(t.Context(), table, strings.Repeat("0", 64), func(yield func(event.Key, []byte) bool) {
		for i := range rows {
			key := event.Key{Time: testStart.Add(-2*time.Hour + time.Duration(i)*time.Millisecond).UnixMilli(), ID: [16]byte{byte(i >> 16), byte(i >> 8), byte(i)}}
			if !yield(key, fmt.Appendf(nil, `{"install":"install-%d","screen":"home"}`, i%4)) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	number := h.accept("install-3")
	h.step()
	if r := h.wantState(number, erasure.Removed); r.Removed[0].Rows != rows/4 {
		t.Errorf("the receipt is %+v", r)
	}
	n, last := 0, int64(0)
	for _, text := range h.query("SELECT CAST(brine_time AS VARCHAR) FROM read_parquet('" + h.newestOf("raw/app") + "')") {
		at, err := strconv.ParseInt(text, 10, 64)
		if n++; err != nil || at < last {
			t.Fatalf("row %d lies out of order: %v", n, err)
		}
		last = at
	}
	if n != rows*3/4 {
		t.Errorf("%d rows are left", n)
	}
}

// newestOf is the path of the one file of a stream that is read.
func (h *house) newestOf(stream string) string {
	h.tb.Helper()
	dataset, name, _ := strings.Cut(stream, "/")
	files := h.lake.List(dataset, name)
	if len(files) != 1 {
		h.tb.Fatalf("%s has %d files", stream, len(files))
	}
	return h.path("lake/" + files[0].String())
}

// What is erased is gone from an object store, too, and from the copies of it.
func TestObjectStore(t *testing.T) {
	for name, test := range map[string]func(*testing.T){"Erase": TestErase, "ReadsAreWaitedFor": TestReadsAreWaitedFor} {
		t.Run(name, test)
	}
}
