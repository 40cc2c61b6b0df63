package cluster

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/crypto/bcrypt"

	"brine/eventlog"
	"brine/eventlog/internal/basis"
	"brine/lease"
)

// node is one life of this node's server with the connections into it.
type node struct {
	srv   *server.Server
	conf  *server.Options
	roots *x509.CertPool // that its connections are judged by
	// Writing has its own connection: the server answers reads inside a connection's own
	// read loop, where a group would wait behind them. The system's may take nodes out.
	writer, reader, system *nats.Conn
	js                     jetstream.JetStream
	lines                  *basis.ServerLog
	foreign                atomic.Pointer[error] // set once the folder was found to be another cluster's
}

func startNode(opts Options) (*node, error) {
	roots := opts.CA()
	conf, secret, err := serverOptions(opts)
	if err != nil {
		return nil, err
	}
	srv, err := server.NewServer(conf)
	if err != nil {
		return nil, err
	}
	n := &node{srv: srv, conf: conf, roots: roots, lines: basis.NewServerLog(opts.Logger, isFatal)}
	srv.SetLoggerV2(n.lines, false, false, false)
	srv.Start() // returns when what is on disk is recovered, as there is no port for clients
	startRoutes(srv)
	if !srv.JetStreamEnabled() {
		n.close()
		return nil, fmt.Errorf("the server did not start: %s", n.lines.LastError())
	}
	if err := n.connect(opts, secret); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// startRoutes lets the server speak with the others. By itself it does so once its port for clients is open, and
// waits for that for ever where it has none; this counts as the end of that wait.
func startRoutes(srv *server.Server) {
	ready := make(chan struct{})
	close(ready)
	srv.StartRouting(ready)
}

// The users of the server. They only come from inside the process, with a password of this life.
const (
	systemUser = "system"
	logUser    = "log"
)

func serverOptions(opts Options) (*server.Options, string, error) {
	host, portText, err := net.SplitHostPort(opts.Listen)
	if err != nil {
		return nil, "", err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, "", err
	}
	if err := CheckTLS(opts); err != nil {
		return nil, "", err
	}
	var routes []*url.URL // this node's own too: a first majority is one of as many nodes as there are routes
	for _, n := range opts.Nodes {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: n.Addr})
	}
	secret, system := rand.Text(), server.NewAccount("$SYS")
	hashed, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost) // as it is random, no more is needed
	if err != nil {
		return nil, "", err
	}
	return &server.Options{
		ServerName:    opts.Name,
		DontListen:    true,
		AuthTimeout:   basis.ConnectTimeout.Seconds(),
		NoSigs:        true,
		NoLog:         true,
		Accounts:      []*server.Account{system},
		SystemAccount: "$SYS",
		Users:         []*server.User{{Username: systemUser, Password: string(hashed), Account: system}, {Username: logUser, Password: string(hashed)}},
		Routes:        routes,
		Cluster: server.ClusterOpts{
			Name: opts.Cluster, Host: host, Port: port, NoAdvertise: true,
			TLSConfig: TLS(opts), TLSTimeout: 5,
			PingInterval: 2 * time.Second, MaxPingsOut: 2, // a peer that is cut off is not waited for
		},
		JetStream:              true,
		StoreDir:               opts.Dir,
		SyncAlways:             true,
		MaxPayload:             eventlog.MaxGroup,
		JetStreamMaxStore:      math.MaxInt64 / 2, // as in eventlog
		JetStreamMaxMemory:     1 << 20,
		DisableJetStreamBanner: true,
		DisableShortFirstPing:  true, // a connection that waits would take it for an error
		ReconnectErrorReports:  60,   // attempts, a second apart: of a node that is away each connection tells once a minute
	}, secret, nil
}

func (n *node) connect(opts Options, secret string) (err error) {
	connect := func(user string) (*nats.Conn, error) {
		return nats.Connect("", nats.InProcessServer(n.srv), nats.NoReconnect(), nats.Timeout(basis.ConnectTimeout), nats.UserInfo(user, secret),
			nats.SyncQueueLen(2*basis.FetchEntries), // an answer must fit, or its end is dropped
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
				opts.Logger.Warn("log connection", "error", err)
			}))
	}
	if n.writer, err = connect(logUser); err != nil {
		return fmt.Errorf("connect to write: %w", err)
	}
	if n.reader, err = connect(logUser); err != nil {
		return fmt.Errorf("connect to read: %w", err)
	}
	if n.system, err = connect(systemUser); err != nil {
		return fmt.Errorf("connect to the system: %w", err)
	}
	n.js, err = jetstream.New(n.reader, jetstream.WithDefaultTimeout(askTimeout))
	return err
}

// close returns when the server no longer touches the folder.
func (n *node) close() {
	for _, conn := range []*nats.Conn{n.writer, n.reader, n.system} {
		if conn != nil {
			conn.Close()
		}
	}
	n.srv.Shutdown()
	n.srv.WaitForShutdown()
}

// watch looks each second whether the server still works, and starts it anew when it does not: JetStream
// keeps its first write error for good, also when space is back. No other goroutine starts or ends a server while
// this one runs, so there always is one here.
func (l *Log) watch() {
	for lease.Pause(l.ctx, time.Second) {
		n := l.node.Load()
		if foreign := n.foreign.Load(); foreign != nil {
			l.give(*foreign)
			return
		}
		switch reason := n.broken(); {
		case reason == "":
			if err := n.trust(l.opts); err != nil {
				l.opts.Logger.Error("the new roots of the nodes' certificates are not in force", "error", err)
			}
		case strings.Contains(reason, "removed from the cluster"):
			l.give(ErrRemoved)
			return
		default:
			l.restart(errors.New(reason))
		}
	}
}

// trust has the connections that begin from now on judged by the roots that are in force.
func (n *node) trust(opts Options) error {
	roots := opts.CA()
	if roots.Equal(n.roots) {
		return nil
	}
	n.roots = roots
	conf := n.conf.Clone()
	conf.Cluster.TLSConfig = TLS(opts)
	return n.srv.ReloadOptions(conf)
}

// isFatal tells a line after which the server writes no more from what is said of the way to other nodes.
func isFatal(line string) bool {
	return slices.ContainsFunc([]string{"write error", "out of space", "no space left", "DISABLED"},
		func(sign string) bool { return strings.Contains(line, sign) })
}

// broken says what has ended the server's writing, "" when nothing has.
func (n *node) broken() string {
	line := n.lines.LastError()
	if line == "" && !n.srv.JetStreamEnabled() {
		return "JetStream has ended"
	}
	return line
}

// give takes this node out of service, for good.
func (l *Log) give(err error) {
	l.fault.Store(&err)
	l.opts.Logger.Error("this node takes no events", "reason", err)
	if n := l.node.Swap(nil); n != nil {
		n.close()
	}
}

// restart takes the server down and starts it again as soon as the disk takes writes. The other nodes go on meanwhile.
func (l *Log) restart(cause error) {
	began := time.Now()
	l.give(fmt.Errorf("%w: %w", eventlog.ErrUnavailable, cause))
	for lease.Pause(l.ctx, time.Second) {
		err := basis.TryDisk(l.opts.Dir)
		var n *node
		if err == nil {
			n, err = startNode(l.opts)
		}
		if err == nil {
			l.node.Store(n)
			l.fault.Store(nil)
			l.opts.Logger.Info("this node works again", "after", time.Since(began).Round(time.Millisecond))
			return
		}
		err = fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
		l.fault.Store(&err)
	}
}

// up is the server, or why there is none.
func (l *Log) up() (*node, error) {
	if n := l.node.Load(); n != nil {
		return n, nil
	}
	if err := l.cannot(); err != nil {
		return nil, err
	}
	return nil, eventlog.ErrUnavailable // restarted between two looks
}

// KeyValue gives a bucket that lies on as many nodes as a log does, and makes it where it is missing. It is not
// to be kept: the server behind it may be started anew.
func (l *Log) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	n, err := l.up()
	if err != nil {
		return nil, err
	}
	kv, err := n.js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return n.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: bucket, Replicas: l.opts.Replicas})
	}
	return kv, err
}
