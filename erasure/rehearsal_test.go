package erasure_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"brine/event"
	"brine/lake"
	"brine/sanitize"
)

// rehearsal is 200 days of a house in which the same installs send to two streams, every third day.
type rehearsal struct {
	*house
	periods []*rehearsed // of salts, in their order
}

// rehearsed is what is known of one salt period, noted while it lasted.
type rehearsed struct {
	name, key string
	ada, bob  string // their pseudonyms
	from, to  time.Time
}

const (
	rehearsalDays = 200
	visitEvery    = 3 // days
	visits        = rehearsalDays/visitEvery + 1
	rawDays       = 90
	mistake       = "kept-by-mistake.example.org"
)

const rehearsalList = "app: {install: hash, screen: keep}\nweb: {meta: {install: hash, domain: keep}}\n"

// TestRehearsal lives through 200 days on a simulated clock, with retention, rotation and sanitizing as
// a server does them, and then looks at what is left.
func TestRehearsal(t *testing.T) {
	r := &rehearsal{house: newHouse(t, rehearsalList, "quarter")}
	for n := range visits {
		r.visitDay(n)
	}
	r.wantRawWithin(rawDays)
	r.wantJoins()
	r.wantBackfillApart()
	r.wantTightened()
	r.wantErased(ada)
	r.wantNothingRaw()
}

// visitDay is one day with visits, an hour that closes, and what is done once a day; and the days after it, on which nobody comes.
func (r *rehearsal) visitDay(n int) {
	r.tb.Helper()
	r.note()
	for _, who := range []install{ada, bob} {
		at := r.clock.Wall().UTC().Format(time.RFC3339)
		r.append("app", fmt.Sprintf(`{"dt":%q,"install":%q,"screen":"home"}`, at, who.id))
		r.append("web", fmt.Sprintf(`{"dt":%q,"meta":{"install":%q,"domain":%q}}`, at, who.id, mistake))
	}
	r.nextHour()
	r.purge(rawDays * 24 * time.Hour)
	if n < visits-1 {
		r.clock.advance(visitEvery*24*time.Hour - time.Hour)
	}
}

// note notes the salt of the hour and what the installs are called under it.
func (r *rehearsal) note() {
	r.tb.Helper()
	r.rotate()
	key, err := r.salts.For(r.clock.Wall())
	if err != nil {
		r.tb.Fatal(err)
	}
	if n := len(r.periods); n > 0 && r.periods[n-1].name == key.Period.Name() {
		return
	}
	text, err := os.ReadFile(filepath.Join(r.path("salts"), key.Period.Name()))
	if err != nil {
		r.tb.Fatal(err)
	}
	h := key.Hasher()
	r.periods = append(r.periods, &rehearsed{key.Period.Name(), strings.TrimSpace(string(text)),
		string(h.Pseudonym(nil, []byte(ada.id))), string(h.Pseudonym(nil, []byte(bob.id))), key.Period.Start, key.Period.End})
}

func (r *rehearsal) purge(rawAge time.Duration) {
	r.tb.Helper()
	done, err := r.lake.Purge(r.tb.Context(), lake.Purge{Now: r.clock.Wall(), Yes: true, Retention: lake.Retention{
		Guard: 1, Limits: map[string]lake.Limit{lake.Raw: {MaxAge: rawAge}, lake.Quarantine: {MaxAge: rawAge}}}})
	if err != nil {
		r.tb.Fatal(err, done)
	}
}

// wantRawWithin wants raw to be no older than some days, and sanitized to go back to the first.
func (r *rehearsal) wantRawWithin(days int) {
	r.tb.Helper()
	raw, sanitized := r.lake.List(lake.Raw, "app"), r.lake.List(lake.Sanitized, "app")
	oldest := r.clock.Wall().Sub(raw[0].Hour)
	if oldest > time.Duration(days)*24*time.Hour || oldest < time.Duration(days-visitEvery-1)*24*time.Hour {
		r.tb.Errorf("raw goes back %s", oldest)
	}
	if len(sanitized) != visits || !sanitized[0].Hour.Equal(testStart.Truncate(time.Hour)) {
		r.tb.Errorf("%d hours are sanitized, the first %s", len(sanitized), sanitized[0].Hour)
	}
}

// installs are the pseudonyms that a stream has in a span of time, each once.
func (r *rehearsal) installs(stream, column string, from, to time.Time) []string {
	r.tb.Helper()
	var paths []string
	for _, f := range r.lake.List(lake.Sanitized, stream) {
		if !f.Hour.Before(from) && f.Hour.Before(to) {
			paths = append(paths, filepath.Join(r.path("lake"), f.String()))
		}
	}
	found := r.query("SELECT DISTINCT " + column + " FROM read_parquet(['" + strings.Join(paths, "','") + "'], hive_partitioning=false)")
	slices.Sort(found)
	return found
}

// wantJoins wants two periods to be over and their salts gone, each period's pseudonyms to be the
// same in both streams all through it, and none to be those of another period.
func (r *rehearsal) wantJoins() {
	r.tb.Helper()
	if len(r.periods) != 3 {
		r.tb.Fatalf("there were %d periods", len(r.periods))
	}
	left, err := os.ReadDir(r.path("salts"))
	if err != nil {
		r.tb.Fatal(err)
	}
	met := map[string]string{}
	for i, p := range r.periods {
		there := slices.ContainsFunc(left, func(e os.DirEntry) bool { return e.Name() == p.name })
		if there != (i == 2) {
			r.tb.Errorf("salt %s: in the folder is %t", p.name, there)
		}
		want := []string{p.ada, p.bob}
		slices.Sort(want)
		for stream, column := range map[string]string{"app": "install", "web": "meta.install"} {
			if got := r.installs(stream, column, p.from, p.to); !slices.Equal(got, want) {
				r.tb.Errorf("%s in %s: %v, want %v", stream, p.name, got, want)
			}
		}
		for _, pseudonym := range want {
			if before, again := met[pseudonym]; again {
				r.tb.Errorf("a pseudonym of %s is one of %s", p.name, before)
			}
			met[pseudonym] = p.name
		}
	}
}

// wantBackfillApart imports events of a period whose salt is gone: they are refused, and by a backfill
// join neither the present period nor the rest of their own.
func (r *rehearsal) wantBackfillApart() {
	r.tb.Helper()
	late := r.periods[1].to.Add(-5 * 24 * time.Hour).Truncate(24 * time.Hour).Add(4 * time.Hour)
	table, err := r.lake.Table(lake.Raw, "app")
	if err != nil {
		r.tb.Fatal(err)
	}
	_, err = r.lake.Import(r.tb.Context(), table, strings.Repeat("a", 64), func(yield func(event.Key, []byte) bool) {
		yield(event.Key{Time: late.UnixMilli(), ID: uuid.New()}, fmt.Appendf(nil, `{"dt":%q,"install":%q,"screen":"late"}`, late.Format(time.RFC3339), ada.id))
	})
	if err != nil {
		r.tb.Fatal(err)
	}
	report, err := r.job.Run(r.tb.Context(), sanitize.Request{})
	if err != nil || len(report.Refused) != 1 || !strings.Contains(report.Refused[0].Why, "gone") {
		r.tb.Fatalf("an hour without its salt: %+v, %v", report, err)
	}
	r.sanitize(sanitize.Request{Backfill: true})
	got := r.installs("app", "install", late, late.Add(time.Hour))
	if len(got) != 1 {
		r.tb.Fatalf("the backfilled hour has %v", got)
	}
	for _, p := range r.periods {
		if got[0] == p.ada || got[0] == p.bob {
			r.tb.Errorf("the backfilled hour joins %s", p.name)
		}
	}
}

// wantTightened takes a field off the list that was kept for the whole time.
func (r *rehearsal) wantTightened() {
	r.tb.Helper()
	sanitized := func() []string {
		return slices.DeleteFunc(r.holds(mistake), func(file string) bool { return !strings.HasPrefix(file, "lake/"+lake.Sanitized) })
	}
	if len(sanitized()) != visits {
		r.tb.Fatal("the mistake is not in every file")
	}
	r.list = strings.Replace(rehearsalList, ", domain: keep", "", 1)
	report, err := r.job.Tighten(r.tb.Context(), false, nil)
	if err != nil || report.Files != visits || len(report.Refused) != 0 {
		r.tb.Fatalf("%+v, %v", report, err)
	}
	r.sweep()
	if left := sanitized(); len(left) != 0 {
		r.tb.Errorf("after tightening %d files hold the field, like %s", len(left), left[0])
	}
}

// wantErased erases an install: nothing that a living salt or raw data can find is left.
func (r *rehearsal) wantErased(who install) {
	r.tb.Helper()
	present := r.periods[2].ada
	if len(r.holds(who.id)) == 0 || len(r.holds(present)) == 0 {
		r.tb.Fatal("there is nothing to erase")
	}
	number := r.accept(who.id)
	r.step()
	r.sweep()
	r.step()
	r.nextDay()
	r.step()
	r.sweep()
	r.step()
	r.wantState(number, "complete")
	if left := append(r.holds(who.id), r.holds(present)...); len(left) != 0 {
		r.tb.Errorf("the erased install is in %v", left)
	}
}

// wantNothingRaw lets all that is raw grow old, and searches every file.
func (r *rehearsal) wantNothingRaw() {
	r.tb.Helper()
	r.clock.advance((rawDays + 1) * 24 * time.Hour)
	r.nextDay()
	r.purge(rawDays * 24 * time.Hour)
	r.nextDay()
	if left := r.holds(ada.id, bob.id); len(left) != 0 {
		r.tb.Errorf("raw ids are in %v", left)
	}
	for _, p := range r.periods {
		if left := r.holds(p.key); len(left) != 0 {
			r.tb.Errorf("the salt %s is in %v", p.name, left)
		}
	}
}
