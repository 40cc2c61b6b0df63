package kpi

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

var experimentName = regexp.MustCompile(`^[a-z0-9_.-]{1,32}$`)

func (p *definer) segment(e entry) {
	before := len(p.mistakes)
	s := Segment{Name: e.name, Title: e.name}
	p.keys(e.path, e.value, map[string]func(entry){
		"title":      p.into(&s.Title),
		"field":      p.into(&s.Field),
		"experiment": p.into(&s.Experiment),
		"values":     func(e entry) { p.values(e, &s) },
		"buckets":    func(e entry) { p.buckets(e, &s) },
	})
	switch {
	case len(p.mistakes) > before:
	case (s.Field == "") == (s.Experiment == ""):
		p.mistake(e.path, "like field: user_agent.os", "a segment goes by either a field or an experiment")
	case s.Experiment != "" && !experimentName.MatchString(s.Experiment):
		p.mistake(e.path+".experiment", "", "an experiment's name is of a-z, 0-9 and _ . -, at most 32 characters")
	case len(s.Values) > 0 && len(s.Buckets) > 0:
		p.mistake(e.path, "take one of them off", "either values or buckets")
	}
	for _, other := range p.d.Segments {
		if other.path() == s.path() && len(p.mistakes) == before {
			p.mistake(e.path, "make one of the two", "%s goes by %s already: their values could be subtracted from each other", other.Name, s.path())
		}
	}
	if p.sound(e.path, before) {
		p.d.Segments = append(p.d.Segments, s)
	}
}

// values reads what the field may hold for each value.
func (p *definer) values(e entry, s *Segment) {
	s.Values = map[string][]string{}
	taken := map[string]string{}
	for _, one := range p.listed(e, "values and what the field holds for them, like macOS: [\"Mac*\", \"OS X*\"]") {
		for _, alias := range p.texts(one, mostAliases) {
			switch {
			case alias == "*", strings.Contains(strings.TrimSuffix(alias, "*"), "*"):
				p.mistake(one.path, "all else is Other by itself", "%q: a * may only stand at the end of something", alias)
			case taken[alias] != "":
				p.mistake(one.path, "list it once", "%q stands for %s already", alias, taken[alias])
			default:
				taken[alias] = one.name
				s.Values[one.name] = append(s.Values[one.name], alias)
			}
		}
		s.Order = append(s.Order, one.name)
	}
}

// buckets reads where each value begins.
func (p *definer) buckets(e entry, s *Segment) {
	for _, one := range p.listed(e, "values and the number that each begins at, like {mobile: 0, tablet: 640}") {
		from, ok := p.number(one)
		if last := len(s.Buckets) - 1; ok && last >= 0 && from <= s.Buckets[last].From {
			p.mistake(one.path, "list them from small to large", "begins at %v, no higher than the one before", from)
		}
		s.Buckets = append(s.Buckets, Bucket{from, one.name})
		s.Order = append(s.Order, one.name)
	}
}

// listed are the keys that name values of a segment.
func (p *definer) listed(e entry, want string) (all []entry) {
	for _, one := range p.entries(e.path, e.value, want) {
		switch {
		case one.name == "" || len(one.name) > 64:
			p.mistake(one.path, "", "a value has 1 to 64 characters")
		case one.name == Other || one.name == Unknown:
			p.mistake(one.path, "take it off", "%s is what Brine calls the values that are not listed, or absent", one.name)
		default:
			all = append(all, one)
		}
	}
	if _, mapping := e.value.(*ast.MappingNode); mapping && len(all) == 0 {
		p.mistake(e.path, "", "nothing is listed")
	}
	if len(all) > mostValues {
		p.mistake(e.path, "join some", "%d values: at most %d are told apart", len(all), mostValues)
		all = all[:mostValues]
	}
	return all
}
