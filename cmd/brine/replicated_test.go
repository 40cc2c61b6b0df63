package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/access"
	"brine/config"
	"brine/door/doortest"
	"brine/erasure"
	"brine/event"
	"brine/lake"
	"brine/lake/store/s3test"
	"brine/simulate"
)

// writeNodeCertificate makes one certificate for all nodes on this machine, which is its own root.
func writeNodeCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	of := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, of, of, private.Public(), private)
	check(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	cert, key = filepath.Join(t.TempDir(), "node.pem"), filepath.Join(t.TempDir(), "node.key")
	check(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return cert, key
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runningHouse is a house that serves.
type runningHouse struct {
	*house
	stop func()
}

func serveHouse(t *testing.T, cfg *config.Config) *runningHouse {
	t.Helper()
	registry, err := event.LoadRegistry("")
	check(t, err)
	h, err := openHouse(t.Context(), cfg, registry, newLogger(io.Discard), houseOptions{role: allRoles})
	check(t, err)
	check(t, h.openDoors())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.serve(ctx, func() {}) }()
	stopped := false
	r := &runningHouse{h, func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		check(t, <-done)
		check(t, h.Close())
	}}
	t.Cleanup(r.stop)
	return r
}

// fill appends interactions, and tries again while the log is not available.
func fill(t *testing.T, h *house, source *simulate.Source, n int) {
	t.Helper()
	arrival := &event.Arrival{Now: time.Now(), NewID: event.NewID, AnyAge: true}
	var group []byte
	for i := range n {
		row, key, _, problem := event.AppendInteraction(nil, source.AppendInteraction(nil, arrival.Now), arrival)
		if problem != nil {
			t.Fatal(problem)
		}
		group = event.AppendRecord(group, event.Record{Dataset: lake.Raw, Stream: event.Interaction, Key: key, Row: row})
		if i%100 == 99 || i == n-1 {
			within(t, 40*time.Second, "append", func() bool { return h.append(t.Context(), group) == nil })
			group = nil
		}
	}
}

func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// rawRows is how many interactions are held.
func (h *house) rawRows(t *testing.T) (n int64) {
	t.Helper()
	held, _, err := h.lake.Summaries(t.Context())
	check(t, err)
	for _, s := range held {
		if s.Dataset == lake.Raw && s.Stream == event.Interaction {
			n += s.Rows
		}
	}
	return n
}

// A single node grows to three, one of which does the background work; when that stops another does, and every event is there once.
func TestReplicatedHouses(t *testing.T) {
	s := s3test.Start(t)
	source := simulate.NewSource(1)
	cert, key := writeNodeCertificate(t)
	kpis := filepath.Join(t.TempDir(), "kpi.yaml")
	check(t, os.WriteFile(kpis, []byte("kpis: {visits: {count: all, better: more, smallest: 1}}\npublish: {from: "+time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly)+
		", epsilon: {day: 1, all: 365}, totals: {visits: {kpi: visits, epsilon: 1}}}\n"), 0o600))
	configOf := func(name string) *config.Config {
		cfg := config.Default()
		cfg.Data, cfg.Schemas, cfg.Allowlist, cfg.KPI, cfg.Lake = filepath.Join(t.TempDir(), name), "", "", kpis, s.Address("brine", "lake")
		cfg.Flush.Every = 200 * time.Millisecond
		cfg.Public.Addr, cfg.Private.Addr = "127.0.0.1:0", "127.0.0.1:0"
		return cfg
	}
	names := []string{"a", "b", "c"}
	configs := map[string]*config.Config{}
	var nodes, doors []string
	for _, name := range names {
		configs[name] = configOf(name)
		nodes, doors = append(nodes, name+"="+doortest.FreeAddr(t)), append(doors, name+"="+doortest.FreeAddr(t))
	}
	const each = 300

	registry, err := event.LoadRegistry("")
	check(t, err)
	single, err := openHouse(t.Context(), configs["a"], registry, newLogger(io.Discard), houseOptions{role: allRoles})
	check(t, err)
	_, err = single.salts.Rotate(time.Now(), false)
	check(t, err)
	fill(t, single, source, each) // and is not flushed, as after a crash
	check(t, single.Close())

	houses := map[string]*runningHouse{}
	for _, name := range names {
		cfg := configs[name]
		cfg.Log = config.Log{Nodes: nodes, Doors: doors, Cluster: "test", Name: name, Replicas: 3, TLS: config.LogTLS{Cert: cert, Key: key, CA: cert}}
		houses[name] = serveHouse(t, cfg)
	}
	want := int64(each)
	everywhere := func() bool {
		for _, h := range houses {
			if h.cluster.Leading() {
				_ = h.lake.Flush(t.Context()) // few events would wait for more; it fails where the leader is none any more
			}
		}
		for _, h := range houses {
			if h.rawRows(t) != want {
				return false
			}
		}
		return true
	}
	within(t, 90*time.Second, "what the single node held is in the lake", everywhere)
	within(t, 30*time.Second, "one has the lease, and each reaches the others", func() bool {
		holders := 0
		for _, h := range houses {
			all := h.scrape(t)
			if strings.Contains(all, "brine_lease_held 1\n") {
				holders++
			}
			if reached := regexp.MustCompile(`brine_log_node_up\{node="[abc]"\} 1`).FindAllString(all, -1); len(reached) != 2 || !strings.Contains(all, "brine_log_replicas 3\n") {
				return false
			}
		}
		return holders == 1
	})
	if _, err := os.Stat(filepath.Join(configs["a"].Data, "log", "jetstream")); !os.IsNotExist(err) {
		t.Errorf("the log of the single node is there still: %v", err)
	}
	for _, name := range names {
		fill(t, houses[name].house, source, each)
		want += each
	}
	within(t, 60*time.Second, "what each node took is in the lake", everywhere)

	within(t, 60*time.Second, "each node shows what one published", func() bool {
		shown := map[string]bool{}
		for _, h := range houses {
			w := httptest.NewRecorder()
			check(t, h.totals.Ledger.Look(t.Context())) // which it does each minute
			h.intake.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/kpi.json", nil))
			shown[w.Body.String()] = true
			if e := h.edition(); len(e.Releases) < 2 {
				return false
			}
		}
		return len(shown) == 1
	})

	within(t, 30*time.Second, "all have the salt of the single node", func() bool {
		first, err := single.salts.For(time.Now())
		check(t, err)
		for _, h := range houses {
			if got, err := h.salts.For(time.Now()); err != nil || got.Fingerprint() != first.Fingerprint() {
				return false
			}
		}
		return true
	})
	for _, name := range names {
		saltsOnlyInTheirFolder(t, configs[name].Data, s)
	}

	leader := ""
	for name, h := range houses {
		if h.cluster.Leading() {
			leader = name
		}
	}
	secret, made, err := openTokens(configs["a"].Data).Create("mira", access.RolesOf(access.Viewer), time.Now().Add(time.Hour), "")
	check(t, err)
	works := func(want bool) bool {
		for _, name := range names {
			if _, _, err := openTokens(configs[name].Data).Find(secret); (err == nil) != want {
				return false
			}
		}
		return true
	}
	within(t, 20*time.Second, "a token of one node works on all", func() bool { return works(true) })
	_, err = openTokens(configs["c"].Data).Revoke(made.Number)
	check(t, err)
	within(t, 20*time.Second, "what one node revoked works on none", func() bool { return works(false) })
	within(t, 20*time.Second, "what one node's public door gives, another takes", func() bool {
		return houses["c"].takesFrom(t, houses["a"].house) && houses["b"].takesFrom(t, houses["c"].house)
	})

	var numbers []string
	for name, h := range houses {
		check(t, h.forget("an install of "+name))
		number, err := h.acceptErasure(t.Context(), "another install of "+name, false)
		check(t, err)
		numbers = append(numbers, number)
	}
	removedEverywhere := func() bool {
		for _, h := range houses {
			for _, number := range numbers {
				if receipt, err := h.erasures.Receipt(number); err != nil || receipt.State != erasure.Removed {
					return false
				}
			}
			if st := h.erasures.Status(); st.Accepted != 0 || st.Removed != 2*len(names) {
				return false
			}
		}
		return true
	}
	within(t, 40*time.Second, "what any node took is erased, and all know it", removedEverywhere)
	houses[leader].stop()
	delete(houses, leader)
	for _, h := range houses {
		if got := len(h.erasures.Waiting()); got != 2*len(names) {
			t.Errorf("without the first leader %d erasures wait", got)
		}
	}
	for _, h := range houses {
		fill(t, h.house, source, each)
		want += each
	}
	within(t, 60*time.Second, "what was taken without the first owner is in the lake", everywhere)
}

// takesFrom tells whether a request with the session and token of another node's public door gets through this one's.
func (h *house) takesFrom(t *testing.T, other *house) bool {
	t.Helper()
	given := httptest.NewRecorder()
	other.intake.Handler().ServeHTTP(given, httptest.NewRequest("GET", "/wsapi/session_context", nil))
	var session struct {
		Token string `json:"csrf_token"`
	}
	check(t, json.Unmarshal(given.Body.Bytes(), &session))
	ask := httptest.NewRequest("POST", "/wsapi/interaction_data", strings.NewReader(`{"csrf": "`+session.Token+`", "data": []}`))
	ask.Header.Set("Content-Type", "application/json")
	ask.Header.Set("Cookie", strings.Split(given.Header().Get("Set-Cookie"), ";")[0])
	answer := httptest.NewRecorder()
	h.intake.Handler().ServeHTTP(answer, ask)
	return answer.Code == 200
}

// saltsOnlyInTheirFolder wants the text of no salt in any other file of a data folder, nor in the object store.
func saltsOnlyInTheirFolder(t *testing.T, data string, s *s3test.Server) {
	t.Helper()
	var keys [][]byte
	files, err := os.ReadDir(filepath.Join(data, "salts"))
	check(t, err)
	for _, file := range files {
		key, err := os.ReadFile(filepath.Join(data, "salts", file.Name()))
		check(t, err)
		keys = append(keys, bytes.TrimSpace(key))
	}
	if len(keys) == 0 {
		t.Fatal("no salt in " + data)
	}
	look := func(where string, text []byte) {
		if slices.ContainsFunc(keys, func(key []byte) bool { return bytes.Contains(text, key) }) {
			t.Errorf("%s holds a salt", where)
		}
	}
	check(t, filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Dir(path) == filepath.Join(data, "salts") {
			return nil // what is gone meanwhile holds nothing
		}
		if text, err := os.ReadFile(path); err == nil {
			look(path, text)
		}
		return nil
	}))
	bucket := s.OpenIn(t, "brine", "")
	for o, err := range bucket.List(t.Context(), "") {
		check(t, err)
		if text, err := bucket.Get(t.Context(), o.Key); err == nil {
			look(o.Key, text)
		}
	}
}

// The commands of a cluster say where there is none.
func TestClusterCommandsWithoutOne(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "", "data/x": ""})
	_, stderr, code := brine(t, "cluster", "status")
	if code != exitUsage || !strings.Contains(stderr, "log.nodes has none") {
		t.Error(code, stderr)
	}
}

// Nodes whose files of KPIs or allowlists say the same are told to have the same, wherever the files lie, and as they are now.
func TestFilesAreSameOnNodes(t *testing.T) {
	node := func() *config.Config {
		cfg := config.Default()
		cfg.Allowlist, cfg.KPI = "", filepath.Join(t.TempDir(), "kpi.yaml")
		check(t, os.WriteFile(cfg.KPI, []byte("kpis: {}\n"), 0o600))
		return cfg
	}
	one, two := node(), node()
	if a, b := sameOnNodes(one), sameOnNodes(two); !maps.Equal(a, b) {
		t.Errorf("%v is not %v", a, b)
	}
	check(t, os.WriteFile(two.KPI, []byte("kpis: {} # otherwise\n"), 0o600))
	two.Allowlist = two.KPI
	if got, want := config.Differing(sameOnNodes(one), sameOnNodes(two)), []string{"allowlist", "kpi"}; !slices.Equal(got, want) {
		t.Errorf("%v differ, want %v", got, want)
	}
}
