package peers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brine/access/tokens"
	"brine/erasure"
	"brine/salt"
)

// authority signs certificates of nodes.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	return &authority{cert, key}
}

func (a *authority) pool() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return roots
}

// node is the TLS of a node on this address.
func (a *authority) node(t *testing.T, ip net.IP) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	of := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{ip}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, of, a.cert, key.Public(), a.key)
	check(t, err)
	roots := a.pool()
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs: roots, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert}
}

var loopback = net.IPv4(127, 0, 0, 1)

// site is three nodes with a clock, and doors of real TLS.
type site struct {
	t     *testing.T
	ca    *authority
	roots atomic.Pointer[x509.CertPool] // in force for all nodes; nil: those of ca
	now   time.Time
	list  []Node
	nodes map[string]*testNode
	epoch uint64
}

// testNode is one of them.
type testNode struct {
	s      *site
	name   string
	data   string
	peers  *Peers
	salts  *Salts
	folder *salt.Folder
	erase  *Erasures
	files  *Files
	keys   int      // how often it heard of another key
	told   []string // destructions that it was told to be complete
	server *http.Server
}

func newSite(t *testing.T, now string) *site {
	t.Helper()
	s := &site{t: t, ca: newAuthority(t), now: at(now), nodes: map[string]*testNode{}}
	for _, name := range []string{"a", "b", "c"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		s.list = append(s.list, Node{name, l.Addr().String()})
		check(t, l.Close())
	}
	for _, n := range s.list {
		s.start(n.Name, filepath.Join(t.TempDir(), n.Name))
	}
	return s
}

func at(hour string) time.Time {
	t, err := time.Parse("2006-01-02T15", hour)
	if err != nil {
		panic(err)
	}
	return t
}

// trusts is the TLS of a node by the roots in force.
func (s *site) trusts(c *tls.Config) *tls.Config {
	c = c.Clone()
	if roots := s.roots.Load(); roots != nil {
		c.RootCAs, c.ClientCAs = roots, roots
	}
	return c
}

// start starts a node with the data that it has, as after a restart.
func (s *site) start(name, data string) *testNode {
	s.t.Helper()
	n := &testNode{s: s, name: name, data: data}
	s.nodes[name] = n
	check(s.t, os.MkdirAll(data, 0o700))
	periods, err := salt.ParsePeriods("quarter", "", 48*time.Hour)
	check(s.t, err)
	config := s.ca.node(s.t, loopback)
	n.peers = New(Options{Self: name, Nodes: s.list, Cluster: "test", TLS: func() *tls.Config { return s.trusts(config) }, Logger: slog.New(slog.DiscardHandler)})
	n.salts = &Salts{Peers: n.peers, Turn: n.rotate, Told: func(r salt.Record) { n.told = append(n.told, r.Salt) }}
	n.folder, err = salt.Open(filepath.Join(data, "salts"), salt.Options{Periods: periods, Records: filepath.Join(data, "salts.ndjson"),
		Now: func() time.Time { return s.now }, Shared: &salt.Shared{Make: n.salts.MayMake, Use: n.salts.MayUse}})
	check(s.t, err)
	n.salts.Folder = n.folder
	n.salts.Open()
	here, err := erasure.Open(erasure.Options{Dir: filepath.Join(data, "erasures"), Receipts: filepath.Join(data, "receipts"), Shared: true,
		Now: func() time.Time { return s.now }})
	check(s.t, err)
	n.erase = &Erasures{n.peers, here}
	n.erase.Open()
	n.files = &Files{Peers: n.peers, Dir: filepath.Join(data, "nodes"), Files: []File{
		{Name: "tokens", Path: filepath.Join(data, "tokens"), Merge: tokens.Merge},
		{Name: "users", Path: filepath.Join(data, "users"), Merge: Lines},
		{Name: "csrf.key", Path: filepath.Join(data, "csrf.key"), Merge: Whole, Changed: func() { n.keys++ }},
	}}
	check(s.t, os.MkdirAll(n.files.Dir, 0o700))
	n.files.Open()
	n.rotate()
	n.server = &http.Server{Handler: n.peers.Handler(), TLSConfig: n.peers.TLS(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	l, err := net.Listen("tcp", n.peers.addr(name))
	check(s.t, err)
	go n.server.ServeTLS(l, "", "")
	s.t.Cleanup(func() { n.stop() })
	return n
}

func (n *testNode) stop() {
	n.server.Close()
	n.peers.Close()
}

// rotate is a turn of the rotator: what it may not do it leaves.
func (n *testNode) rotate() {
	_, _ = n.folder.Rotate(n.s.now, false)
}

func always() error { return nil }

// leads is a new term of a node, of some rounds.
func (s *site) leads(name string) *testNode {
	s.epoch++
	n := s.nodes[name]
	for range 3 {
		n.salts.Round(s.t.Context(), s.epoch, always)
		n.erase.Round(s.t.Context(), s.epoch, always)
		n.files.Round(s.t.Context(), s.epoch, always)
	}
	return n
}

// prints are the fingerprints of the hour's salt on each node that runs, "" where there is none.
func (s *site) print(name, hour string) string {
	found, err := s.nodes[name].folder.For(at(hour))
	if err != nil {
		return ""
	}
	return found.Fingerprint()
}

// same wants one salt for an hour on these nodes, and gives its fingerprint.
func (s *site) same(hour string, names ...string) string {
	s.t.Helper()
	first := s.print(names[0], hour)
	for _, name := range names {
		if _, err := s.nodes[name].folder.For(at(hour)); err != nil || s.print(name, hour) != first {
			s.t.Fatalf("%s of %s: %q, of %s %q: %v", hour, name, s.print(name, hour), names[0], first, err)
		}
	}
	return first
}

// files are the names in a node's salts folder.
func (n *testNode) folderNames() []string {
	entries, err := os.ReadDir(filepath.Join(n.data, "salts"))
	check(n.s.t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (n *testNode) records() string {
	text, err := os.ReadFile(filepath.Join(n.data, "salts.ndjson"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		n.s.t.Fatal(err)
	}
	return string(text)
}

// waits wants that a node tells this to be waited for.
func (n *testNode) waits(text string) {
	n.s.t.Helper()
	if err := n.peers.Err(); err == nil || !strings.Contains(err.Error(), text) {
		n.s.t.Errorf("%s tells %v, want %q", n.name, err, text)
	}
}

// ask asks a node's door as another one, with that TLS.
func (s *site) ask(config *tls.Config, node, method, path, body string, header map[string]string) (status int, answer string, err error) {
	s.t.Helper()
	config = config.Clone()
	config.ClientAuth = tls.NoClientCert
	return s.askBy(&http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}, node, method, path, body, header)
}

func (s *site) askBy(client *http.Client, node, method, path, body string, header map[string]string) (status int, answer string, err error) {
	s.t.Helper()
	i := slices.IndexFunc(s.list, func(n Node) bool { return n.Name == node })
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "https://"+s.list[i].Addr+path, strings.NewReader(body))
	check(s.t, err)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}
