package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"brine/access/audit"
	"brine/access/gate"
	"brine/console/board"
	"brine/kpi"
	"brine/risk"
)

// dashboard is what the private door shows to people.
func (h *house) dashboard(g *gate.Gate) *board.Board {
	changes := openChanges(h.cfg.Data)
	return &board.Board{
		KPI:     h.board,
		MinCell: h.cfg.Private.MinCell,
		Gate:    g,
		Add: func(p gate.Person, c kpi.Change) error {
			return h.changed(p, "added", c.Name, changes.add(h.kpis.Definitions(), c))
		},
		Remove: func(p gate.Person, name string) error {
			return h.changed(p, "removed", name, changes.remove(h.kpis.Definitions(), name))
		},
		Doors: h.doorsNow,
		Held:  h.held,
		Risk: func(ctx context.Context, from, to time.Time) (risk.Report, error) {
			report, err := h.sanitizer.risk(ctx, riskWork{From: from, To: to}, nil)
			if errors.Is(err, errMeasuring) {
				err = &gate.Error{Status: http.StatusServiceUnavailable, Reason: err.Error()}
			}
			return report, err
		},
		Audit: h.audit.Page,
	}
}

// changed records that somebody added or removed a change, where that went well.
func (h *house) changed(p gate.Person, what, name string, err error) error {
	if err == nil {
		_, unrecorded := h.audit.Append(audit.Record{Action: audit.Config, Who: p.Name, Via: p.Via, Outcome: "ok", Note: "the change " + name + " was " + what})
		h.tellAudit(unrecorded)
	}
	return err
}

// doorsNow are how the doors stand, as the health page tells it.
func (h *house) doorsNow(ctx context.Context) board.Doors {
	d := board.Doors{Ready: true, CompleteTo: h.lake.CompleteTo(), Canaries: h.boardCanaries()}
	if err := h.ready.Err(); err != nil {
		d.Ready, d.Reason = false, err.Error()
	}
	for _, stream := range h.sanitizer.status(ctx).Streams {
		d.Hours += stream.Waiting
	}
	var refused map[string]uint64
	if door := h.doorStats(); door != nil {
		refused = door.Refused
	}
	for _, reason := range slices.Sorted(maps.Keys(refused)) {
		d.Refused = append(d.Refused, board.Refused{Reason: reason, Count: int64(refused[reason])})
	}
	slices.SortStableFunc(d.Refused, func(a, b board.Refused) int { return int(b.Count - a.Count) })
	return d
}

// held is what is held, as the privacy page tells it.
func (h *house) held(ctx context.Context) (board.Held, error) {
	st := h.status(ctx)
	held := board.Held{OldestRaw: timeOf(st.Purge.OldestRaw), RawWindow: ageText(h.cfg.Retention.Raw.MaxAge), NextPurge: orZero(st.Purge.Next),
		NextRotation: orZero(st.Salts.NextRotation), Erasing: st.Erasures.Accepted + st.Erasures.Removed}
	for _, s := range st.Held {
		held.Datasets = append(held.Datasets, board.Dataset{Dataset: s.Dataset, Stream: s.Stream, Rows: s.Rows, Oldest: timeOf(s.Oldest), Newest: timeOf(s.Newest)})
	}
	for _, s := range st.Salts.Salts {
		held.Salts = append(held.Salts, board.Salt{State: string(s.State), Start: s.Start, End: s.End, Deletion: s.Deletion})
	}
	held.Faults = slices.Concat(st.Salts.Faults, st.Purge.Problems)
	for _, fault := range []string{st.Lake, st.Salts.Error, st.Erasures.Error, st.Sanitize.Error} {
		if fault != "" && !slices.Contains(held.Faults, fault) {
			held.Faults = append(held.Faults, fault)
		}
	}
	return held, nil
}

// timeOf is ms since the epoch; 0 is no time.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// ageText is a limit by age, in words.
func ageText(age time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case age == 0:
		return "without a limit by age"
	case age%day == 0:
		return fmt.Sprintf("%d days", age/day)
	}
	return strings.TrimSuffix(age.String(), "0m0s")
}
