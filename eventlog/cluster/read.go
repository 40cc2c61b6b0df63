package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"brine/eventlog"
	"brine/eventlog/internal/basis"
	"brine/lease"
)

// ends are the last sequence numbers of logs as they were seen last.
type ends struct {
	mu   sync.Mutex
	last map[string]uint64
}

// saw notes an end, and gives the furthest one seen.
func (e *ends) saw(log string, last uint64) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == nil {
		e.last = map[string]uint64{}
	}
	e.last[log] = max(e.last[log], last)
	return e.last[log]
}

func (e *ends) forget(log string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.last, log)
}

// Logs gives every log there is, in order of creation; the last one is the current one. How far each has come is what its leader says, or
// what was known before where that is not answered within 2 s.
func (l *Log) Logs() []eventlog.Info {
	ctx, cancel := context.WithTimeout(l.ctx, askTimeout)
	defer cancel()
	infos, _, _ := l.askEnds(ctx)
	return infos
}

// LogsNow is [Log.Logs] where nothing is left out: whatever was acknowledged before the call, while this node leads, lies up to these
// ends. The error is ErrUnavailable of eventlog, and names the logs of which no majority of those who hold it confirms that.
func (l *Log) LogsNow(ctx context.Context) ([]eventlog.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	infos, streams, err := l.askEnds(ctx)
	if err == nil && len(infos) == 0 {
		err = errors.New("none is known yet")
	}
	if err == nil {
		err = l.prove(ctx, streams...)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: ask for the ends of the logs: %w", eventlog.ErrUnavailable, err)
	}
	return infos, nil
}

// askEnds asks the leader of each log how far it has come. With an error it gives what was known before.
func (l *Log) askEnds(ctx context.Context) ([]eventlog.Info, []stream, error) {
	s, _ := l.latest()
	infos := make([]eventlog.Info, 0, len(s.Logs))
	for _, log := range s.Logs {
		if log.Stage != making {
			infos = append(infos, log.info())
		}
	}
	streams, errs := make([]stream, len(infos)), make([]error, len(infos))
	var asking sync.WaitGroup
	for i := range infos {
		asking.Go(func() {
			var err error
			if streams[i], err = l.ask(ctx, infos[i].Name); err != nil {
				errs[i] = fmt.Errorf("log %s: %w", infos[i].Name, err)
			}
			infos[i].Last = l.ends.saw(infos[i].Name, max(streams[i].State.LastSeq, infos[i].Last))
		})
	}
	asking.Wait()
	return infos, streams, errors.Join(errs...)
}

// info is what the state says of a log; that it ends there is the least there is.
func (l *logInfo) info() eventlog.Info {
	day, err := basis.DayOf(l.Name)
	if err != nil {
		panic("log: the state has " + err.Error()) // it is made of such names only
	}
	return eventlog.Info{Name: l.Name, Day: day, First: l.Trimmed + 1, Last: max(l.Trimmed, l.Marks[len(l.Marks)-1].Seq)}
}

// ask asks a log's leader about it.
func (l *Log) ask(ctx context.Context, log string) (stream, error) {
	n, err := l.up()
	if err != nil {
		return stream{}, err
	}
	info, err := streamInfo(ctx, n, log)
	if err == nil && !info.byLeader() {
		err = errLeaderless
	}
	if err != nil {
		return stream{}, err
	}
	return info, nil
}

// Read gives the entries of a log in order, from the sequence number from on, up to the end that [Log.Logs] gave last,
// or until their groups reach maxBytes: at most one group more. What has been trimmed is left out. It ends before an
// entry that cannot be read; one that it begins with is asked for again for [basis.Patience], then left out and logged. It gives nothing, and no error, when there is nothing at or after from.
// The errors are ErrUnknown and ErrUnavailable of eventlog, [ErrNotLeader] where another has taken over and trimmed, and those of ctx.
func (l *Log) Read(ctx context.Context, log string, from uint64, maxBytes int) ([]eventlog.Entry, error) {
	s, _ := l.latest()
	info := s.log(log)
	if info == nil || info.Stage == making {
		return nil, fmt.Errorf("%w: %s", eventlog.ErrUnknown, log)
	}
	r := reading{l: l, log: log, next: max(from, info.Trimmed+1), last: l.ends.saw(log, info.info().Last)}
	for r.next <= r.last && maxBytes > 0 {
		messages, err := r.some(ctx, maxBytes)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, ErrNotLeader) {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: read %s from %d: %w", eventlog.ErrUnavailable, log, r.next, err)
		}
		for _, m := range messages {
			maxBytes -= len(m.Data)
			r.entries = append(r.entries, info.entry(m))
		}
	}
	return r.entries, nil
}

// entry makes an entry of a message. A mark that is not in the state, of a leader that came to its end before
// that, begins nothing.
func (l *logInfo) entry(m basis.Message) eventlog.Entry {
	return eventlog.Entry{Seq: m.Seq, Hour: l.hourOf(m.Seq), Mark: m.Subject == l.Name+".mark", Group: m.Data}
}

// reading is a read on its way.
type reading struct {
	l          *Log
	log        string
	next, last uint64
	entries    []eventlog.Entry
}

// How long a replica that answers may lag behind before the log's leader is asked.
const (
	lagTries = 20
	lagPause = 50 * time.Millisecond
)

// some reads the next messages, without a gap, and moves on. What the replica that answers does not have, the log's
// leader is asked for.
func (r *reading) some(ctx context.Context, maxBytes int) ([]basis.Message, error) {
	for range lagTries {
		n, err := r.l.up()
		if err != nil {
			return nil, err
		}
		found, err := basis.Fetch(ctx, n.reader, r.log, r.next, r.last-r.next+1, maxBytes)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return r.unbroken(ctx, n, found)
		}
		if !lease.Pause(ctx, lagPause) {
			return nil, ctx.Err()
		}
	}
	n, err := r.l.up()
	if err != nil {
		return nil, err
	}
	return r.one(ctx, n)
}

// unbroken gives what was found up to the first gap; where that is at once, what the leader has there.
func (r *reading) unbroken(ctx context.Context, n *node, found []basis.Message) ([]basis.Message, error) {
	if found[0].Seq > r.next {
		return r.one(ctx, n)
	}
	for i, m := range found {
		if m.Seq != r.next || m.Seq > r.last {
			return found[:i], nil
		}
		r.next++
	}
	return found, nil
}

// one asks the log's leader for the next message, and passes over what is missing there, too.
func (r *reading) one(ctx context.Context, n *node) ([]basis.Message, error) {
	m, err := r.ofLeader(ctx, n, r.next)
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, r.pass(ctx, n)
	}
	r.next++
	return []basis.Message{*m}, nil
}

// ofLeader asks the log's leader for a message; nil: it does not have it, or could not read it.
func (r *reading) ofLeader(ctx context.Context, n *node, seq uint64) (*basis.Message, error) {
	var answer struct {
		apiAnswer
		Message struct {
			Subject string `json:"subject"`
			Data    []byte `json:"data"`
		} `json:"message"`
	}
	bounded, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	if err := ask(bounded, n.reader, "$JS.API.STREAM.MSG.GET."+r.log, map[string]uint64{"seq": seq}, &answer); err != nil {
		return nil, err
	}
	if answer.Error != nil && answer.Error.Code == codeNoMessage {
		return nil, nil
	}
	return &basis.Message{Seq: seq, Subject: answer.Message.Subject, Data: answer.Message.Data}, answer.err()
}

// pass goes on behind what was trimmed meanwhile, or is missing; what was read before that is not kept waiting.
func (r *reading) pass(ctx context.Context, n *node) error {
	trimmed, err := r.l.trimmed(ctx, n, r.log)
	if err != nil {
		return err
	}
	if r.next <= trimmed {
		r.next = trimmed + 1
		return nil
	}
	if len(r.entries) > 0 {
		r.last = r.next - 1
		return nil
	}
	r.l.opts.Logger.Warn("entries of the log cannot be read and are asked for again", "log", r.log, "from", r.next, "for", r.l.patience)
	end, err := basis.Missing(ctx, r.l.patience, r.next, r.last, func(seq uint64) (bool, error) { return r.has(ctx, seq) })
	if err != nil || end == r.next {
		return err
	}
	if trimmed, err = r.l.trimmed(ctx, n, r.log); err != nil {
		return err
	}
	if r.next > trimmed {
		r.l.opts.Logger.Error("entries of the log can be read neither here nor on its leader and are left out", "log", r.log, "first", r.next, "last", end-1)
	}
	r.next = max(end, trimmed+1)
	return nil
}

// has says whether a message can be read, of the replica that answers or of the log's leader.
func (r *reading) has(ctx context.Context, seq uint64) (bool, error) {
	n, err := r.l.up()
	if err != nil {
		return false, err
	}
	if found, err := basis.Fetch(ctx, n.reader, r.log, seq, 1, 1); err != nil || len(found) > 0 && found[0].Seq == seq {
		return err == nil, err
	}
	m, err := r.ofLeader(ctx, n, seq)
	return m != nil, err
}

// trimmed is how far a log is trimmed, all of it where it is deleted, by the state as it stands now. With ErrNotLeader this node has led, and
// another does.
func (l *Log) trimmed(ctx context.Context, n *node, log string) (uint64, error) {
	s, _, err := l.load(ctx, n)
	if err != nil {
		return 0, err
	}
	d := &l.lead
	d.mu.Lock()
	over := d.leading && s.Epoch > d.epoch
	d.mu.Unlock()
	if over {
		l.follow()
		return 0, fmt.Errorf("%w: it has epoch %d", ErrNotLeader, s.Epoch)
	}
	if info := s.log(log); info != nil {
		return info.Trimmed, nil
	}
	return math.MaxUint64 - 1, nil
}
