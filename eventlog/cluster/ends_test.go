package cluster

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"brine/eventlog"
)

// through is the node that leads the stream of the current log.
func (s *site) through(l *Log) (name string) {
	s.t.Helper()
	eventually(s.t, 30*time.Second, "the log has a leader", func() bool {
		logs := l.Status().Logs
		if len(logs) > 0 {
			name = logs[len(logs)-1].Through
		}
		return name != ""
	})
	return name
}

// A replica that is parted from the others says by and by, as there is no leader that would, how far the log has come in its own copy: that
// is no end.
func TestEndOfPartedReplica(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.watch()
	s.startAll()
	s.append(s.lead("a", 1), "one")
	leads := s.through(s.logs["a"])
	parted, log := s.others(leads)[1], s.logs["a"].Logs()[0].Name
	s.cut(parted)
	s.append(s.logs[leads], "two")
	want, err := s.logs[leads].end(t.Context(), log)
	must(t, err)
	eventually(t, time.Minute, "the parted node knows that it has no leader", func() bool {
		end, err := s.logs[parted].endSoon(t.Context(), log)
		if err == nil && end < want {
			t.Fatalf("a node that is parted says that the log ends at %d; acknowledged is up to %d", end, want)
		}
		return errors.Is(err, errLeaderless)
	})
	if infos, err := s.logs[parted].LogsNow(t.Context()); err == nil {
		t.Errorf("it says that it has all of %+v", infos)
	}
	s.heal(parted)
	eventually(t, time.Minute, "it knows the end again", func() bool {
		end, err := s.logs[parted].endSoon(t.Context(), log)
		return err == nil && end >= want
	})
}

// While those who hold a log are away others lead, and make the next log; the one whose end is not known is told by name and kept, and read
// once they are back.
func TestLogAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.tune = func(o *Options) {
		if o.Name == "a" {
			o.Replicas = 1 // of the logs that it makes
		}
	}
	s.startAll()
	s.lead("b", 1) // which makes the stream of the state, on all
	leader := s.lead("a", 2)
	r := newReader()
	eventually(t, time.Minute, "a log lies on c", func() bool {
		return leader.Turn(t.Context()) == nil && s.through(leader) == "c"
	})
	s.append(s.logs["b"], "one")
	logs := leader.Logs()
	log := logs[len(logs)-1].Name
	s.stop("c")
	leader = s.lead("a", 3)
	eventually(t, time.Minute, "the next log is made", func() bool { return leader.Turn(t.Context()) == nil })
	s.append(leader, "two")
	eventually(t, time.Minute, "nothing goes into the log any more", func() bool { return leader.known.Load().state.log(log).Stage == settled })
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*askTimeout)
		if err := r.round(ctx, leader); !errors.Is(err, eventlog.ErrUnavailable) {
			t.Errorf("a round of reading while a log is away: %v", err)
		}
		if err := leader.Delete(ctx, log); !errors.Is(err, eventlog.ErrUnavailable) {
			t.Errorf("delete of a log that is away: %v", err)
		}
		cancel()
	}
	if i := slices.IndexFunc(leader.Status().Logs, func(l LogStatus) bool { return l.Name == log && l.Error != "" }); i < 0 {
		t.Errorf("the status does not tell of %s: %+v", log, leader.Status().Logs)
	}
	s.start("c")
	r.drain(t, leader)
	r.check(t, []string{"one", "two"})
}
