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

// blame finds the files that a load failed for: a [damage] where there are some, else the error as it is. It reads halves of what failed, so that
// a few damaged files among many cost a few readings more, and stops at mostBlamed of them: the load that follows finds the next.
func (l *loading) blame(ctx context.Context, of *lake.Lake, err error) error {
	broken := map[lake.Name]error{}
	l.blameAmong(ctx, of, l.order, broken)
	if len(broken) == 0 || ctx.Err() != nil {
		return err
	}
	return &damage{broken}
}

// mostBlamed is how many damaged files are found at a time.
const mostBlamed = 16

func (l *loading) blameAmong(ctx context.Context, of *lake.Lake, files []lake.File, broken map[lake.Name]error) {
	if len(files) == 0 || len(broken) >= mostBlamed || ctx.Err() != nil {
		return
	}
	_, why := l.part(ctx, of, files)
	switch {
	case why == nil:
	case len(files) > 1:
		half := len(files) / 2
		l.blameAmong(ctx, of, files[:half], broken)
		l.blameAmong(ctx, of, files[half:], broken)
	case ctx.Err() == nil && l.listed(of, files[0].Name):
		broken[files[0].Name] = why
	}
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
			s.o.Logger.Error("a file of facts cannot be read, and its hour is added up from what is sanitized until it is made anew: the server does so by itself, else brine kpi rebuild", "file", name.String(), "why", why)
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
	return s.Damaged(src.rollup.Name) || s.Damaged(src.facts.Name)
}

// Damaged says whether a question found that a file cannot be read. It is for [Job.Damaged].
func (s *Source) Damaged(n lake.Name) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged[n]
}
