package e2e

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"brine/canary"
	"brine/docs"
	"brine/door/doortest"
)

// roles are a store, and what collectors of it need.
type roles struct {
	store *brine
	pair  *doortest.Pair
	addr  string // of the receipt door
}

// startStore starts a `brine store` with a certificate that its collectors trust.
func startStore(t *testing.T) *roles {
	t.Helper()
	r := &roles{store: newBrine(t), pair: doortest.NewPair(t, time.Hour), addr: doortest.FreeAddr(t)}
	r.pair.Files(t, r.store.dir)
	r.store.role = "store"
	r.store.configure(fmt.Sprintf(`store: {addr: "%s", tls: {cert: door.pem, key: door.key}, collectors_file: collectors}`, r.addr))
	return r
}

// collector makes a `brine collect` that has a token of each of these stores' one file.
func (r *roles) collector(t *testing.T, name string, to ...string) *brine {
	t.Helper()
	c := newBrine(t)
	c.role = "collect"
	token, stderr, code := runBrine(t, nil, "collector", "add", name, "--config", r.store.config)
	if code != 0 {
		t.Fatalf("brine collector add: %d %s", code, stderr)
	}
	for file, content := range map[string]string{"token": token, "ca.pem": string(r.pair.Cert)} {
		if err := os.WriteFile(filepath.Join(c.dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.configure(fmt.Sprintf(`forward: {to: ["https://%s"], token_file: token, ca: ca.pem}`, strings.Join(append([]string{r.addr}, to...), `","https://`)))
	return c
}

// A store that is killed under the load of two collectors has every acknowledged event once, and a collector's token reads nothing.
func TestStoreKilledUnderCollectors(t *testing.T) {
	t.Parallel()
	r := startStore(t)
	collectors := []*brine{r.collector(t, "web1"), r.collector(t, "web2")}
	r.store.launch()
	for _, c := range collectors {
		c.start()
	}
	said := newLedger("interaction")
	for range 3 {
		var stops []func()
		for _, c := range collectors {
			stops = append(stops, c.send(2, said))
		}
		<-time.After(300*time.Millisecond + rand.N(500*time.Millisecond))
		r.store.kill()
		<-time.After(rand.N(500 * time.Millisecond))
		r.store.launch()
		for _, c := range collectors {
			c.eventually(30*time.Second, "the collector has a store again", c.ready)
		}
		for _, stop := range stops {
			stop()
		}
	}
	if len(said.acked) < 3 {
		t.Fatalf("only %d events were acknowledged: this was no load", len(said.acked))
	}
	r.store.kill()
	r.store.launch()
	collectors[0].eventually(30*time.Second, "the store is well", func() bool { return r.store.hasSocket() && collectors[0].ready() })
	said.check(t, r.store)
	readsNothing(t, r, collectors[0])
	for _, c := range collectors {
		for _, name := range []string{"log", "lake", "salts", "salt", "audit", "salts.ndjson"} {
			if _, err := os.Stat(filepath.Join(c.data, name)); err == nil {
				t.Errorf("a collector has made %s", name)
			}
		}
	}
}

// readsNothing asks all routes that there are, at each door of a store, with a collector's token: it gets what everybody does, and at the
// receipt door what collectors may.
func readsNothing(t *testing.T, r *roles, c *brine) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(c.dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	client := doortest.Client(r.pair)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	ask := func(method, url string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(`{"unit":"an install"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
		req.Header.Set("X-Purpose", "a theft")
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	doc, err := openapi3.NewLoader().LoadFromData(docs.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	// What tells nothing of anybody. A scrape from this machine is asked for nothing.
	everybody := map[string]bool{"GET /login": true, "GET /access.css": true, "GET /board.css": true, "GET /charts.js": true, "GET /metrics": true}
	collectors := map[string]bool{"PUT /v1/groups/{id}": true, "PUT /v1/forgets/{id}": true, "GET /__heartbeat__": true}
	routes := 0
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			routes++
			route := method + " " + path
			target := regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(path, "interaction") + "?dataset=raw"
			if status := ask(method, r.store.private+target); status < 400 && !everybody[route] && (path != "/logout" || status != http.StatusSeeOther) {
				t.Errorf("%s at the private door, with a collector's token: answered %d", route, status)
			}
			if status := ask(method, "https://"+r.addr+target); !collectors[route] && status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
				t.Errorf("%s at the receipt door, with a collector's token: answered %d", route, status)
			}
		}
	}
	if routes < 40 {
		t.Errorf("only %d routes were asked", routes)
	}
	if status := ask("GET", "https://"+r.addr+"/__heartbeat__"); status != http.StatusOK {
		t.Errorf("the token is no collector's: %d", status)
	}
}

// A request to erase that a collector took is done at the store, and the collector keeps nothing of it; without a store it is 503.
func TestForgetThroughACollector(t *testing.T) {
	t.Parallel()
	r := startStore(t)
	c := r.collector(t, "web1")
	schema, _, code := runBrine(t, nil, "simulate", "--print-schema")
	if code != 0 {
		t.Fatal("no schema")
	}
	for _, b := range []*brine{r.store, c} {
		b.configure(appConfig)
		b.writeSchema("app_session.yaml", schema)
	}
	r.store.launch()
	c.start()
	install, other := newID(), newID()
	c.sendOf(install, 5)
	c.sendOf(other, 3)
	c.forget(install)
	r.store.eventually(90*time.Second, "the install is erased", func() bool {
		left := map[string]int{}
		for _, e := range r.store.readAll("app_session") {
			left[strings.Trim(string(e["app_install_id"]), `"`)]++
		}
		return left[install] == 0 && left[other] == 3
	})
	r.store.waitErased()
	r.store.checkErased([]string{install})
	err := filepath.WalkDir(c.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), install) {
			t.Errorf("the install is in %s of the collector", path)
		}
		return err
	})
	if err != nil || strings.Contains(c.output(), install) {
		t.Errorf("the collector's output, or %v", err)
	}
	r.store.stop()
	res, err := plain.Post(c.public+"/v1/forget", "application/json", strings.NewReader(fmt.Sprintf(`{"unit":%q}`, other)))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("without a store a request to erase is answered %d", res.StatusCode)
	}
}

// A collector goes on with the other store when one is killed, and fails its heartbeat when both are.
func TestCollectorFailsOver(t *testing.T) {
	t.Parallel()
	a, b := startStore(t), startStore(t)
	a.pair.Files(t, b.store.dir)
	c := a.collector(t, "web1", b.addr)
	file, err := os.ReadFile(filepath.Join(a.store.dir, "collectors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.store.dir, "collectors"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	a.store.launch()
	b.store.launch()
	c.start()
	s := c.session()
	for range 3 {
		s.mustStore(t, blob(newID()))
	}
	a.store.kill()
	for range 3 {
		s.mustStore(t, blob(newID()))
	}
	b.store.kill()
	c.eventually(30*time.Second, "the heartbeat fails", func() bool { return !c.ready() })
	if r, err := s.send(blob(newID())); err != nil || r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
		t.Errorf("with no store: %v, answered %d, want 503 with Retry-After", err, r.status)
	}
	stdout, _, code := runBrine(t, nil, "status", "--config", c.config, "--data", c.data)
	if code != 1 || !strings.Contains(stdout, a.addr) || !strings.Contains(stdout, "refused") {
		t.Errorf("brine status: %d %s", code, stdout)
	}
}

// A collector gets in by a certificate that store.tls.client_ca vouches for; one that has expired is told by name.
func TestCollectorByCertificate(t *testing.T) {
	t.Parallel()
	good, expired := doortest.NewPair(t, time.Hour), doortest.NewPair(t, -time.Hour)
	store, server, addr := newBrine(t), doortest.NewPair(t, time.Hour), doortest.FreeAddr(t)
	server.Files(t, store.dir)
	store.role = "store"
	if err := os.WriteFile(filepath.Join(store.dir, "clients.pem"), append(good.Cert, expired.Cert...), 0o600); err != nil {
		t.Fatal(err)
	}
	store.configure(fmt.Sprintf(`store: {addr: "%s", tls: {cert: door.pem, key: door.key, client_ca: clients.pem}}`, addr))
	store.launch()
	with := func(pair *doortest.Pair) *brine {
		c := newBrine(t)
		c.role = "collect"
		pair.Files(t, c.dir)
		if err := os.WriteFile(filepath.Join(c.dir, "ca.pem"), server.Cert, 0o600); err != nil {
			t.Fatal(err)
		}
		c.configure(fmt.Sprintf(`forward: {to: ["https://%s"], ca: ca.pem, tls: {cert: door.pem, key: door.key}}`, addr))
		return c
	}
	c := with(good)
	c.start()
	c.session().mustStore(t, blob(newID()))
	late := with(expired)
	late.launch()
	late.eventually(20*time.Second, "the log tells of the certificate", func() bool { return strings.Contains(late.output(), "expired certificate") })
	if late.ready() {
		t.Error("a collector that no store lets in says it can store")
	}
}

// The canaries of two collectors arrive, and the store tells of each when it could be read and how long it travelled; one that is
// stopped is forgotten, and no canary can be read as an event.
func TestCanaries(t *testing.T) {
	t.Parallel()
	r := startStore(t)
	web1, web2 := r.collector(t, "web1"), r.collector(t, "web2")
	for name, c := range map[string]*brine{"web1": web1, "web2": web2} {
		c.configure(fmt.Sprintf(`forward: {to: ["https://%s"], token_file: token, ca: ca.pem}
canary: {name: %s, every: 10s}`, r.addr, name))
	}
	r.store.launch()
	web1.start()
	web2.start()
	canaries := func() map[string]canary.Status {
		all := map[string]canary.Status{}
		for _, c := range r.store.status().Canaries {
			all[c.Collector] = c
		}
		return all
	}
	web1.eventually(60*time.Second, "the canaries of both can be read", func() bool {
		all := canaries()
		return all["web1"].Travel > 0 && all["web2"].Travel > 0
	})
	for name, c := range canaries() {
		if c.Readable.IsZero() || c.Taken.IsZero() || c.Missing || c.Travel > 30*time.Second || c.Ahead != 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	web2.stop()
	web1.eventually(60*time.Second, "the one that was stopped is forgotten", func() bool {
		all := canaries()
		return len(all) == 1 && all["web1"].Travel > 0
	})
	web1.stop()
	r.store.stop()
	stdout, stderr, code := runBrine(t, nil, "read", canary.Stream, "--dataset", "canary", "--purpose", "a test", "--config", r.store.config, "--data", r.store.data)
	if code == 0 || stdout != "" {
		t.Errorf("brine read of canaries: %d %s %s", code, stdout, stderr)
	}
}

// Who vouches for collectors, and for stores, is another one as soon as the file says so: without a restart, and for connections
// that are open too.
func TestAuthoritiesAreTakenOn(t *testing.T) {
	t.Parallel()
	server, client, other := doortest.NewPair(t, time.Hour), doortest.NewPair(t, time.Hour), doortest.NewPair(t, time.Hour)
	store, c, addr := newBrine(t), newBrine(t), doortest.FreeAddr(t)
	store.role, c.role = "store", "collect"
	server.Files(t, store.dir)
	client.Files(t, c.dir)
	write := func(b *brine, name string, certs ...[]byte) {
		if err := os.WriteFile(filepath.Join(b.dir, name), slices.Concat(certs...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(store, "clients.pem", client.Cert)
	write(c, "ca.pem", server.Cert)
	store.configure(fmt.Sprintf(`store: {addr: "%s", tls: {cert: door.pem, key: door.key, client_ca: clients.pem}}`, addr))
	c.configure(fmt.Sprintf(`forward: {to: ["https://%s"], ca: ca.pem, tls: {cert: door.pem, key: door.key}}`, addr))
	store.launch()
	c.start()
	for _, step := range []struct {
		what  string
		at    *brine
		file  string
		certs [][]byte
		ready bool
	}{
		{"the store trusts another authority", store, "clients.pem", [][]byte{other.Cert}, false},
		{"the store trusts both", store, "clients.pem", [][]byte{other.Cert, client.Cert}, true},
		{"the collector trusts another authority", c, "ca.pem", [][]byte{other.Cert}, false},
		{"the collector trusts both", c, "ca.pem", [][]byte{other.Cert, server.Cert}, true},
		{"the collector's file is broken, and the one before stays in force", c, "ca.pem", [][]byte{[]byte("none")}, true},
	} {
		write(step.at, step.file, step.certs...)
		c.eventually(30*time.Second, step.what, func() bool { return c.ready() == step.ready })
	}
	c.eventually(20*time.Second, "the log tells of the broken file", func() bool { return strings.Contains(c.output(), "a file of certificates is broken") })
	c.session().mustStore(t, blob(newID()))
}
