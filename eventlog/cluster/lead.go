package cluster

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"brine/eventlog"
	"brine/eventlog/internal/basis"
	"brine/lease"
)

// leader is what a node knows while it leads.
type leader struct {
	changing sync.Mutex // one change at a time

	mu       sync.Mutex // guards what follows
	leading  bool
	epoch    uint64
	now      state
	revision uint64
	stop     context.CancelFunc // ends the upkeep
	upkeep   sync.WaitGroup

	// Of these the upkeep and Delete know, which hold changing.
	turned map[string]time.Duration // since when a log is not current, by the monotonic clock
	asked  map[string]bool          // settled logs that were to be deleted once
	told   string                   // what the upkeep failed with last
}

// state is the leader's own, if it leads.
func (d *leader) state() (state, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now, d.leading
}

func (d *leader) set(now state, revision uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now, d.revision = now, revision
}

// Lead makes this node the leader, in place of one with a lower epoch, and returns once it is: from then on Logs,
// Read and Hour are as the leader needs them. It tries until ctx ends. It leads until [Log.Follow], or until it
// finds that another with a higher epoch does. The errors are [ErrNotLeader], ErrClock of eventlog where this node's clock cannot
// be trusted, [ErrForeign], and those of ctx.
func (l *Log) Lead(ctx context.Context, epoch uint64) error {
	if epoch == 0 {
		return errors.New("log: the epoch of a leader is above 0")
	}
	l.Follow()
	d := &l.lead
	d.changing.Lock()
	defer d.changing.Unlock()
	for {
		err := l.takeOver(ctx, epoch)
		if err == nil {
			break
		}
		l.follow()
		if errors.Is(err, ErrNotLeader) || errors.Is(err, eventlog.ErrClock) || errors.Is(err, ErrForeign) || errors.Is(err, eventlog.ErrClosed) {
			return err
		}
		if !lease.Pause(ctx, 200*time.Millisecond) {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
	upkeep, stop := context.WithCancel(l.ctx)
	d.mu.Lock()
	d.stop = stop
	d.mu.Unlock()
	d.upkeep.Go(func() { l.keep(upkeep) })
	l.opts.Logger.Info("this node leads the log", "epoch", epoch)
	return nil
}

// takeOver writes the new epoch into the state, after which no change of an earlier leader can succeed.
func (l *Log) takeOver(ctx context.Context, epoch uint64) error {
	if err := l.cannot(); err != nil {
		return err
	}
	n, err := l.up()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*askTimeout)
	defer cancel()
	if err := l.makeStateStream(ctx, n); err != nil {
		return fmt.Errorf("make the stream of the state: %w", err)
	}
	s, revision, err := l.load(ctx, n)
	if errors.Is(err, errNoState) {
		s, err = l.firstState()
	}
	if err != nil {
		return err
	}
	if s.Epoch > epoch {
		return fmt.Errorf("%w: it has epoch %d, this one %d", ErrNotLeader, s.Epoch, epoch)
	}
	if !l.opts.AcceptClock {
		l.guard.CheckNotBefore(s.Hour)
	}
	if err := l.guard.Err(); err != nil {
		return err
	}
	s.Epoch = epoch
	s.Logs = slices.DeleteFunc(s.Logs, func(log logInfo) bool { return log.Stage == making })
	if revision, err = store(ctx, n, s, revision); err != nil {
		return err
	}
	d := &l.lead
	d.turned, d.asked = map[string]time.Duration{}, map[string]bool{}
	d.mu.Lock()
	d.leading, d.epoch, d.now, d.revision = true, epoch, s, revision
	d.mu.Unlock()
	if err := l.findEnds(ctx, s); err != nil {
		return err
	}
	return l.enterHour(ctx)
}

func (l *Log) firstState() (state, error) {
	l.ends.mu.Lock()
	defer l.ends.mu.Unlock()
	if l.prints.ID != "" {
		return state{}, fmt.Errorf("%w: %s is of an earlier cluster %q (%s), and the nodes that answer have no log: give this node an empty folder",
			ErrForeign, l.opts.Dir, l.opts.Cluster, l.prints.ID)
	}
	return state{Cluster: uuid.NewString()}, nil
}

// findEnds learns how far each log has come. One whose stream no node has is lost, and said to be. One of which that cannot
// be known yet is kept: others can be made beside it, and whoever reads it asks again.
func (l *Log) findEnds(ctx context.Context, s state) error {
	for _, log := range s.Logs {
		info, err := l.askSoon(ctx, log.Name)
		if errors.Is(err, errNoStream) {
			err = l.lost(ctx, log.Name)
		}
		switch {
		case errors.Is(err, errNoStream):
			l.opts.Logger.Error("a log is gone from all nodes, and what it held that was not flushed is lost", "log", log.Name)
			if err := l.change(ctx, func(s *state) { s.remove(log.Name) }); err != nil {
				return fmt.Errorf("log %s: %w", log.Name, err)
			}
		case err != nil:
			l.opts.Logger.Warn("how far a log has come is not known: it waits for the nodes that hold it", "log", log.Name, "reason", err)
		default:
			l.ends.saw(log.Name, info.State.LastSeq)
		}
	}
	return ctx.Err()
}

// lost is errNoStream where JetStream has no stream of the log, rather than a replica that says so.
func (l *Log) lost(ctx context.Context, log string) error {
	n, err := l.up()
	if err != nil {
		return err
	}
	names, err := n.streams(ctx)
	switch {
	case err != nil:
		return err
	case slices.Contains(names, log):
		return errors.New("the node that answers has not read it from its disk yet")
	}
	return errNoStream
}

func (l *Log) askSoon(ctx context.Context, log string) (stream, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return l.ask(ctx, log)
}

func (s *state) remove(name string) {
	s.Logs = slices.DeleteFunc(s.Logs, func(log logInfo) bool { return log.Name == name })
}

// Follow ends the leading of this node, if it leads. Its marks, Trim and Delete are over when it returns.
func (l *Log) Follow() {
	d := &l.lead
	d.mu.Lock()
	stop := d.stop
	d.stop = nil
	d.mu.Unlock()
	if stop != nil {
		stop()
	}
	d.upkeep.Wait()
	d.changing.Lock()
	defer d.changing.Unlock()
	l.follow()
}

func (l *Log) follow() {
	l.lead.mu.Lock()
	defer l.lead.mu.Unlock()
	l.lead.leading = false
}

// Leading tells whether this node leads, as far as it knows.
func (l *Log) Leading() bool {
	_, leading := l.lead.state()
	return leading
}

// change replaces the state by what do makes of it; do may be called again, also on a state that it has already made.
// The caller holds changing.
func (l *Log) change(ctx context.Context, do func(*state)) error {
	d := &l.lead
	for {
		now, leading := d.state()
		if !leading {
			return ErrNotLeader
		}
		err := l.changeOnce(ctx, now, do)
		if err == nil || errors.Is(err, ErrNotLeader) {
			return err
		}
		if !lease.Pause(ctx, 100*time.Millisecond) {
			return err
		}
	}
}

func (l *Log) changeOnce(ctx context.Context, now state, do func(*state)) error {
	n, err := l.up()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	d, next := &l.lead, now.clone()
	do(&next)
	if reflect.DeepEqual(now, next) {
		return nil
	}
	asked := l.opts.Clock.Mono()
	revision, err := store(ctx, n, next, d.revision)
	if err == nil {
		d.set(next, revision)
		l.heard(next, asked)
		return nil
	}
	// It may be written all the same, or by another.
	written, revision, loadErr := l.load(ctx, n)
	if loadErr != nil {
		return errors.Join(err, loadErr)
	}
	if written.Epoch != d.epoch {
		l.follow()
		return fmt.Errorf("%w: it has epoch %d", ErrNotLeader, written.Epoch)
	}
	d.set(written, revision)
	return err
}

// enterHour makes sure that the hour of the clock has begun: with a new log where a day begins, and
// with a mark. Hours never go back, whatever this node's clock says. The caller holds changing.
func (l *Log) enterHour(ctx context.Context) error {
	hour, err := l.guard.Hour()
	if err != nil {
		return err
	}
	s, leading := l.lead.state()
	if !leading {
		return ErrNotLeader
	}
	if hour.Before(s.Hour) {
		hour = s.Hour
	}
	name := s.current()
	if name == "" {
		return l.makeLog(ctx, hour)
	}
	log := s.log(name)
	switch {
	case log.info().Day.Before(hour.Truncate(24 * time.Hour)):
		return l.makeLog(ctx, hour)
	case log.Marks[len(log.Marks)-1].Hour.Before(hour):
		return l.mark(ctx, name, hour)
	}
	return nil
}

// mark begins an hour in a log: what has the mark's sequence number or a later one belongs to it.
func (l *Log) mark(ctx context.Context, name string, hour time.Time) error {
	seq, err := l.writeMark(ctx, name, hour)
	if err != nil {
		return fmt.Errorf("begin hour %s: %w", hour.Format(basis.HourForm), err)
	}
	return l.change(ctx, func(s *state) {
		log := s.log(name)
		if log.Marks[len(log.Marks)-1].Hour.Before(hour) {
			log.Marks = append(log.Marks, mark{hour, seq})
		}
		s.Hour = hour
	})
}

func (l *Log) writeMark(ctx context.Context, name string, hour time.Time) (uint64, error) {
	n, err := l.up()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return publish(ctx, n, name+".mark", "mark-"+hour.Format(basis.HourForm), nil)
}

// makeLog makes a new log with its first mark, which all nodes append to from then on. The name is in the state
// before there is a stream, so that a stream that is not in it can be deleted whoever made it.
func (l *Log) makeLog(ctx context.Context, hour time.Time) error {
	name := basis.NewName(hour.Truncate(24 * time.Hour))
	err := l.change(ctx, func(s *state) {
		s.Logs = slices.DeleteFunc(s.Logs, func(log logInfo) bool { return log.Stage == making })
		s.Logs = append(s.Logs, logInfo{Name: name, Stage: making})
	})
	if err != nil {
		return err
	}
	n, err := l.up()
	if err != nil {
		return err
	}
	if err := createStream(ctx, n, name, l.opts.Replicas); err != nil {
		return fmt.Errorf("make log %s: %w", name, err)
	}
	seq, err := l.writeMark(ctx, name, hour)
	if err != nil {
		return fmt.Errorf("begin log %s: %w", name, err)
	}
	return l.change(ctx, func(s *state) {
		if log := s.log(name); log != nil && log.Stage == making {
			log.Stage, log.Marks, s.Hour = open, []mark{{hour, seq}}, hour
		}
	})
}

// Turn makes a new log now, and so ends the current one: it is flushed and deleted like one whose day is done, on all
// nodes. That is how what was trimmed leaves the nodes' own logs before the day does. The errors are [ErrNotLeader]
// and those of ctx and of the cluster.
func (l *Log) Turn(ctx context.Context) error {
	l.lead.changing.Lock()
	defer l.lead.changing.Unlock()
	if err := l.enterHour(ctx); err != nil {
		return err
	}
	s, _ := l.lead.state()
	return l.makeLog(ctx, s.Hour)
}

// Trim removes the entries of a log up to and including the sequence number last. They can be read no more; their bytes
// are gone from all disks with the log. Sequence numbers go on where they were. The errors are [ErrNotLeader],
// ErrUnknown, ErrSequence and ErrUnavailable of eventlog, and those of ctx.
func (l *Log) Trim(ctx context.Context, log string, last uint64) error {
	l.lead.changing.Lock()
	defer l.lead.changing.Unlock()
	info, err := l.led(log)
	if err != nil {
		return err
	}
	if end := l.ends.saw(log, 0); last > end {
		return fmt.Errorf("%w: %d in %s, the last is %d", eventlog.ErrSequence, last, log, end)
	}
	if last <= info.Trimmed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	// The state first: what it says is trimmed, whoever led when that was written may purge at any time.
	err = l.change(ctx, func(s *state) {
		if info := s.log(log); info != nil {
			info.Trimmed = max(info.Trimmed, last)
		}
	})
	if err != nil {
		return unavailable(ctx, err)
	}
	n, err := l.up()
	if err != nil {
		return err
	}
	return unavailable(ctx, purgeStream(ctx, n, log, last+1))
}

// changeTimeout is how long a stream may take to be purged or deleted.
const changeTimeout = 30 * time.Second

// led is what the leader's state says of a log.
func (l *Log) led(name string) (*logInfo, error) {
	s, leading := l.lead.state()
	if !leading {
		return nil, ErrNotLeader
	}
	log := s.log(name)
	if log == nil || log.Stage == making {
		return nil, fmt.Errorf("%w: %s", eventlog.ErrUnknown, name)
	}
	return log, nil
}

func unavailable(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, ErrNotLeader) || errors.Is(err, eventlog.ErrUnavailable):
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
}

// Delete removes a log that is not current, with all that is left of it on any node. It is to be called by whoever has read the
// log to the end that LogsNow gave, and again after each such round while Logs still has the log: while groups may still go
// into it, and the first time after that, Delete only takes note. The errors are [ErrNotLeader], ErrUnknown, ErrCurrent and
// ErrUnavailable of eventlog, and those of ctx.
func (l *Log) Delete(ctx context.Context, log string) error {
	l.lead.changing.Lock()
	defer l.lead.changing.Unlock()
	info, err := l.led(log)
	if err != nil {
		return err
	}
	s, _ := l.lead.state()
	if s.current() == log {
		return fmt.Errorf("%w: %s", eventlog.ErrCurrent, log)
	}
	if info.Stage != settled {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	if !l.lead.asked[log] {
		// The end it has now is its last. Who comes a second time has asked for it since, and read up to it.
		end, err := l.provenEnd(ctx, log)
		if err != nil {
			return unavailable(ctx, err)
		}
		l.ends.saw(log, end)
		l.lead.asked[log] = true
		return nil
	}
	if err := l.change(ctx, func(s *state) { s.remove(log) }); err != nil {
		return unavailable(ctx, err)
	}
	l.ends.forget(log)
	n, err := l.up()
	if err != nil {
		return err
	}
	return unavailable(ctx, deleteStream(ctx, n, log))
}

func (l *Log) provenEnd(ctx context.Context, log string) (uint64, error) {
	info, err := l.ask(ctx, log)
	if err == nil {
		err = l.prove(ctx, info)
	}
	return info.State.LastSeq, err
}
