package cluster

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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
	info, err := s.logs[leads].ask(t.Context(), log)
	must(t, err)
	want := info.State.LastSeq
	eventually(t, time.Minute, "the parted node knows that it has no leader", func() bool {
		info, err := s.logs[parted].askSoon(t.Context(), log)
		if end := info.State.LastSeq; err == nil && end < want {
			t.Fatalf("a node that is parted says that the log ends at %d; acknowledged is up to %d", end, want)
		}
		return errors.Is(err, errLeaderless)
	})
	if infos, err := s.logs[parted].LogsNow(t.Context()); err == nil {
		t.Errorf("it says that it has all of %+v", infos)
	}
	s.heal(parted)
	eventually(t, time.Minute, "it knows the end again", func() bool {
		info, err := s.logs[parted].askSoon(t.Context(), log)
		return err == nil && info.State.LastSeq >= want
	})
}

// The leader of a log that hears of no other node takes itself for the leader for a while, in which another could take its place: it knows no end.
func TestEndOfLoneLeader(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.startAll()
	s.append(s.lead("a", 1), "one")
	leads := s.through(s.logs["a"])
	l, others := s.logs[leads], s.others(leads)
	knows := func() bool { _, err := l.LogsNow(t.Context()); return err == nil }
	eventually(t, 30*time.Second, "it knows the end", knows)
	s.stop(others[0])
	eventually(t, 30*time.Second, "it knows the end by one other", knows)
	s.stop(others[1])
	if info, err := l.askSoon(t.Context(), l.Logs()[0].Name); err != nil {
		t.Errorf("it knows already that it leads no more, and the test shows nothing: %+v, %v", info, err)
	}
	if infos, err := l.LogsNow(t.Context()); !errors.Is(err, errUnproven) || !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("the ends by a leader that is alone: %+v, %v", infos, err)
	}
	s.start(others[1])
	eventually(t, 30*time.Second, "it knows the end again", knows)
}

// Who has led meanwhile, or has come to a later term, proves nothing.
func TestProven(t *testing.T) {
	t.Parallel()
	since, again := time.Unix(1, 0), time.Unix(2, 0)
	s := stream{Cluster: &jetstream.ClusterInfo{RaftGroup: "g", Leader: "a", LeaderSince: &since, Replicas: []*jetstream.PeerInfo{{Name: "b"}, {Name: "c"}}}}
	told := func(leader member, b, c uint64) map[string]map[string]member {
		leader.Quorum = 2
		all := map[string]map[string]member{"a": {"g": leader}, "d": {"other": {Term: 1}}}
		for name, term := range map[string]uint64{"b": b, "c": c} {
			if term > 0 {
				all[name] = map[string]member{"g": {Term: term}}
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		told map[string]map[string]member
		want bool
	}{
		"nobody":           {nil, false},
		"the leader alone": {told(member{Term: 3, LeaderSince: &since}, 0, 0), false},
		"one with it":      {told(member{Term: 3, LeaderSince: &since}, 3, 0), true},
		"one behind":       {told(member{Term: 3, LeaderSince: &since}, 0, 2), true},
		"one has voted":    {told(member{Term: 3, LeaderSince: &since}, 4, 0), false},
		"one of two voted": {told(member{Term: 3, LeaderSince: &since}, 4, 3), true},
		"both have voted":  {told(member{Term: 3, LeaderSince: &since}, 4, 4), false},
		"it leads no more": {told(member{Term: 3}, 3, 3), false},
		"it leads again":   {told(member{Term: 5, LeaderSince: &again}, 5, 5), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.proven(c.told); got != c.want {
				t.Errorf("proven: %v, want %v", got, c.want)
			}
		})
	}
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

// A log counts as lost where JetStream has no stream of it, and not where one replica has none.
func TestLogLost(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.startAll()
	leader := s.lead("a", 1)
	s.append(leader, "one")
	log := leader.Logs()[0].Name
	if err := leader.lost(t.Context(), log); err == nil || errors.Is(err, errNoStream) {
		t.Errorf("a log that is there: %v", err)
	}
	must(t, leader.Turn(t.Context()))
	n, err := leader.up()
	must(t, err)
	must(t, deleteStream(t.Context(), n, log))
	if err := leader.lost(t.Context(), log); !errors.Is(err, errNoStream) {
		t.Errorf("a log that is gone: %v", err)
	}
	leader = s.lead("b", 2)
	if logs := leader.Logs(); len(logs) != 1 || logs[0].Name == log {
		t.Errorf("the next leader has the logs %+v, and %s is gone", logs, log)
	}
}
