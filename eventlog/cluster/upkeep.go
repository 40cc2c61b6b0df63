package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"brine/eventlog/internal/basis"
	"brine/lease"
)

// How often the leader looks after what changes seldom.
const (
	raiseEvery = 15 * time.Second
	sweepEvery = 5 * time.Minute
)

// keep is the leader's work: each second it enters the hour and settles logs, and now and then it looks after streams.
func (l *Log) keep(ctx context.Context) {
	var raised, swept time.Time
	for lease.Pause(ctx, time.Second) && l.Leading() {
		err := l.changing(ctx, func(ctx context.Context) error {
			return errors.Join(l.enterHour(ctx), l.settleLogs(ctx))
		})
		if time.Since(raised) > raiseEvery {
			raised = time.Now()
			err = errors.Join(err, l.raise(ctx))
		}
		if time.Since(swept) > sweepEvery {
			swept = time.Now()
			err = errors.Join(err, l.sweep(ctx))
		}
		if ctx.Err() == nil {
			l.tellUpkeep(err)
		}
	}
}

// changing does something that may change the state, which ends after a while: others may wait for it.
func (l *Log) changing(ctx context.Context, do func(context.Context) error) error {
	l.lead.changing.Lock()
	defer l.lead.changing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 2*attemptTimeout)
	defer cancel()
	return do(ctx)
}

// tellUpkeep logs what is in the way, once.
func (l *Log) tellUpkeep(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != l.lead.told {
		l.opts.Logger.Warn("the log is not led as it should be: trying again", "reason", text)
	}
	l.lead.told = text
}

// settleLogs settles logs that have not been current for so long that nobody appends to them.
func (l *Log) settleLogs(ctx context.Context) error {
	s, _ := l.lead.state()
	for _, log := range s.Logs {
		if log.Stage != open || log.Name == s.current() {
			continue
		}
		since, known := l.lead.turned[log.Name]
		if now := l.opts.Clock.Mono(); !known {
			l.lead.turned[log.Name] = now
		} else if now-since > l.settle {
			if err := l.change(ctx, func(s *state) { s.settle(log.Name) }); err != nil {
				return fmt.Errorf("settle log %s: %w", log.Name, err)
			}
		}
	}
	return nil
}

func (s *state) settle(name string) {
	if log := s.log(name); log != nil {
		log.Stage = settled
	}
}

// errNoStream is a stream that whoever answers does not have: there is none, or it is a replica that has not read it from its disk yet.
var errNoStream = errors.New("no such stream")

// errLeaderless is a stream without a leader: how far it has come is not known.
var errLeaderless = errors.New("a majority of the nodes that hold it is away")

// stream is what is asked of a stream's leader. While there is none, any replica answers, by what it has itself.
type stream struct {
	name  string
	State struct {
		FirstSeq uint64 `json:"first_seq"`
		LastSeq  uint64 `json:"last_seq"`
	} `json:"state"`
	Cluster *jetstream.ClusterInfo `json:"cluster"`
}

// byLeader says whether the leader itself answered, which does not count itself among the replicas.
func (s stream) byLeader() bool {
	return s.through() != "" && !slices.ContainsFunc(s.Cluster.Replicas, func(r *jetstream.PeerInfo) bool { return r.Name == s.Cluster.Leader })
}

func streamInfo(ctx context.Context, n *node, name string) (stream, error) {
	var answer struct {
		apiAnswer
		stream
	}
	err := ask(ctx, n.reader, "$JS.API.STREAM.INFO."+name, struct{}{}, &answer)
	if answer.Error != nil && answer.Error.Code == codeNoStream {
		err = fmt.Errorf("%w: %s", errNoStream, name)
	} else if err == nil {
		err = answer.err()
	}
	answer.name = name
	return answer.stream, err
}

// createStream makes the stream of a log. Where so many nodes are not known now, a majority has to do for
// a start: raise makes it more.
func createStream(ctx context.Context, n *node, name string, replicas int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*attemptTimeout)
	defer cancel()
	conf := jetstream.StreamConfig{Name: name, Subjects: []string{name + ".*"}, AllowDirect: true, Replicas: replicas}
	_, err := n.js.CreateStream(ctx, conf)
	if majority := replicas/2 + 1; err != nil && majority < replicas && ctx.Err() == nil {
		conf.Replicas = majority
		_, err = n.js.CreateStream(ctx, conf)
	}
	return err
}

// raise gives each stream the replicas that it lacks: it was made, or lost one, while a node was away.
func (l *Log) raise(ctx context.Context) error {
	n, err := l.up()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	var errs []error
	list := n.js.ListStreams(ctx)
	for info := range list.Info() {
		if info.Config.Replicas >= l.opts.Replicas && (info.Cluster == nil || len(info.Cluster.Replicas)+1 >= l.opts.Replicas) {
			continue
		}
		conf := info.Config
		conf.Replicas = l.opts.Replicas
		if _, err := n.js.UpdateStream(ctx, conf); err != nil {
			errs = append(errs, fmt.Errorf("bring %s to %d replicas: %w", conf.Name, l.opts.Replicas, err))
		}
	}
	return errors.Join(append(errs, list.Err())...)
}

// sweep deletes the streams of logs that are not in the state: nothing that is acknowledged is in them.
// They are listed before the state is read, as a log is in the state before there is a stream of it.
func (l *Log) sweep(ctx context.Context) error {
	n, err := l.up()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	names, listErr := n.streams(ctx)
	s, _, err := l.load(ctx, n)
	if err = errors.Join(listErr, err); err != nil {
		return err
	}
	for _, name := range names {
		if basis.IsName(name) && s.log(name) == nil {
			err = errors.Join(err, deleteStream(ctx, n, name))
		}
	}
	return err
}

// streams are the names of all that there are, by JetStream's leader.
func (n *node) streams(ctx context.Context) (names []string, err error) {
	list := n.js.StreamNames(ctx)
	for name := range list.Name() {
		names = append(names, name)
	}
	return names, list.Err()
}

func deleteStream(ctx context.Context, n *node, name string) error {
	err := n.js.DeleteStream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete log %s: %w", name, err)
	}
	return nil
}

// purgeStream removes what lies before a sequence number.
func purgeStream(ctx context.Context, n *node, name string, before uint64) error {
	var answer apiAnswer
	err := ask(ctx, n.reader, "$JS.API.STREAM.PURGE."+name, map[string]uint64{"seq": before}, &answer)
	if err == nil {
		err = answer.err()
	}
	if err != nil {
		return fmt.Errorf("trim log %s: %w", name, err)
	}
	return nil
}
