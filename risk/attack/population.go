package attack

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"brine/event"
	"brine/intake"
	"brine/lake/duck"
	"brine/sanitize"
	"brine/simulate"
)

const (
	streamName = "app_session"
	unit       = "app_install_id"
)

// rules are allowlists of simulated sessions.
var rules = map[string]string{
	"fine": `
app_session:
  dt: {floor: 10m}
  app_install_id: hash
  is_anon: keep
  languages: keep
  primary_language: keep
  length_ms: {bucket: [15000, 30000, 60000, 120000, 240000, 480000]}
  session_data:
    total_pages: {bucket: [1, 2, 3, 5, 8, 13]}
    from_search: {bucket: [1, 2, 3, 5, 8]}
`,
	"usual": `
app_session:
  dt: {floor: 1h}
  app_install_id: hash
  is_anon: keep
  languages: keep
  length_ms: {bucket: [60000, 600000]}
  session_data:
    total_pages: {bucket: [1, 5, 20]}
`,
	"coarse": `
app_session:
  dt: {floor: 1d}
  app_install_id: hash
  is_anon: keep
  primary_language: {only: [en-US, de, en-GB, es, fr, pt-BR]}
  length_ms: {bucket: [60000]}
`,
}

// Rules are the allowlist of a case.
func Rules(name string) string { return rules[name] }

// key is the HMAC key of a period. It is of the seed, so that a result can be had again: no salt is made here.
type key string

func (k key) Pseudonym(dst, value []byte) []byte {
	mac := hmac.New(sha256.New, []byte(k))
	mac.Write(value)
	return hex.AppendEncode(dst, mac.Sum(nil))
}

func (k key) PseudonymPerStream(dst []byte, stream string, value []byte) []byte {
	return k.Pseudonym(dst, append([]byte(stream+"\x00"), value...))
}

// population is installs with known truth, and what sanitized rows tell of them.
type population struct {
	seed     uint64
	installs []string
	seen     map[string][2]map[string]*profile // by rules: of each period the profiles, by install
}

// newPopulation simulates installs, and sanitizes their events.
func newPopulation(ctx context.Context, seed uint64, installs int) (*population, error) {
	p := &population{seed: seed, seen: map[string][2]map[string]*profile{}}
	var text bytes.Buffer
	a := simulate.Apps{Seed: seed, Days: 2 * periodDays, PerDay: int(perInstall * float64(installs)), Installs: installs, End: boundary.AddDate(0, 0, periodDays), Stream: streamName}
	if err := a.Write(&text); err != nil {
		return nil, err
	}
	periods, err := p.split(text.Bytes())
	if err != nil {
		return nil, err
	}
	db, err := duck.Open(duck.Options{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	conn, err := db.Conn()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stream, err := appStream()
	if err != nil {
		return nil, err
	}
	for name, list := range rules {
		plan, err := sanitize.Compile(stream, sanitize.Parse(name+" rules", []byte(list)), sanitize.Options{})
		if err != nil {
			return nil, err
		}
		var seen [2]map[string]*profile
		for i, lines := range periods {
			if seen[i], err = p.profiles(ctx, conn, stream, plan, lines); err != nil {
				return nil, err
			}
		}
		p.seen[name] = seen
	}
	return p, nil
}

func appStream() (*event.Stream, error) {
	schema, err := event.ParseSchema("app_session.yaml", simulate.AppSchema)
	if err != nil {
		return nil, err
	}
	columns, err := event.Columns(schema)
	return &event.Stream{Name: streamName, Time: "dt", Unit: unit, Schemas: []*event.Schema{schema}, Columns: columns}, err
}

// split puts the lines into their periods, and finds the installs.
func (p *population) split(text []byte) (periods [2][][]byte, err error) {
	met := map[string]bool{}
	for line := range bytes.Lines(text) {
		var e struct {
			DT      time.Time
			Install string `json:"app_install_id"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return periods, err
		}
		i := 0
		if !e.DT.Before(boundary) {
			i = 1
		}
		periods[i] = append(periods[i], line)
		if !met[e.Install] {
			met[e.Install] = true
			p.installs = append(p.installs, e.Install)
		}
	}
	slices.Sort(p.installs)
	return periods, nil
}

// profiles sanitizes a period's lines, and gathers what is seen of each install.
func (p *population) profiles(ctx context.Context, conn *duck.Conn, stream *event.Stream, plan *sanitize.Plan, lines [][]byte) (map[string]*profile, error) {
	feed := duck.NewFeed(stream.Columns, false)
	for _, line := range lines {
		if err := feed.Add(event.Key{}, bytes.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("a simulated session is no row: %w", err)
		}
	}
	table, done, err := conn.Feed(feed)
	if err != nil {
		return nil, err
	}
	defer done()
	secret := key(fmt.Sprint("of the seed ", p.seed))
	rows, end, err := plan.Select(conn, sanitize.Input{Rows: table + "()", Hour: boundary, Hasher: func() sanitize.Hasher { return secret }, Unordered: true})
	if err != nil {
		return nil, err
	}
	defer end()
	of := map[string]string{}
	for _, install := range p.installs {
		of[string(secret.Pseudonym(nil, []byte(install)))] = install
	}
	seen := map[string]*profile{}
	return seen, eachRow(ctx, conn, stream, plan, rows, func(pseudonym string, values []value) {
		install := of[pseudonym]
		if seen[install] == nil {
			seen[install] = &profile{counts: map[value]int{}}
		}
		seen[install].add(values)
	})
}

// eachRow gives what sanitized rows tell: when, and the value of each partial identifier. A time tells the hour of the day where it is finer than a
// day, and the day of the week.
func eachRow(ctx context.Context, conn *duck.Conn, stream *event.Stream, plan *sanitize.Plan, from string, use func(pseudonym string, values []value)) error {
	pseudonym, _, _ := plan.Unit(unit)
	at := duck.Ident(duck.KeyColumns[0].Name)
	selected := []string{pseudonym}
	var traits []string
	for _, leaf := range plan.Leaves(stream) {
		if !leaf.Time {
			traits = append(traits, fmt.Sprint(leaf.Path))
			selected = append(selected, "coalesce(CAST("+leaf.SQL()+" AS VARCHAR), '')")
			continue
		}
		if leaf.Rule.Floor < 24*time.Hour {
			traits = append(traits, "hour")
			selected = append(selected, fmt.Sprintf("(%s // 3600000 %% 24)::VARCHAR", at))
		}
		traits = append(traits, "day of the week")
		selected = append(selected, fmt.Sprintf("(%s // 86400000 %% 7)::VARCHAR", at))
	}
	rows, err := conn.Query(ctx, "SELECT "+join(selected)+" FROM "+from)
	if err != nil {
		return err
	}
	defer rows.Close()
	values := make([]value, len(traits))
	for rows.Next() {
		for i := range rows.Len() {
			for t, trait := range traits {
				values[t] = value{trait, string(rows.Vector(t + 1).String(i))}
			}
			use(string(rows.Vector(0).String(i)), values)
		}
	}
	return rows.Err()
}

// attack pairs the pseudonyms of the two periods, and counts how many it paired rightly.
func (p *population) attack(c Case) (t tally) {
	seen := p.seen[c.Rules]
	first, second := p.sampled(seen[0], c.Sampling, 0), p.sampled(seen[1], c.Sampling, 1)
	// Their order must tell nothing: where several assignments are equally good it decides.
	random := rand.New(rand.NewPCG(p.seed, 2))
	random.Shuffle(len(first), func(i, j int) { first[i], first[j] = first[j], first[i] })
	random.Shuffle(len(second), func(i, j int) { second[i], second[j] = second[j], second[i] })
	paired := match(profilesOf(seen[0], first, c.Salt == "same"), profilesOf(seen[1], second, c.Salt == "same"))
	right := make([]bool, len(first))
	both := 0
	for i, install := range first {
		right[i] = paired[i] >= 0 && second[paired[i]] == install
		if slices.Contains(second, install) {
			both++
		}
	}
	t.pseudonyms = len(first)
	t.relinked = share(right)
	t.chance = float64(both) / float64(len(first)*max(len(first), len(second)))
	order := make([]int, len(first))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(seen[0][first[i]].rows, seen[0][first[j]].rows), cmp.Compare(first[i], first[j]))
	})
	for k := range tenths {
		part := order[k*len(order)/tenths : (k+1)*len(order)/tenths]
		hits := make([]bool, len(part))
		for n, i := range part {
			hits[n] = right[i]
			t.rows[k] += float64(seen[0][first[i]].rows) / float64(len(part))
		}
		t.tenths[k] = share(hits)
	}
	return t
}

// sampled are the installs of a period that are in its sample.
func (p *population) sampled(seen map[string]*profile, sampling string, period int) (installs []string) {
	epochs := [2]string{"2026070100", "2026100100"}
	if sampling == "fixed" {
		epochs[1] = epochs[0]
	}
	for _, install := range p.installs {
		if seen[install] != nil && (sampling == "none" || intake.InSample(epochs[period], install, sampleRate)) {
			installs = append(installs, install)
		}
	}
	return installs
}

// profilesOf are those of some installs; where the salt is the same, their pseudonym is one more value of all rows.
func profilesOf(seen map[string]*profile, installs []string, same bool) (all []*profile) {
	for _, install := range installs {
		p := seen[install]
		if same {
			p = p.with(value{"pseudonym", install})
		}
		all = append(all, p)
	}
	return all
}

func share(hits []bool) float64 {
	n := 0
	for _, hit := range hits {
		if hit {
			n++
		}
	}
	return float64(n) / float64(max(1, len(hits)))
}
