package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"brine/eventlog"
	"brine/lease"
)

// state is all that leaders have decided. It lies in one message, which each change replaces.
type state struct {
	Cluster string    `json:"cluster"` // which cluster this is: made at random with its first state
	Epoch   uint64    `json:"epoch"`   // of the leader that wrote it
	Hour    time.Time `json:"hour"`    // the newest that has begun
	Logs    []logInfo `json:"logs"`    // in order of creation
}

// logInfo is what is decided of one log.
type logInfo struct {
	Name    string `json:"name"`
	Stage   stage  `json:"stage"`
	Marks   []mark `json:"marks"`   // in order
	Trimmed uint64 `json:"trimmed"` // sequence number up to which the lake has it
}

// stage is how far a log's life has come. One whose life is over is in no state.
type stage string

const (
	making  stage = "making"  // its stream is being made, and nothing goes into it
	open    stage = "open"    // the last one is current; into one before it late groups may still go
	settled stage = "settled" // nothing goes into it any more
)

// mark says that an hour begins: what has its sequence number or a later one belongs to it.
type mark struct {
	Hour time.Time `json:"hour"`
	Seq  uint64    `json:"seq"`
}

// current is the log that is appended to, "" where there is none.
func (s *state) current() string {
	for _, log := range slices.Backward(s.Logs) {
		if log.Stage == open {
			return log.Name
		}
	}
	return ""
}

func (s *state) log(name string) *logInfo {
	if i := slices.IndexFunc(s.Logs, func(l logInfo) bool { return l.Name == name }); i >= 0 {
		return &s.Logs[i]
	}
	return nil
}

// hour is the hour that entries belong to now: of logs into which something may go, the first one's.
func (s *state) hour() time.Time {
	for _, log := range s.Logs {
		if log.Stage == open {
			return log.Marks[len(log.Marks)-1].Hour
		}
	}
	return s.Hour
}

// hourOf is the hour that an entry of the log belongs to.
func (l *logInfo) hourOf(seq uint64) time.Time {
	hour := l.Marks[0].Hour // what was appended before the first mark is no entry
	for _, m := range l.Marks {
		if m.Seq <= seq {
			hour = m.Hour
		}
	}
	return hour
}

func (s state) clone() state {
	s.Logs = slices.Clone(s.Logs)
	for i := range s.Logs {
		s.Logs[i].Marks = slices.Clone(s.Logs[i].Marks)
	}
	return s
}

// The stream of the state. It is read from its leader only: a replica that lags would give an old state as the newest.
const (
	stateStream  = "state"
	stateSubject = "state.now"
	nodeSubject  = "state.node." // and the name of a node: its config, as it told
)

// errNoState is a cluster that has none yet.
var errNoState = errors.New("the cluster has no state yet: no node has led")

// makeStateStream makes the stream of the state where it is missing.
func (l *Log) makeStateStream(ctx context.Context, n *node) error {
	_, err := n.js.Stream(ctx, stateStream)
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	_, err = n.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: stateStream, Subjects: []string{stateSubject, nodeSubject + "*"},
		MaxMsgsPerSubject: 1, Replicas: l.opts.Replicas,
	})
	return err
}

// lastOf is the last message of a subject, from the stream's leader; its data are nil where there is none.
func lastOf(ctx context.Context, n *node, stream, subject string) (data []byte, seq uint64, err error) {
	var answer struct {
		apiAnswer
		Message struct {
			Seq  uint64 `json:"seq"`
			Data []byte `json:"data"`
		} `json:"message"`
	}
	if err := ask(ctx, n.reader, "$JS.API.STREAM.MSG.GET."+stream, map[string]string{"last_by_subj": subject}, &answer); err != nil {
		return nil, 0, err
	}
	if answer.Error != nil && answer.Error.Code == codeNoMessage {
		return nil, 0, nil
	}
	return answer.Message.Data, answer.Message.Seq, answer.err()
}

// apiAnswer is what all answers of JetStream have in common.
type apiAnswer struct {
	Error *struct {
		Code        int    `json:"err_code"`
		Description string `json:"description"`
	} `json:"error"`
}

// The errors of JetStream that are no failures here.
const (
	codeNoMessage = 10037
	codeNoStream  = 10059
)

func (a apiAnswer) err() error {
	if a.Error == nil {
		return nil
	}
	return fmt.Errorf("%s (%d)", a.Error.Description, a.Error.Code)
}

// ask puts a request to JetStream.
func ask(ctx context.Context, conn *nats.Conn, subject string, request, answer any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	msg, err := conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	return json.Unmarshal(msg.Data, answer)
}

// load reads the state and its revision.
func (l *Log) load(ctx context.Context, n *node) (s state, revision uint64, err error) {
	data, revision, err := lastOf(ctx, n, stateStream, stateSubject)
	if err != nil {
		return s, 0, fmt.Errorf("read the state: %w", err)
	}
	if data == nil {
		return s, 0, errNoState
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, 0, fmt.Errorf("the state: %w", err)
	}
	return s, revision, l.checkFolder(s)
}

// store replaces the state of a revision, and gives the new revision. After an error it may be replaced all the same.
func store(ctx context.Context, n *node, s state, revision uint64) (uint64, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	ack, err := n.js.Publish(ctx, stateSubject, data, jetstream.WithExpectLastSequencePerSubject(revision))
	if err != nil {
		return 0, fmt.Errorf("write the state: %w", err)
	}
	return ack.Sequence, nil
}

// poll keeps what this node knows of the state fresh.
func (l *Log) poll() {
	for ok := true; ok; ok = lease.Pause(l.ctx, pollEvery) {
		l.hear(l.ctx)
		l.comparePeers(l.ctx)
	}
}

// hear asks for the state, and gives it up after [askTimeout].
func (l *Log) hear(ctx context.Context) {
	n, err := l.up()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	asked := l.opts.Clock.Mono()
	if s, _, err := l.load(ctx, n); err == nil {
		l.heard(s, asked)
	} else if errors.Is(err, ErrForeign) {
		n.foreign.Store(&err) // [Log.watch] ends it
	}
}

// heard takes up a state, unless a newer one is known.
func (l *Log) heard(s state, asked time.Duration) {
	for {
		old := l.known.Load()
		if old != nil && old.asked > asked {
			return
		}
		if l.known.CompareAndSwap(old, &known{s, asked}) {
			return
		}
	}
}

// fresh is the state as it was at most [freshFor] ago.
func (l *Log) fresh() (state, error) {
	k := l.known.Load()
	if k == nil || l.opts.Clock.Mono()-k.asked > freshFor {
		return state{}, fmt.Errorf("%w: no majority of the nodes answers (%s)", eventlog.ErrUnavailable, l.reached())
	}
	return k.state, nil
}

// latest is the state as far as this node knows it: the leader's own, or what was heard.
func (l *Log) latest() (state, bool) {
	if s, ok := l.lead.state(); ok {
		return s, true
	}
	if k := l.known.Load(); k != nil {
		return k.state, true
	}
	return state{}, false
}

// Hour is the hour that entries belong to now, UTC; none that comes belongs to an earlier one. Zero before the first.
func (l *Log) Hour() time.Time {
	s, _ := l.latest()
	return s.hour()
}
