package kpi

import (
	"regexp"
	"slices"

	"brine/mistake"
)

// What publish may hold.
const (
	mostTotals      = 16
	leastOfATotal   = EpsilonOne / 100 // below it noise of hundreds hides all
	mostOfATotal    = 10 * EpsilonOne  // above it nothing is hidden
	exampleOfTotals = "totals, like visits: {kpi: interactions, by: browser, epsilon: 0.5}"
)

var streamName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// publish reads what is shown to everybody. There is none where it has a mistake: nothing is published by accident.
func (p *definer) publish(e entry) {
	before := len(p.mistakes)
	var pub Publish
	p.keys(e.path, e.value, map[string]func(entry){
		"from": func(e entry) {
			var text string
			p.text(e, &text)
			if pub.From = Date(text); !pub.From.Valid() {
				p.mistake(e.path, "like 2026-12-01", "%q is no day", text)
			}
		},
		"epsilon": func(e entry) {
			p.keys(e.path, e.value, map[string]func(entry){"day": p.epsilon(&pub.Day), "all": p.epsilon(&pub.All)})
		},
		"totals": func(e entry) {
			p.each(e, mostTotals, nameOf, exampleOfTotals, func(e entry) { p.total(e, &pub) })
		},
	})
	if len(p.mistakes) > before {
		return
	}
	switch spent := pub.Spent(); {
	case pub.From == "":
		p.mistake(e.path, "like from: 2026-12-01", "it does not say which day is the first")
	case pub.Day == 0 || pub.All == 0:
		p.mistake(e.path, "like epsilon: {day: 1, all: 365}", "it does not say how much epsilon a day may spend, and all days together")
	case len(pub.Totals) == 0:
		p.mistake(e.path, exampleOfTotals, "it names no totals")
	case spent > pub.Day:
		p.mistake(e.path+".epsilon.day", "raise it, or lower those of totals", "the totals of a day spend %s, and %s is all it may", spent, pub.Day)
	case pub.Day > pub.All:
		p.mistake(e.path+".epsilon.all", "like 365, a year of days at 1", "a day may spend %s, which all days together may not", pub.Day)
	}
	if len(p.mistakes) == before {
		p.d.Publish = &pub
	}
}

// Spent is what a day of all totals spends: one interaction may be in each of them.
func (p *Publish) Spent() (sum Epsilon) {
	for _, t := range p.Totals {
		sum += t.Epsilon
	}
	return sum
}

func (p *definer) epsilon(dst *Epsilon) func(entry) {
	return func(e entry) {
		var text string
		p.text(e, &text)
		v, err := ParseEpsilon(text)
		if err != nil {
			p.mistake(e.path, "like 0.5", "%v", err)
		}
		*dst = v
	}
}

func (p *definer) total(e entry, pub *Publish) {
	before := len(p.mistakes)
	t := Total{Name: e.name}
	p.keys(e.path, e.value, map[string]func(entry){
		"title":    p.into(&t.Title),
		"kpi":      p.into(&t.KPI),
		"by":       p.into(&t.By),
		"installs": p.into(&t.Installs),
		"epsilon":  p.epsilon(&t.Epsilon),
	})
	switch {
	case len(p.mistakes) > before:
	case (t.KPI == "") == (t.Installs == ""):
		p.mistake(e.path, "like kpi: sign_in, or installs: app_session", "a total is of either a KPI or the installs of a stream")
	case t.Installs != "" && t.By != "":
		p.mistake(e.path+".by", "take it off", "segments are of interactions")
	case t.Installs != "" && !streamName.MatchString(t.Installs):
		p.mistake(e.path+".installs", "like app_session", "%q is no name of a stream", t.Installs)
	case t.Epsilon == 0:
		p.mistake(e.path, "like epsilon: 0.5", "it does not say how much epsilon a day of it spends")
	case t.Epsilon < leastOfATotal || t.Epsilon > mostOfATotal:
		p.mistake(e.path+".epsilon", "0.1 to 1 is usual", "%s: from 0.01, below which noise is all there is, to 10, above which nothing is hidden", t.Epsilon)
	}
	if len(p.mistakes) == before {
		pub.Totals = append(pub.Totals, t)
	}
}

// publishable sees that each total is of something that can be bounded, and that its cells are known before there is data.
func (p *definer) publishable() {
	if p.d.Publish == nil {
		return
	}
	p.d.Publish.Zone = p.d.Zone
	before := len(p.mistakes)
	for _, t := range p.d.Publish.Totals {
		path := mistake.Join("publish.totals", t.Name)
		if t.KPI != "" && p.known(path+".kpi", "kpis", t.KPI, p.d.kpiNames(), "KPI") {
			if k := p.d.kpiOf(t); !slices.Contains([]Kind{Conversion, Share, Count}, k.Kind) {
				p.mistake(path+".kpi", "publish a conversion, a share or a count",
					"%s is a %s: what one interaction does to it has no bound, so no noise hides it", k.Name, kindWords[k.Kind])
			}
		}
		if t.By == "" || !p.known(path+".by", "segments", t.By, p.d.segmentNames(), "segment") {
			continue
		}
		if s := p.d.Segments[p.d.segment(t.By)]; !s.Listed() {
			p.mistake(path+".by", "give it values or buckets, like values: {Firefox: \"Firefox*\"}", "segment %s has no values or buckets: its cells would come of the data, and that one is there would tell", s.Name)
		}
	}
	if len(p.mistakes) > before {
		p.d.Publish = nil
	}
}

// kindWords are what people call the kinds that cannot be published.
var kindWords = map[Kind]string{TimeTo: "percentile of times", Mean: "mean", Quantile: "percentile"}
