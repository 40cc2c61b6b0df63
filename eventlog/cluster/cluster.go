// Package cluster is the log of [eventlog] on several nodes: a group is acknowledged once a majority of the disks
// that hold it have it, and is read back in order until the lake has it.
//
// Each storage node embeds a JetStream server. The servers speak among themselves, over TLS on both sides, and
// have no port for anybody else. Each UTC day has its own stream, as in eventlog, and every node appends to the one
// that is current.
//
//	Append(group), on any node → current log, on a majority of disks → Logs, Read → the lake → Trim, Delete, by the leader
//
// One node leads ([Log.Lead]): it makes logs, writes marks and trims. What it has decided stands in one small message,
// the state, which is replaced only by whoever knew it as it is. So nothing rests on who believes to lead: a
// change by one that leads no more fails, and a log is deleted only when it is out of the state. An entry
// belongs to the last mark of the state that lies before it in its log.
//
// When a new log takes over from another, nodes may append to the old one until they have heard of it, a few seconds.
// A node that has not heard the state for [freshFor] takes nothing. After [settleTime] the old log is settled:
// only then is it deleted, and only then does the hour go on.
//
// It imports eventlog and lease. What a group holds is not looked at, and never logged.
package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"brine/eventlog"
	"brine/eventlog/internal/basis"
)

// The errors that a cluster has beside those of eventlog; what is returned wraps one of them and says more.
var (
	ErrForeign   = errors.New("log: the folder is another's")
	ErrRemoved   = errors.New("log: this node was removed from the cluster: give it a new name and an empty folder")
	ErrNotLeader = errors.New("log: another node leads")
)

// Node is one storage node of the cluster.
type Node struct {
	Name string // of its own, for ever
	Addr string // host:port on which the others reach it
}

// Options say who the nodes are and how this one behaves. All but those with a default are needed.
type Options struct {
	Dir           string                   // the folder of this node; nothing else may use it
	Cluster       string                   // name of the cluster, which no other has
	Name          string                   // of this node, one of Nodes
	Nodes         []Node                   // all, this one included; the same on every node
	Listen        string                   // host:port to listen on; default this node's address
	Replicas      int                      // nodes that hold each group; default 3
	Same          func() map[string]string // what else has to be the same on every node, by the config's key; asked for every 5 s; default nothing
	Certificate   func() *tls.Certificate  // that this node shows the others; asked for each connection
	CA            func() *x509.CertPool    // the roots of all nodes' certificates; asked for each second
	AppendTimeout time.Duration            // how long a group may take to be acknowledged; default 10 s
	Clock         eventlog.Clock           // default: the system's
	AcceptClock   bool                     // an operator has confirmed that the clock is right; default false
	Logger        *slog.Logger             // default: slog.Default()
}

// The times of the cluster. A group that is acknowledged went out within AppendTimeout of a look at the state that
// was at most freshFor old. The state may have come from a stream leader that was cut off and did not know it, which
// JetStream ends after 20 s. settleTime is more than all of it.
const (
	freshFor      = 10 * time.Second
	settleTime    = time.Minute
	appendTimeout = 10 * time.Second
	pollEvery     = 500 * time.Millisecond
	askTimeout    = 2 * time.Second // of a question to the cluster that is asked again anyway
)

// maxWaiting is how many bytes of groups may wait for their acknowledgement.
const maxWaiting = 64 << 20

// Log is this node's part in the cluster. Its methods may be called from several goroutines.
type Log struct {
	opts     Options
	guard    *basis.Guard
	settle   time.Duration // settleTime, but in tests
	patience time.Duration // [basis.Patience], but in tests
	waiting  *semaphore.Weighted
	prints   fingerprint // what the folder is

	node   atomic.Pointer[node]   // the server; nil while there is none
	fault  atomic.Pointer[error]  // what is wrong with this node; nil when nothing is
	known  atomic.Pointer[known]  // the state as this node heard it last; nil before the first time
	missed atomic.Pointer[missed] // the last append that got no acknowledgement

	lead  leader
	ends  ends
	peers peers

	stop context.CancelFunc
	ctx  context.Context // ends with Close
	work sync.WaitGroup
}

// known is the state and when it was asked for.
type known struct {
	state state
	asked time.Duration // by the monotonic clock
}

// missed is an append that failed, and when.
type missed struct {
	err error
	at  time.Duration
}

// Open starts this node. It does not wait for the others: what is missing, [Log.Err] tells. Mistakes in
// the options, a certificate that cannot be read and a folder of another node or cluster are errors. ctx bounds the
// opening alone.
func Open(ctx context.Context, opts Options) (*Log, error) {
	opts = withDefaults(opts)
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("log: make the folder: %w", err)
	}
	prints, err := claim(opts)
	if err != nil {
		return nil, err
	}
	l := &Log{opts: opts, guard: basis.NewGuard(opts.Clock, opts.Logger), settle: settleTime, patience: basis.Patience,
		waiting: semaphore.NewWeighted(maxWaiting), prints: prints}
	l.ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	n, err := startNode(opts)
	if err != nil {
		l.stop()
		return nil, fmt.Errorf("log: open %s: %w", opts.Dir, err)
	}
	l.node.Store(n)
	l.work.Go(l.watch)
	l.work.Go(l.poll)
	return l, nil
}

func withDefaults(opts Options) Options {
	if opts.Replicas == 0 {
		opts.Replicas = 3
	}
	if opts.AppendTimeout == 0 {
		opts.AppendTimeout = appendTimeout
	}
	if opts.Clock == nil {
		opts.Clock = basis.SystemClock{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if i := slices.IndexFunc(opts.Nodes, func(n Node) bool { return n.Name == opts.Name }); i >= 0 && opts.Listen == "" {
		opts.Listen = opts.Nodes[i].Addr
	}
	opts.Dir = filepath.Clean(opts.Dir)
	return opts
}

func (o Options) check() error {
	switch {
	case o.Cluster == "":
		return errors.New("the cluster has no name")
	case !slices.ContainsFunc(o.Nodes, func(n Node) bool { return n.Name == o.Name }):
		return fmt.Errorf("this node, %q, is none of the cluster's", o.Name)
	case len(o.Nodes) < 2:
		return errors.New("a cluster has at least 2 nodes")
	case o.Replicas > len(o.Nodes):
		return fmt.Errorf("%d replicas on %d nodes", o.Replicas, len(o.Nodes))
	case o.AppendTimeout > appendTimeout:
		return fmt.Errorf("an append may take %s at most", appendTimeout)
	}
	return nil
}

// Err is nil while appends can work here, else it says why they cannot and what to do.
func (l *Log) Err() error {
	if err := l.cannot(); err != nil {
		return err
	}
	k := l.known.Load()
	switch {
	case k == nil || l.opts.Clock.Mono()-k.asked > freshFor:
		return fmt.Errorf("%w: no majority of the nodes answers (%s)", eventlog.ErrUnavailable, l.reached())
	case k.state.current() == "":
		return fmt.Errorf("%w: no node has made the first log yet", eventlog.ErrUnavailable)
	}
	if m := l.missed.Load(); m != nil && l.opts.Clock.Mono()-m.at < freshFor/2 {
		return m.err
	}
	return nil
}

// cannot says what is wrong with this node itself.
func (l *Log) cannot() error {
	if l.ctx.Err() != nil {
		return eventlog.ErrClosed
	}
	if fault := l.fault.Load(); fault != nil {
		return *fault
	}
	return l.guard.Err()
}

// Close leaves the cluster for now. Nothing acknowledged is lost without it.
func (l *Log) Close() error {
	l.Follow()
	l.stop()
	l.work.Wait()
	if n := l.node.Swap(nil); n != nil {
		n.close()
	}
	return nil
}

// Mono is the clock that the times of the cluster are measured by: it is never stepped, and goes on while the machine sleeps.
func (l *Log) Mono() time.Duration { return l.opts.Clock.Mono() }
