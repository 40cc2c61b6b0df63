package publish

import (
	"errors"
	"net/http"

	"brine/kpi"
)

// Edition is all that is published, with what the pages say of it: what a store hands to doors that have no ledger, as JSON.
type Edition struct {
	From     kpi.Date   `json:"from"` // the first day
	Zone     string     `json:"timezone"`
	Epsilon  Budget     `json:"epsilon"`
	Over     bool       `json:"over,omitempty"` // the budget is spent: nothing more is published
	Totals   []Total    `json:"totals"`
	Releases []*Release `json:"releases"` // in the order of days
}

// Total is what is published now under one name.
type Total struct {
	Name    string      `json:"name"`
	Title   string      `json:"title"`
	Unit    string      `json:"unit"` // count or share
	By      string      `json:"by,omitempty"`
	Values  []string    `json:"values"` // the key space; "" for all
	Privacy string      `json:"privacy_unit"`
	Epsilon kpi.Epsilon `json:"epsilon"`
}

// Edition is what is published now, nil where nothing is.
func (p *Publisher) Edition() *Edition { return editionOf(p.Definitions(), p.Ledger.now()) }

// FirstEdition is the one before any day is published, nil where nothing will be.
func FirstEdition(d *kpi.Definitions) *Edition { return editionOf(d, &ledgerState{}) }

func editionOf(d *kpi.Definitions, state *ledgerState) *Edition {
	if d.Publish == nil {
		return nil
	}
	pub := d.Publish
	e := &Edition{From: pub.From, Zone: d.Zone.String(), Epsilon: Budget{pub.Day, pub.All, state.spent(pub.From, pub.Day)},
		Over: errors.As(state.room(pub), new(Overspent)), Totals: []Total{}, Releases: append([]*Release{}, state.releases...)}
	for _, t := range pub.Totals {
		shown := Total{Name: t.Name, Title: d.TitleOf(t), Unit: kpi.UnitCount, By: d.SegmentTitle(t), Values: d.KeySpace(t), Privacy: oneInteraction, Epsilon: t.Epsilon}
		if t.Installs != "" {
			shown.Privacy = oneInstallDay
		}
		if d.Ratio(t) {
			shown.Unit = kpi.UnitShare
		}
		e.Totals = append(e.Totals, shown)
	}
	return e
}

// editionKey tells an edition from others: releases stay as they are, and are only added.
type editionKey struct {
	head string // all but the releases
	days int
	last *Release
}

func (e *Edition) key() editionKey {
	head := *e
	head.Releases = nil
	key := editionKey{head: string(mustJSON(head)), days: len(e.Releases)}
	if key.days > 0 {
		key.last = e.Releases[key.days-1]
	}
	return key
}

// ServeEdition answers with the edition; 404 where nothing is published.
func (p *Publisher) ServeEdition(w http.ResponseWriter, r *http.Request) {
	if e := p.Edition(); e != nil {
		answer(w, r, "application/json", mustJSON(e))
		return
	}
	refuse(w, http.StatusNotFound, nothingHere)
}

// nothingHere is said where nothing is published.
const nothingHere = "no totals are published here"
