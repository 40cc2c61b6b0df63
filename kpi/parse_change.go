package kpi

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

var (
	changeName  = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	releaseName = regexp.MustCompile(`^[0-9A-Za-z._-]{1,32}$`)
)

func (p *definer) change(e entry) {
	before := len(p.mistakes)
	c := Change{Name: e.name, Title: e.name}
	p.keys(e.path, e.value, map[string]func(entry){
		"title":      p.into(&c.Title),
		"at":         func(e entry) { p.moment(e, &c.At) },
		"release":    p.into(&c.Release),
		"experiment": p.into(&c.Experiment),
		"branches":   func(e entry) { p.branches(e, &c) },
		"link":       p.into(&c.Link),
		"moves":      p.into(&c.Moves),
	})
	if before == len(p.mistakes) {
		if what, fix := c.fault(); what != "" {
			p.mistake(e.path, fix, "%s", what)
		}
	}
	if p.sound(e.path, before) {
		p.d.Changes = append(p.d.Changes, c)
	}
}

// fault is what is wrong with a change by itself, and the likely fix; "" where nothing is.
func (c Change) fault() (what, fix string) {
	switch {
	case !changeName.MatchString(c.Name):
		return "a change's name is of a-z, 0-9, _ and -, at most 64 characters", "like " + suggestName(c.Name)
	case c.Moves == "":
		return "it does not say which KPI it is meant to move", "like moves: sign_in"
	case c.At.IsZero() && c.Release == "" && c.Experiment == "":
		return "it does not say when it was", "like at: 2026-11-16T09:00:00Z, or the release that has it, or the experiment"
	case c.Release != "" && c.Experiment != "":
		return "either a release or an experiment", "take one of them off"
	case c.Release != "" && !releaseName.MatchString(c.Release):
		return "a release is of 0-9, A-Z, a-z and . _ -, at most 32 characters", "like release: 2026.11.3"
	case c.Experiment != "" && !experimentName.MatchString(c.Experiment):
		return "an experiment's name is of a-z, 0-9 and _ . -, at most 32 characters", "like experiment: short_form"
	case len(c.Branches) > 0 && c.Experiment == "":
		return "only an experiment has branches", "say which experiment"
	case c.Experiment != "" && len(c.Branches) == 0:
		return "it does not say which branches of the experiment are compared", "like branches: [control, banner], the one without the change first"
	case len(c.Branches) == 1:
		return "a single branch has nothing to be compared with", "name the one without the change first, then the other"
	case len(c.Branches) > mostBranches:
		return fmt.Sprintf("%d branches: at most %d", len(c.Branches), mostBranches), "leave out the smallest"
	case slices.Contains(c.Branches, ""), len(slices.Compact(slices.Sorted(slices.Values(c.Branches)))) < len(c.Branches):
		return "a branch without a name, or named twice", "name each branch once"
	case len(c.Shares) > 0 && len(c.Shares) != len(c.Branches), slices.ContainsFunc(c.Shares, func(s float64) bool { return !(s > 0) || math.IsInf(s, 0) }):
		return "not every branch has a share above 0", "say what each branch was meant to get, like control=0.9, or say it of none"
	case strings.ContainsFunc(c.Title+c.Link+strings.Join(c.Branches, ""), unicode.IsControl):
		return "a title, link or branch with a control character, like a line break", "write it in one line"
	case len(c.Title) > maxText || len(c.Link) > 10*maxText:
		return "a title of over 200 or a link of over 2000 characters", "shorten it"
	}
	if u, err := url.Parse(c.Link); c.Link != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
		return "the link is no web address", "like https://example.org/tickets/123"
	}
	return "", ""
}

// momentForms are how a moment may be written; without a zone it is in that of the definitions.
var momentForms = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// ParseMoment reads when a change was.
func ParseMoment(text string, zone *time.Location) (time.Time, bool) {
	for _, form := range momentForms {
		if t, err := time.ParseInLocation(form, strings.TrimSpace(text), zone); err == nil && t.Year() >= 1990 && t.Year() < 2200 {
			if form == time.DateOnly {
				t = Date(strings.TrimSpace(text)).Start(zone)
			}
			return t, true
		}
	}
	return time.Time{}, false
}

func (p *definer) moment(e entry, dst *time.Time) {
	var text string
	p.text(e, &text)
	at, ok := ParseMoment(text, p.d.Zone)
	if !ok {
		p.mistake(e.path, "like 2026-11-16T09:00:00Z, or 2026-11-16 for its first moment", "%q is no time", text)
	}
	*dst = at
}

// branches reads a list of names, or names and the share that each was meant to get.
func (p *definer) branches(e entry, c *Change) {
	if _, shares := e.value.(*ast.MappingNode); !shares {
		c.Branches = p.texts(e, mostBranches)
		return
	}
	for _, one := range p.entries(e.path, e.value, "branches and their shares") {
		share, ok := p.number(one)
		if ok && !(share > 0) {
			p.mistake(one.path, "like 0.5", "a share is above 0")
		}
		c.Branches, c.Shares = append(c.Branches, one.name), append(c.Shares, share)
	}
	if len(c.Branches) > mostBranches {
		p.mistake(e.path, "", "at most %d branches", mostBranches)
	}
}

// ParseBranches reads branches as a form or a command has them: control,banner, or with the share that each was meant to get
// control=0.9,banner=0.1. The error is a [BadQuestion].
func ParseBranches(text string) (names []string, shares []float64, err error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		name, share, found := strings.Cut(one, "=")
		names = append(names, strings.TrimSpace(name))
		if !found {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
		if err != nil {
			return nil, nil, BadQuestion{"branches", fmt.Sprintf("%.64q is no share", share), "like control=0.9,banner=0.1"}
		}
		shares = append(shares, v)
	}
	return names, shares, nil
}

// sortChanges puts them in the order of their moments; those without one come last.
func (d *Definitions) sortChanges() {
	slices.SortStableFunc(d.Changes, byMoment)
}

func byMoment(a, b Change) int {
	if a.At.IsZero() != b.At.IsZero() {
		return map[bool]int{true: 1, false: -1}[a.At.IsZero()]
	}
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Name, b.Name))
}
