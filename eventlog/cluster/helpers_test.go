package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brine/door/doortest"
	"brine/eventlog/internal/basis"
)

// clock is that of one node: the time of a test, which can leap on, and by how much the node's time of day is beside it.
type clock struct {
	basis.SystemClock
	leap *atomic.Int64
	skew time.Duration
}

func (c clock) Wall() time.Time { return time.Now().Add(time.Duration(c.leap.Load()) + c.skew) }

func (c clock) Mono() time.Duration { return c.SystemClock.Mono() + time.Duration(c.leap.Load()) }

// authority signs the certificates of a cluster's nodes.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca", nil)
	return a
}

// sign makes name.pem and name.key. Without a parent it is a root.
func (a *authority) sign(t *testing.T, name string, parent *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	issuer, issuerKey := template, key
	if parent != nil {
		issuer, issuerKey = parent.cert, parent.key
	} else {
		template.IsCA = true
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, issuerKey)
	must(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(a.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert, key
}

// shows gives what is in the files of a name, each time.
func (a *authority) shows(name string) func() *tls.Certificate {
	return func() *tls.Certificate {
		pair, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
		if err != nil {
			panic(err)
		}
		return &pair
	}
}

// roots gives what is in ca.pem, each time.
func (a *authority) roots() func() *x509.CertPool {
	return func() *x509.CertPool {
		pool := x509.NewCertPool()
		if text, err := os.ReadFile(a.file("ca.pem")); err != nil || !pool.AppendCertsFromPEM(text) {
			panic("no root")
		}
		return pool
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// site is a cluster of a test: its nodes by name, each with a folder.
type site struct {
	t     *testing.T
	ca    *authority
	leap  atomic.Int64             // of all clocks
	skew  map[string]time.Duration // of a node's clock
	dir   string
	nodes []Node
	ways  map[string]*way // from one node to another, where they are watched; by "from>to"
	mu    sync.Mutex
	logs  map[string]*Log
	tune  func(*Options)
}

func newSite(t *testing.T, names ...string) *site {
	t.Helper()
	s := &site{t: t, ca: newAuthority(t), skew: map[string]time.Duration{}, dir: t.TempDir(), logs: map[string]*Log{}, ways: map[string]*way{}}
	for _, name := range names {
		s.add(name)
	}
	t.Cleanup(func() {
		for name := range s.logs {
			s.stop(name)
		}
	})
	return s
}

func (s *site) add(name string) {
	s.ca.sign(s.t, name, s.ca)
	s.nodes = append(s.nodes, Node{Name: name, Addr: doortest.FreeAddr(s.t)})
}

// options are those of one node, which speaks to the others through the ways that the test watches.
func (s *site) options(name string) Options {
	opts := Options{
		Dir: filepath.Join(s.dir, name), Cluster: "test", Name: name, Replicas: min(3, len(s.nodes)),
		Certificate: s.ca.shows(name), CA: s.ca.roots(),
		Clock: clock{leap: &s.leap, skew: s.skew[name]}, Logger: slog.New(slog.DiscardHandler),
	}
	if testing.Verbose() && os.Getenv("BRINE_LOG") != "" {
		opts.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("node", name)
	}
	for _, n := range s.nodes {
		if n.Name == name {
			opts.Listen = n.Addr
		}
		if w := s.ways[name+">"+n.Name]; w != nil {
			n.Addr = w.addr
		}
		opts.Nodes = append(opts.Nodes, n)
	}
	if s.tune != nil {
		s.tune(&opts)
	}
	return opts
}

func (s *site) start(name string) *Log {
	s.t.Helper()
	l, err := Open(s.t.Context(), s.options(name))
	must(s.t, err)
	l.settle = 2 * time.Second // groups of these tests are late by less
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs[name] = l
	return l
}

func (s *site) startAll() {
	s.t.Helper()
	for _, n := range s.nodes {
		s.start(n.Name)
	}
}

func (s *site) stop(name string) {
	if l := s.logs[name]; l != nil {
		l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.logs, name)
	}
}

// lead makes a node the leader.
func (s *site) lead(name string, epoch uint64) *Log {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	must(s.t, s.logs[name].Lead(ctx, epoch))
	return s.logs[name]
}

// append appends a group, and tries again while the log is not available.
func (s *site) append(l *Log, group string) {
	s.t.Helper()
	eventually(s.t, 30*time.Second, "append", func() bool { return l.Append(s.t.Context(), []byte(group)) == nil })
}

// awake is how long a process has been running, as far as it had a processor: a wait of 10 ms counts for 20 at most. All nodes of a test share
// one machine. Where that starves, a vote comes too late, elections are held twice, and what is measured is the machine.
type awake struct{ ran atomic.Int64 }

// running is that of this process.
var running = newAwake()

func newAwake() *awake {
	a := new(awake)
	go func() {
		for last := time.Now(); ; {
			time.Sleep(10 * time.Millisecond)
			now := time.Now()
			a.ran.Add(int64(min(now.Sub(last), 20*time.Millisecond)))
			last = now
		}
	}()
	return a
}

func (a *awake) now() time.Duration { return time.Duration(a.ran.Load()) }

// eventually waits until something is done, for a time by [running].
func eventually(t *testing.T, within time.Duration, what string, done func() bool) {
	t.Helper()
	for end := running.now() + within; !done(); time.Sleep(20 * time.Millisecond) {
		if running.now() > end {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// groups are all that a log's leader can read, of all logs in order.
func groups(t *testing.T, l *Log) (all []string) {
	t.Helper()
	for _, info := range l.Logs() {
		entries, err := l.Read(t.Context(), info.Name, 1, 1<<30)
		must(t, err)
		for _, e := range entries {
			if !e.Mark {
				all = append(all, string(e.Group))
			}
		}
	}
	return all
}

// way is a TCP way from one node to another that can be cut.
type way struct {
	addr, to string
	mu       sync.Mutex
	cut      bool
	conns    []net.Conn
}

// watch puts a way between each two nodes.
func (s *site) watch() {
	for _, from := range s.nodes {
		for _, to := range s.nodes {
			if from.Name != to.Name {
				s.ways[from.Name+">"+to.Name] = newWay(s.t, to.Addr)
			}
		}
	}
}

func newWay(t *testing.T, to string) *way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &way{addr: l.Addr().String(), to: to}
	t.Cleanup(func() { l.Close(); w.set(true) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(conn)
		}
	}()
	return w
}

func (w *way) carry(from net.Conn) {
	to, err := net.Dial("tcp", w.to)
	if err != nil {
		from.Close()
		return
	}
	w.mu.Lock()
	cut := w.cut
	w.conns = append(w.conns, from, to)
	w.mu.Unlock()
	if cut {
		from.Close()
		to.Close()
		return
	}
	go func() { io.Copy(to, from); to.Close() }()
	io.Copy(from, to)
	from.Close()
}

func (w *way) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for _, c := range w.conns {
			c.Close()
		}
		w.conns = nil
	}
}

// cut parts a node from all others, and heal ends that.
func (s *site) cut(name string)  { s.setWays(name, true) }
func (s *site) heal(name string) { s.setWays(name, false) }

func (s *site) setWays(name string, cut bool) {
	for _, n := range s.nodes {
		for _, key := range []string{name + ">" + n.Name, n.Name + ">" + name} {
			if w := s.ways[key]; w != nil {
				w.set(cut)
			}
		}
	}
}

// others are the nodes but for one.
func (s *site) others(name string) (all []string) {
	for _, n := range s.nodes {
		if n.Name != name {
			all = append(all, n.Name)
		}
	}
	slices.Sort(all)
	return all
}
