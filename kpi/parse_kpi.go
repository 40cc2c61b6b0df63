package kpi

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// kinds are in the order in which messages name them.
var kinds = []Kind{Conversion, TimeTo, Share, Mean, Quantile, Count}

func (p *definer) kpi(e entry) {
	before := len(p.mistakes)
	k := KPI{Name: e.name, Title: e.name}
	var better, smallest string
	known := map[string]func(entry){
		"title":    p.into(&k.Title),
		"better":   func(e entry) { better = p.choice(e, "more", "less") },
		"smallest": p.into(&smallest),
	}
	for _, kind := range kinds {
		known[string(kind)] = func(e entry) { p.kind(e, kind, &k) }
	}
	p.keys(e.path, e.value, known)
	k.MoreBetter = better == "more"
	if before == len(p.mistakes) {
		p.complete(e.path, &k, better, smallest)
	}
	if p.sound(e.path, before) {
		p.d.KPIs = append(p.d.KPIs, k)
	}
}

// complete sees that all is said that a KPI needs.
func (p *definer) complete(path string, k *KPI, better, smallest string) {
	switch {
	case k.Kind == "":
		p.mistake(path, "like conversion: sign_in; known here: "+kindNames(), "it does not say what it measures")
	case better == "":
		p.mistake(path, "better: more, or better: less", "it does not say which direction is better")
	case smallest == "":
		p.mistake(path, "like smallest: "+exampleOf(k.Kind), "it does not say what the smallest difference is that matters")
	default:
		v, err := inUnit(smallest, k.Unit())
		if err != nil {
			p.mistake(path+".smallest", "like "+exampleOf(k.Kind), "%v", err)
		}
		k.Smallest = v
	}
}

func kindNames() string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// The units of KPIs.
const (
	UnitShare  = "share"
	UnitMillis = "ms"
	UnitNumber = "number"
	UnitCount  = "count"
)

// Unit is that of the KPI's values: share (0..1), ms, number (the field's own) or count (a day).
func (k KPI) Unit() string {
	switch k.Kind {
	case Conversion, Share:
		return UnitShare
	case TimeTo:
		return UnitMillis
	case Count:
		return UnitCount
	}
	return UnitNumber
}

func exampleOf(k Kind) string {
	return map[string]string{UnitShare: "2 %", UnitMillis: "2s", UnitNumber: "0.5", UnitCount: "100"}[KPI{Kind: k}.Unit()]
}

// inUnit reads the smallest difference that matters.
func inUnit(text, unit string) (v float64, err error) {
	switch share, percent := strings.CutSuffix(text, "%"); {
	case unit == UnitMillis:
		d, parseErr := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
		v, err = float64(d)/float64(time.Millisecond), parseErr
	case unit == UnitShare && percent:
		v, err = strconv.ParseFloat(strings.TrimSpace(share), 64)
		v /= 100
	default:
		v, err = strconv.ParseFloat(text, 64)
	}
	switch {
	case err != nil && unit == UnitMillis:
		return 0, fmt.Errorf("%q is no duration", text)
	case err != nil:
		return 0, fmt.Errorf("%q is no number", text)
	case !(v > 0) || v-v != 0:
		return 0, fmt.Errorf("%s: a difference that matters is above 0", text)
	case unit == UnitShare && v >= 1:
		return 0, fmt.Errorf("%s is the whole: a share differs by less", text)
	}
	return v, nil
}

// kind reads what is measured: a text in the plain case, else keys.
func (p *definer) kind(e entry, kind Kind, k *KPI) {
	if k.Kind != "" {
		p.mistake(e.path, "make two KPIs of them", "it measures %s already: a KPI measures one thing", k.Kind)
		return
	}
	k.Kind = kind
	before := len(p.mistakes)
	keys, plain := p.kindKeys(kind, k)
	if _, more := e.value.(*ast.MappingNode); !more && plain != nil {
		plain(e)
	} else {
		p.keys(e.path, e.value, keys)
	}
	if len(p.mistakes) == before { // else it may be said already
		p.whole(e, k)
	}
}

// kindKeys are the keys of a kind, and what a lone text is for it; nil where it has to say more.
func (p *definer) kindKeys(kind Kind, k *KPI) (keys map[string]func(entry), plain func(entry)) {
	dialog, percentile := p.into(&k.Dialog), func(e entry) { p.percentile(e, k) }
	switch kind {
	case Conversion:
		return map[string]func(entry){"flow": p.into(&k.Flow), "from": p.into(&k.From), "to": p.into(&k.To)}, p.into(&k.Flow)
	case TimeTo:
		return map[string]func(entry){"flow": p.into(&k.Flow), "from": p.into(&k.From), "to": p.into(&k.To), "percentile": percentile}, nil
	case Share:
		events := func(e entry) { k.Events = p.patterns(e) }
		return map[string]func(entry){"events": events, "dialog": dialog}, events
	case Mean:
		return map[string]func(entry){"field": p.into(&k.Field), "dialog": dialog}, p.into(&k.Field)
	case Quantile:
		return map[string]func(entry){"field": p.into(&k.Field), "percentile": percentile, "dialog": dialog}, nil
	}
	return map[string]func(entry){"dialog": dialog}, func(e entry) { p.choice(e, "all") }
}

func (p *definer) percentile(e entry, k *KPI) {
	v, ok := p.number(e)
	if ok && !(v >= 1 && v <= 99) {
		p.mistake(e.path, "50 is the median", "a percentile lies from 1 to 99")
	}
	k.Percentile = v / 100
}

// whole tells of what the kind needs and does not have.
func (p *definer) whole(e entry, k *KPI) {
	switch {
	case (k.Kind == Conversion || k.Kind == TimeTo) && k.Flow == "":
		p.mistake(e.path, "like flow: sign_in", "it does not say of which flow")
	case k.Kind == Share && len(k.Events) == 0:
		p.mistake(e.path, `like events: "screen.error*"`, "it does not say of which events")
	case (k.Kind == Mean || k.Kind == Quantile) && k.Field == "":
		p.mistake(e.path, "like field: number_emails", "it does not say of which field")
	case k.Percentiles() && k.Percentile == 0:
		p.mistake(e.path, "like percentile: 50", "it does not say which percentile")
	}
}
