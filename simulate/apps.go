package simulate

import (
	"cmp"
	_ "embed" // the schema
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// AppSchema is the JSON Schema (YAML) of what [Apps] writes.
//
//go:embed app_session.yaml
var AppSchema []byte

// AppSchemaID is the $id of AppSchema.
const AppSchemaID = "/simulate/app_session/1.0.0"

// Apps says how much history of an app to make: one event for each session of an install.
//
// Installs are the same whenever Seed is, with the same ids and habits, in every stream and every span of time: so
// histories can be made piece by piece, and joined over streams. A day's sessions hang on Seed, Stream, Installs,
// PerDay and the day alone.
type Apps struct {
	Seed     uint64
	Days     int       // how many days of history, at least 1
	PerDay   int       // how many sessions all installs have on a mean day, at least 1
	Installs int       // how many installs there are; default: half of PerDay, at least 1
	Rare     int       // how many more there are that nobody's habits hide: each reads in [RareLanguage] alone
	End      time.Time // the history ends before it
	Stream   string    // what meta.stream says; default app_session
	Schema   string    // what $schema says; default AppSchemaID. Any schema with the same fields will do
}

// RareLanguage is that of rare installs: Cornish, which no other reads in.
const RareLanguage = "kw"

// Write writes the history as NDJSON, one session a line, ordered by time. It holds a day of them in
// memory. An error is that of the configuration or of the writer.
func (a Apps) Write(w io.Writer) error {
	if a.Days < 1 || a.PerDay < 1 || a.Installs < 0 || a.Rare < 0 || a.End.IsZero() {
		return fmt.Errorf("simulate: %d days with %d sessions a day of %d installs up to %s: the days and sessions must be at least 1, and the end must be given",
			a.Days, a.PerDay, a.Installs, a.End.UTC().Format(time.RFC3339))
	}
	a.Stream, a.Schema = cmp.Or(a.Stream, "app_session"), cmp.Or(a.Schema, AppSchemaID)
	a.Installs = cmp.Or(a.Installs, max(a.PerDay/2, 1))
	installs := makeInstalls(a.Seed, a.Installs)
	for _, in := range makeInstalls(^a.Seed, a.Rare) {
		in.eagerness, in.languages = 2, []string{RareLanguage}
		installs = append(installs, in)
	}
	end := a.End.UTC()
	begin := end.AddDate(0, 0, -a.Days)
	var buf []byte
	for day := begin.Truncate(24 * time.Hour); day.Before(end); day = day.AddDate(0, 0, 1) {
		buf = buf[:0]
		s := &Source{random: rand.New(rand.NewPCG(a.Seed^a.streamSeed(), uint64(day.Unix())))}
		for _, session := range a.sessions(s, installs, day) {
			if !session.at.Before(begin) && session.at.Before(end) {
				buf = append(session.appendJSON(buf, a.Stream, a.Schema), '\n')
			}
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// streamSeed keeps the sessions of two streams apart.
func (a Apps) streamSeed() uint64 {
	h := fnv.New64a()
	h.Write([]byte(a.Stream))
	return h.Sum64()
}

// An install is one person's app: its habits are what could give it away.
type install struct {
	id        []byte
	eagerness float64 // how often it is used, compared with the mean
	hour      float64 // of the day (UTC) when it is used most
	length    float64 // median of a session's length, in ms
	pages     float64 // median of pages read in a session
	searcher  float64 // share of its pages that a search led to
	anonymous bool
	languages []string
}

// makeInstalls makes the first n installs of a seed. Their eagerness has a mean of 1.
func makeInstalls(seed uint64, n int) []install {
	all := make([]install, n)
	for i := range all {
		s := &Source{random: rand.New(rand.NewPCG(seed, 0x696e7374<<32|uint64(i)))}
		in := install{
			id:        s.appendUUID(nil),
			eagerness: s.logNormal(math.Exp(-0.5*0.9*0.9), 0.9),
			hour:      math.Mod(24+19+5*s.random.NormFloat64(), 24),
			length:    s.logNormal(95_000, 0.8),
			pages:     s.logNormal(4, 0.6),
			searcher:  s.random.Float64(),
			anonymous: s.happens(0.83),
			languages: []string{pick(s, languages)},
		}
		for s.happens(0.22) {
			if another := pick(s, languages); !slices.Contains(in.languages, another) {
				in.languages = append(in.languages, another)
			}
		}
		all[i] = in
	}
	return all
}

// A session is one use of the app.
type session struct {
	*install
	at               time.Time
	id               []byte // of the event
	sessionID        []byte
	length           int
	pages, searched  int
	latency, history int
}

// hourSpread is how far from its favourite hour an install is used, in hours (standard deviation).
const hourSpread = 2.5

// sessions draws one day's sessions of all installs, ordered by time.
func (a Apps) sessions(s *Source, installs []install, day time.Time) (all []session) {
	mean := float64(a.PerDay) / float64(a.Installs) * weekdays[day.Weekday()]
	for i := range installs {
		in := &installs[i]
		for range s.poisson(mean * in.eagerness) {
			hour := math.Mod(48+in.hour+hourSpread*s.random.NormFloat64(), 24)
			at := day.Add(time.Duration(hour * float64(time.Hour))).Truncate(time.Millisecond)
			all = append(all, s.session(in, at))
		}
	}
	slices.SortStableFunc(all, func(a, b session) int { return a.at.Compare(b.at) })
	return all
}

func (s *Source) session(in *install, at time.Time) session {
	pages := int(s.logNormal(in.pages, 0.5))
	searched := 0
	for range pages {
		if s.happens(in.searcher) {
			searched++
		}
	}
	return session{
		install: in, at: at, id: s.appendUUID(nil), sessionID: s.appendLetters(nil, 20),
		length: int(min(s.logNormal(in.length, 0.7), longest)), pages: pages, searched: searched,
		latency: int(s.logNormal(310, 0.4)), history: s.poisson(0.3),
	}
}

// appendLetters appends n of 0-9 and a-z.
func (s *Source) appendLetters(dst []byte, n int) []byte {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	for range n {
		dst = append(dst, letters[s.random.IntN(len(letters))])
	}
	return dst
}

// appendJSON appends the session as an app sends it, in the order of AppSchema: it is a row of its columns.
func (v *session) appendJSON(dst []byte, stream, schema string) []byte {
	dst = fmt.Appendf(dst, `{"$schema":%q,"app_install_id":%q,"app_session_id":%q,"dt":"`, schema, v.install.id, v.sessionID)
	dst = v.at.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, `","is_anon":`...)
	dst = strconv.AppendBool(dst, v.anonymous)
	dst = append(dst, `,"languages":[`...)
	for i, language := range v.languages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, language)
	}
	dst = fmt.Appendf(dst, `],"length_ms":%d,"primary_language":%q,"meta":{"dt":"`, v.length, v.languages[0])
	dst = v.at.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = fmt.Appendf(dst, `","id":%q,"stream":%q},`, v.id, stream)
	return fmt.Appendf(dst, `"session_data":{"from_history":%d,"from_internal":%d,"from_search":%d,"page_load_latency_ms":%d,"total_pages":%d}}`,
		v.history, v.pages-v.searched, v.searched, v.latency, v.pages+v.history)
}
