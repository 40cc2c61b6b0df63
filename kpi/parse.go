package kpi

import (
	_ "embed"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"
	_ "time/tzdata" // a small container has no database of zones

	"github.com/goccy/go-yaml/ast"

	"brine/event"
	"brine/mistake"
)

// What one kpi.yaml may hold, so that what is computed for each interaction stays small.
const (
	mostSegments = 16
	mostFlows    = 16
	mostSteps    = 12 // of a flow
	mostKPIs     = 32
	mostChanges  = 200
	mostPatterns = 20 // of a step, an exclusion or a KPI
	mostValues   = MostValues - 2
	mostAliases  = 50
	mostBranches = 10
	maxText      = 200 // characters
	maxFile      = 1 << 20
)

//go:embed kpi.yaml
var shipped []byte

// ShippedFile is the name that messages have for the definitions that ship with Brine.
const ShippedFile = "(shipped) kpi.yaml"

// Shipped are the definitions that hold where the operator has none.
func Shipped() *Definitions {
	d, mistakes := Parse(ShippedFile, shipped)
	if len(mistakes) > 0 {
		panic(mistakes) // a test reads them too
	}
	return d
}

// ShippedText is the file that [Shipped] reads, to begin one's own with.
func ShippedText() string { return string(shipped) }

// None are definitions of nothing.
func None() *Definitions { return (&Definitions{Zone: time.UTC}).digested() }

// Load reads definitions from a file; "" gives the shipped ones. The error is of reading the file, or [Mistakes].
func Load(file string) (*Definitions, error) {
	if file == "" {
		return Shipped(), nil
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxFile {
		return nil, fmt.Errorf("read the KPIs: %s is over 1 MB", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the KPIs: %w", err)
	}
	d, mistakes := Parse(file, text)
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return d, nil
}

// Parse reads the text of a kpi.yaml; file is for messages. Where there are mistakes, the definitions have what could be
// read: not to compute by, but for [Definitions.Check] to find more.
func Parse(file string, text []byte) (*Definitions, Mistakes) {
	p := &definer{reader: reader{file: file, lines: map[string]int{}}, d: &Definitions{Zone: time.UTC}}
	if body := p.parse(text); body != nil {
		p.document(body)
	} else if len(p.mistakes) == 0 { // likelier half written than meant: it would be of nothing
		p.mistakeAt(0, "", "remove the key kpi of the config, or the file, for the shipped ones", "empty")
	}
	p.references()
	p.d.file, p.d.lines = file, p.lines
	p.d.sortChanges()
	return p.d.digested(), sorted(p.mistakes)
}

// definer makes definitions of what the reader reads.
type definer struct {
	reader
	d       *Definitions
	refused map[string]bool // paths of definitions that had a mistake: what refers to them is not judged
}

func (p *definer) document(body ast.Node) {
	var changes []entry // their moments are in the time zone, which may come after them
	p.keys("", body, map[string]func(entry){
		"timezone": p.timezone,
		"segments": func(e entry) {
			p.each(e, mostSegments, nameOf, "segments, like os: {field: user_agent.os}", p.segment)
		},
		"flows": func(e entry) {
			p.each(e, mostFlows, nameOf, "flows, like sign_in: {steps: [opened: screen.rp_info, signed_in: assertion_generated]}", p.flow)
		},
		"kpis": func(e entry) {
			p.each(e, mostKPIs, nameOf, "KPIs, like sign_in: {conversion: sign_in, better: more, smallest: 2 %}", p.kpi)
		},
		"changes": func(e entry) { changes = append(changes, e) },
		"publish": p.publish,
	})
	for _, e := range changes {
		p.each(e, mostChanges, changeName, "changes, like short_form: {at: 2026-11-16, moves: sign_in}", p.change)
	}
}

// each reads the definitions of a kind. One with a mistake is left out.
func (p *definer) each(e entry, most int, name *regexp.Regexp, want string, define func(entry)) {
	for _, one := range p.named(e.path, e.value, most, name, want) {
		define(one)
	}
}

// sound says whether nothing was wrong since there were so many mistakes; else what refers to the path is not judged.
func (p *definer) sound(path string, before int) bool {
	if len(p.mistakes) == before {
		return true
	}
	if p.refused == nil {
		p.refused = map[string]bool{}
	}
	p.refused[path] = true
	return false
}

func (p *definer) timezone(e entry) {
	var name string
	p.text(e, &name)
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		p.mistake(e.path, "like UTC or Europe/Berlin", "%q is no time zone of the IANA database", name)
		return
	}
	p.d.Zone = zone
}

func (p *definer) flow(e entry) {
	before := len(p.mistakes)
	f := Flow{Name: e.name, Title: e.name, Strict: true}
	p.keys(e.path, e.value, map[string]func(entry){
		"title":   p.into(&f.Title),
		"dialog":  p.into(&f.Dialog),
		"order":   func(e entry) { f.Strict = p.choice(e, "strict", "any") != "any" },
		"steps":   func(e entry) { f.Steps = p.steps(e) },
		"exclude": func(e entry) { f.Exclude = p.patterns(e) },
	})
	if before == len(p.mistakes) && len(f.Steps) < 2 {
		p.mistake(e.path, "like steps: [opened: screen.rp_info, signed_in: assertion_generated]", "a flow has at least two steps")
	}
	if p.sound(e.path, before) {
		p.d.Flows = append(p.d.Flows, f)
	}
}

// choice reads one of several words; the first where it is none of them, which is told.
func (p *definer) choice(e entry, words ...string) string {
	var word string
	p.text(e, &word)
	if !slices.Contains(words, word) {
		p.mistake(e.path, event.LikelyFix(word, words), "%q is none of the words for this", word)
		return words[0]
	}
	return word
}

// steps reads a list of mappings of one key each: a step's name, and its events or more about it.
func (p *definer) steps(e entry) (steps []Step) {
	list, ok := e.value.(*ast.SequenceNode)
	if !ok {
		p.mistake(e.path, "like [opened: screen.rp_info, signed_in: assertion_generated]", "steps are a list, as their order counts")
		return nil
	}
	if len(list.Values) > mostSteps {
		p.mistake(e.path, "leave out those that few drop off at", "%d steps: at most %d are taken", len(list.Values), mostSteps)
		return nil
	}
	for _, item := range list.Values {
		for _, one := range p.named(e.path, item, 1, nameOf, "a step, like opened: screen.rp_info") {
			if slices.ContainsFunc(steps, func(s Step) bool { return s.Name == one.name }) {
				p.mistake(one.path, "give it another name", "two steps of this name")
			}
			steps = append(steps, p.step(one))
		}
	}
	return steps
}

func (p *definer) step(e entry) Step {
	s := Step{Name: e.name, Title: e.name}
	if _, more := e.value.(*ast.MappingNode); !more {
		s.Events = p.patterns(e)
		return s
	}
	p.keys(e.path, e.value, map[string]func(entry){
		"title":  p.into(&s.Title),
		"events": func(e entry) { s.Events = p.patterns(e) },
	})
	if len(s.Events) == 0 {
		p.mistake(e.path, "like events: screen.rp_info", "a step without events")
	}
	return s
}

var patternOf = regexp.MustCompile(`^[A-Za-z0-9._:/-]{1,64}\*?$`)

// patterns reads names of events, or prefixes that end in *.
func (p *definer) patterns(e entry) (all []string) {
	for _, pattern := range p.texts(e, mostPatterns) {
		if !patternOf.MatchString(pattern) {
			p.mistake(e.path, `a name like screen.rp_info, or a prefix like "screen.error*"`, "%q is no name of an event", pattern)
			continue
		}
		all = append(all, pattern)
	}
	return all
}

// references are the names that one definition has for another.
func (p *definer) references() {
	for i := range p.d.KPIs {
		if k := &p.d.KPIs[i]; k.Flow != "" {
			p.flowOf(k)
		}
	}
	for _, k := range p.d.KPIs {
		p.apart(k)
	}
	p.publishable()
	for _, c := range p.d.Changes {
		p.known(mistake.Join("changes", c.Name)+".moves", "kpis", c.Moves, p.d.kpiNames(), "KPI")
		if what, fix := p.d.hidesRelease(c); what != "" {
			p.mistake(mistake.Join("changes", c.Name)+".release", fix, "%s", what)
		}
	}
}

// apart tells of a segment whose cells a KPI's numbers could be subtracted from; see withhold.go.
func (p *definer) apart(k KPI) {
	for _, s := range p.d.Segments {
		if k.Field != "" && k.Field == s.Field || k.Dialog != "" && s.Field == "dialog" {
			p.mistake(mistake.Join("kpis", k.Name), "take one of the two off", "segment %s goes by %s, too: their numbers could be subtracted from each other", s.Name, s.Field)
		}
	}
}

// known tells of a name that nothing has. A definition that had a mistake has its name all the same.
func (p *definer) known(path, kind, name string, names []string, what string) bool {
	if p.refused[mistake.Join(kind, name)] {
		return false
	}
	if !slices.Contains(names, name) {
		p.mistake(path, event.LikelyFix(name, names), "no %s is called %q", what, name)
		return false
	}
	return true
}

// flowOf sees to the flow of a KPI, and fills in its last step.
func (p *definer) flowOf(k *KPI) {
	path := mistake.Join("kpis", k.Name) + "." + string(k.Kind)
	if !p.known(path, "flows", k.Flow, p.d.flowNames(), "flow") {
		return
	}
	f := p.d.Flows[p.d.flow(k.Flow)]
	if k.From == "" && k.Kind == Conversion {
		k.From = f.Steps[0].Name
	}
	if k.To == "" {
		k.To = f.Steps[len(f.Steps)-1].Name
	}
	names := f.stepNames()
	for key, step := range map[string]string{"from": k.From, "to": k.To} {
		if step != "" {
			p.known(path+"."+key, "", step, names, "step of "+f.Name)
		}
	}
	if from, to := slices.Index(names, k.From), slices.Index(names, k.To); to >= 0 && from >= to {
		p.mistake(path, "name a later step in to", "step %s does not come before step %s", k.From, k.To)
	}
}

func (f Flow) stepNames() (names []string) {
	for _, s := range f.Steps {
		names = append(names, s.Name)
	}
	return names
}

func (d *Definitions) flowNames() (names []string) {
	for _, f := range d.Flows {
		names = append(names, f.Name)
	}
	return names
}

func (d *Definitions) kpiNames() (names []string) {
	for _, k := range d.KPIs {
		names = append(names, k.Name)
	}
	return names
}

func (d *Definitions) segmentNames() (names []string) {
	for _, s := range d.Segments {
		names = append(names, s.Name)
	}
	return names
}

// flow is the place of a flow, -1 where there is none.
func (d *Definitions) flow(name string) int { return slices.Index(d.flowNames(), name) }

// kpi is the place of a KPI, -1 where there is none.
func (d *Definitions) kpi(name string) int { return slices.Index(d.kpiNames(), name) }

// segment is the place of a segment, -1 where there is none.
func (d *Definitions) segment(name string) int { return slices.Index(d.segmentNames(), name) }

// step is the place of a step in a flow, -1 where there is none.
func (f Flow) step(name string) int { return slices.Index(f.stepNames(), name) }
