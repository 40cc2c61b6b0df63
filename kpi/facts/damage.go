package facts

import (
	"context"
	"fmt"
	"maps"

	"brine/lake"
)

// damage is the error of files that are listed and cannot be read: cut short, taken away, or not what they say they are.
type damage struct{ of map[lake.Name]error }

func (d *damage) Error() string { return fmt.Sprintf("%d files of facts cannot be read", len(d.of)) }

// blame finds the files that a load failed for, each read by itself: a [damage] where there are some, else the error as it is.
func (l *loading) blame(ctx context.Context, of *lake.Lake, err error) error {
	broken := map[lake.Name]error{}
	for _, f := range l.order {
		if ctx.Err() != nil {
			return err
		}
		if _, why := l.part(ctx, of, []lake.File{f}); why != nil && ctx.Err() == nil && l.listed(of, f.Name) {
			broken[f.Name] = why
		}
	}
	if len(broken) == 0 {
		return err
	}
	return &damage{broken}
}

// listed says whether the lake has the file still: one that was replaced is not damaged.
func (l *loading) listed(of *lake.Lake, n lake.Name) bool {
	for _, f := range of.List(n.Dataset, stream) {
		if f.Name == n {
			return true
		}
	}
	return false
}

// leaveOut makes later questions add up the sanitized files instead, and tells the operator once.
func (s *Source) leaveOut(d *damage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged == nil {
		s.damaged = map[lake.Name]bool{}
	}
	for name, why := range d.of {
		if !s.damaged[name] && s.o.Logger != nil {
			s.o.Logger.Error("a file of facts cannot be read, and its hour is added up from what is sanitized: make it anew with brine kpi rebuild", "file", name.String(), "why", why)
		}
	}
	maps.Copy(s.damaged, namesIn(d.of))
}

func namesIn(of map[lake.Name]error) map[lake.Name]bool {
	names := map[lake.Name]bool{}
	for n := range of {
		names[n] = true
	}
	return names
}

func (s *Source) isDamaged(src *source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged[src.rollup.Name] || s.damaged[src.facts.Name]
}
