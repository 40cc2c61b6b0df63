package sanitize

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"brine/lake"
)

// State is how an hour of a stream stands.
type State string

// The states of an hour.
const (
	Waiting State = "waiting"   // closed, and holds raw events that are not sanitized
	Done    State = "sanitized" // as the allowlist says today
	Stale   State = "stale"     // the allowlist differs from what it was made by, or raw events have gone
	Lost    State = "lost"      // closed, and holds raw events that can never be sanitized: others of the hour are, under a salt that is gone
)

// HourState is an hour with what is known of it.
type HourState struct {
	Hour
	State State  `json:"state"`
	Begun bool   `json:"begun,omitempty"` // of a waiting one: other events of it are sanitized under its salt, so that it is lost without that
	Redo  string `json:"redo,omitempty"`  // of a stale or lost one: why it cannot be redone, or done; "" when it can
	Error string `json:"error,omitempty"`
}

// Backlog is how the hours of one stream stand together.
type Backlog struct {
	Stream    string      `json:"stream"`
	Waiting   int         `json:"waiting"`
	Sanitized int         `json:"sanitized"`
	Stale     int         `json:"stale"`
	Lost      int         `json:"lost"`
	Failed    int         `json:"failed"`             // of the waiting and stale ones, at the last try
	Oldest    *time.Time  `json:"oldest,omitempty"`   // hour that waits
	Failures  []HourState `json:"failures,omitempty"` // the first ones that failed or are lost
}

// States lists the closed hours that a request names, ordered by stream and hour.
func (j *Job) States(ctx context.Context, q Request) ([]HourState, error) {
	plans, err := j.Plans()
	if err != nil {
		return nil, err
	}
	r, err := j.rewriter()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return (&run{job: j, r: r, plans: plans}).states(ctx, q)
}

// shownFailures bounds the failures in a status.
const shownFailures = 5

// Backlogs sums the states up by stream.
func (j *Job) Backlogs(ctx context.Context) ([]Backlog, error) {
	states, err := j.States(ctx, Request{})
	if err != nil {
		return nil, err
	}
	all := []Backlog{}
	for _, s := range states {
		if n := len(all); n == 0 || all[n-1].Stream != s.Stream {
			all = append(all, Backlog{Stream: s.Stream})
		}
		all[len(all)-1].add(s)
	}
	return all, nil
}

func (b *Backlog) add(s HourState) {
	switch s.State {
	case Waiting:
		if b.Waiting++; b.Oldest == nil {
			b.Oldest = &s.Start
		}
	case Stale:
		b.Stale++
	case Done:
		b.Sanitized++
	case Lost:
		b.Lost++
	}
	if s.Error == "" {
		return
	}
	if s.State != Lost {
		b.Failed++
	}
	if len(b.Failures) < shownFailures {
		b.Failures = append(b.Failures, s)
	}
}

func (u *run) states(ctx context.Context, q Request) (states []HourState, err error) {
	streams := slices.Concat(u.job.Lake.Streams(lake.Raw), u.job.Lake.Streams(lake.Sanitized))
	slices.Sort(streams)
	for _, stream := range slices.Compact(streams) {
		if q.Stream != "" && q.Stream != stream {
			continue
		}
		of, err := u.stream(ctx, stream, q)
		if err != nil {
			return nil, err
		}
		states = append(states, of...)
	}
	return states, nil
}

// stream gives the states of a stream's hours, the oldest first.
func (u *run) stream(ctx context.Context, stream string, q Request) (states []HourState, err error) {
	sanitized := u.job.Lake.List(lake.Sanitized, stream)
	metas, err := u.r.Meta(ctx, sanitized)
	if err != nil {
		return nil, err
	}
	raw, done := byHour(u.job.Lake.List(lake.Raw, stream)), byHour(sanitized)
	hours := map[time.Time]bool{}
	for start := range raw {
		hours[start] = true
	}
	for start := range done {
		hours[start] = true
	}
	closed := u.job.Lake.ClosedTo()
	for _, start := range slices.SortedFunc(maps.Keys(hours), time.Time.Compare) {
		if !start.Before(closed) || start.Before(q.From) || !q.To.IsZero() && !start.Before(q.To) {
			continue
		}
		if s, any := u.state(stream, start, raw[start], done[start], metas); any {
			states = append(states, s)
		}
	}
	return states, nil
}

func byHour(files []lake.File) map[time.Time][]lake.File {
	hours := map[time.Time][]lake.File{}
	for _, f := range files {
		hours[f.Hour] = append(hours[f.Hour], f)
	}
	return hours
}

// state judges an hour; any is false where the stream gives no rows and has none.
func (u *run) state(stream string, start time.Time, raw, done []lake.File, metas map[lake.Name]map[string]string) (s HourState, any bool) {
	s.Hour = Hour{stream, start}
	plan := u.plan(stream)
	waits, stale := false, false
	permitted := permits{plan: plan}
	for source, files := range bySource(raw) {
		meta, made := madeFrom(done, metas, source)
		switch {
		case plan.Listed && (!made || meta.lacks(files)):
			waits = true
		case made && !current(meta, plan, files):
			stale = true
		}
	}
	orphans := slices.ContainsFunc(done, func(f lake.File) bool { // their raw file is gone
		return !slices.ContainsFunc(raw, func(r lake.File) bool { return r.Log == f.Log }) &&
			!permitted.all(parseMeta(metas[f.Name]).Made)
	})
	switch {
	case waits:
		s.State = Waiting
	case stale || orphans:
		s.State = Stale
	case len(done) > 0:
		s.State = Done
	default:
		return s, false
	}
	switch {
	case s.State == Stale:
		s.Redo = u.hindrance(start, stale, plan, done, metas)
	case waits && plan.NeedsSalt() && salted(done, metas) && !brokenOff(raw, done, metas):
		err := u.saltFor(start, plan, done, metas)
		if s.Begun = !errors.Is(err, errNever); !s.Begun {
			s.State, s.Redo = Lost, err.Error()
		}
	}
	u.job.mu.Lock()
	defer u.job.mu.Unlock()
	if err := u.job.failed[s.Hour]; err != nil && s.State != Done {
		s.Error = err.Error()
	}
	if s.State == Lost {
		s.Error = s.Redo
	}
	return s, true
}

// hindrance is why a stale hour cannot be redone.
func (u *run) hindrance(start time.Time, raw bool, plan *Plan, done []lake.File, metas map[lake.Name]map[string]string) string {
	if !raw {
		return "its raw events are gone; brine sanitize --tighten takes out what is no longer permitted"
	}
	if err := u.saltFor(start, plan, done, metas); err != nil {
		return err.Error()
	}
	return ""
}

// saltFor is why an hour of which some is sanitized has no salt; nil when it has.
func (u *run) saltFor(start time.Time, plan *Plan, done []lake.File, metas map[lake.Name]map[string]string) error {
	of := map[lake.Name]map[string]string{}
	for _, f := range done {
		of[f.Name] = metas[f.Name]
	}
	_, _, err := u.salt(start, plan, of)
	return err
}
