package couchdb_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/door/doortest"
	"brine/lake"
	"brine/outlet"
	"brine/outlet/couchdb"
)

// faulty is a fake peer that behaves badly where it is told to, and else keeps documents as far as these tests need.
type faulty struct {
	mu     sync.Mutex
	docs   map[string]map[string]any
	fault  func(w http.ResponseWriter, r *http.Request, body []byte) bool
	purged int
	auth   string
}

func (p *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body := unpacked(r)
	p.auth = r.Header.Get("Authorization")
	w.Header().Set("Content-Type", "application/json")
	if p.fault != nil && p.fault(w, r, body) {
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/db")
	switch {
	case path == "/_bulk_docs":
		p.bulk(w, body)
	case path == "/_all_docs":
		p.allDocs(w, r, body)
	case path == "/_purge":
		var revs map[string][]string
		json.Unmarshal(body, &revs)
		for id := range revs {
			delete(p.docs, id)
			p.purged++
		}
		json.NewEncoder(w).Encode(map[string]any{"purge_seq": 1, "purged": revs})
	case path == "" || path == "/_compact" || path == "/_view_cleanup":
		io.WriteString(w, `{"ok":true}`)
	default:
		w.Header().Set("ETag", `"1-a"`)
		io.WriteString(w, `{"_id":"x","_rev":"1-a","instance":"one"}`)
	}
}

// unpacked is the body of a request, which may be packed.
func unpacked(r *http.Request) []byte {
	in := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		if unzipped, err := gzip.NewReader(in); err == nil {
			in = unzipped
		}
	}
	body, _ := io.ReadAll(in)
	return body
}

func (p *faulty) bulk(w http.ResponseWriter, body []byte) {
	var sent struct{ Docs []map[string]any }
	json.Unmarshal(body, &sent)
	answer := []map[string]any{}
	for _, doc := range sent.Docs {
		id := doc["_id"].(string)
		if p.docs[id] != nil && doc["_rev"] == nil {
			answer = append(answer, map[string]any{"id": id, "error": "conflict", "reason": "Document update conflict."})
			continue
		}
		doc["_rev"] = "1-a"
		p.docs[id] = doc
		answer = append(answer, map[string]any{"ok": true, "id": id, "rev": "1-a"})
	}
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(answer)
}

func (p *faulty) allDocs(w http.ResponseWriter, r *http.Request, body []byte) {
	var asked struct{ Keys []string }
	json.Unmarshal(body, &asked)
	if asked.Keys == nil {
		json.Unmarshal([]byte(r.URL.Query().Get("keys")), &asked.Keys)
	}
	if asked.Keys == nil && r.URL.Query().Get("startkey") != "" {
		var from, to string
		json.Unmarshal([]byte(r.URL.Query().Get("startkey")), &from)
		json.Unmarshal([]byte(r.URL.Query().Get("endkey")), &to)
		for id := range p.docs {
			if id > from && id < to {
				asked.Keys = append(asked.Keys, id)
			}
		}
		slices.Sort(asked.Keys)
	}
	rows := []map[string]any{}
	for _, id := range asked.Keys {
		if doc := p.docs[id]; doc != nil {
			rows = append(rows, map[string]any{"id": id, "key": id, "value": map[string]string{"rev": "1-a"}, "doc": doc})
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"total_rows": len(rows), "offset": 0, "rows": rows})
}

func (h *house) faultyPeer() (*faulty, *outlet.Follower) {
	h.tb.Helper()
	p := &faulty{docs: map[string]map[string]any{}}
	server := httptest.NewServer(p)
	h.tb.Cleanup(server.Close)
	h.must(os.WriteFile(h.path("password"), []byte("pass-word-9\n"), 0o600))
	db, err := couchdb.New(couchdb.Options{URL: server.URL + "/db", User: "brine", PasswordFile: h.path("password")})
	h.must(err)
	return p, &outlet.Follower{Name: "couchdb", Dataset: lake.Raw, Streams: []string{"app"}, Lake: h.lake, Peer: db, Path: h.path("outlets/couchdb.json")}
}

// Whatever a peer answers, it is told without a document or the password, and the next step makes it good.
func TestFaultsOfThePeer(t *testing.T) {
	h := openHouse(t)
	for range 40 {
		h.event("secret-install", "secret-screen")
	}
	h.nextHour()
	answer := func(status int, text string) func(http.ResponseWriter, *http.Request, []byte) bool {
		return func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if !strings.HasSuffix(r.URL.Path, "/_bulk_docs") {
				return false
			}
			w.WriteHeader(status)
			io.WriteString(w, text)
			return true
		}
	}
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request, []byte) bool{
		"Unavailable":  answer(503, `{"error":"unavailable","reason":"secret-screen"}`),
		"Unauthorized": answer(401, `{"error":"unauthorized","reason":"Name or password is incorrect."}`),
		"WrongJSON":    answer(201, `[{"ok":tr`),
		"OtherJSON":    answer(201, `[]`),
		"Gone":         answer(404, `{"error":"not_found","reason":"no_db_file"}`),
		"Refused":      answer(201, `[`+strings.Repeat(`{"id":"x","error":"forbidden","reason":"no"},`, 39)+`{"id":"x","error":"forbidden","reason":"no"}]`),
		"Cut": func(w http.ResponseWriter, r *http.Request, body []byte) bool {
			if strings.HasSuffix(r.URL.Path, "/_bulk_docs") {
				panic(http.ErrAbortHandler)
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, f := h.faultyPeer()
			f.Path = h.path("outlets/" + name + ".json")
			p.fault = fault
			err := f.Step(t.Context())
			if err == nil || strings.Contains(err.Error(), "pass-word") || f.Status().Behind != 1 {
				t.Fatalf("the step said %v, the status is %+v", err, f.Status())
			}
			if strings.Contains(err.Error(), "secret") && name != "Unavailable" {
				t.Errorf("the error tells of a document: %v", err)
			}
			p.mu.Lock()
			p.fault = nil
			p.mu.Unlock()
			follow(t, f)
			if len(p.docs) != 40 {
				t.Errorf("it has %d documents", len(p.docs))
			}
			if p.auth == "" {
				t.Error("it did not say who it is")
			}
		})
	}
}

// No error holds an address that was asked: it has ids of events.
func TestErrorsHoldNoID(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	db, err := couchdb.New(couchdb.Options{URL: server.URL + "/db"})
	if err != nil {
		t.Fatal(err)
	}
	const id = "raw:app:2026-11-21T13:1795266000123-78a3c2aa-0bb6-4c36-b63c-dade0d5023a2"
	_, openErr := db.Open(t.Context())
	_, idsErr := db.IDs(t.Context(), "raw:app:2026-11-21T13:", id, 2000)
	for what, err := range map[string]error{"Open": openErr, "IDs": idsErr, "Put": db.Put(t.Context(), []outlet.Doc{{ID: id, Body: []byte("{}")}}),
		"Remove": db.Remove(t.Context(), []string{id}), "Compact": db.Compact(t.Context())} {
		if err == nil || strings.Contains(err.Error(), "78a3c2aa") || strings.Contains(err.Error(), server.URL) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A peer that redirects is followed nowhere: neither the password nor a document goes to another address, whatever the redirect.
func TestRedirect(t *testing.T) {
	h := openHouse(t)
	h.event("secret-install", "secret-screen")
	h.nextHour()
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, of := range []string{"", "/_bulk_docs"} {
			p, f := h.faultyPeer()
			p.fault = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				if !strings.HasSuffix(r.URL.Path, of) {
					return false
				}
				http.Redirect(w, r, other.URL+r.URL.Path, status)
				return true
			}
			if err := f.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "redirects") || f.Status().Behind != 1 {
				t.Errorf("%d of %q: it says %v", status, of, err)
			}
		}
	}
	if asked > 0 {
		t.Errorf("another address was asked %d times", asked)
	}
}

// What is too large for the peer goes in halves; what is there already is not written again; a peer that purges is asked to.
func TestTooLargeAndPurge(t *testing.T) {
	h := openHouse(t)
	for range 40 {
		h.event("one", "home")
	}
	h.nextHour()
	p, f := h.faultyPeer()
	p.fault = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/_bulk_docs") || strings.Count(string(body), `"_id"`) <= 7 {
			return false
		}
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		io.WriteString(w, `{"error":"too_large","reason":"the request entity is too large"}`)
		return true
	}
	follow(t, f)
	if len(p.docs) != 40 {
		t.Fatalf("it has %d documents", len(p.docs))
	}
	h.purge(lake.Raw)
	follow(t, f)
	if len(p.docs) != 0 || p.purged != 40 || !f.Status().Removes {
		t.Errorf("it has %d documents, %d were purged", len(p.docs), p.purged)
	}
}

// A peer that speaks TLS is trusted by outlets.couchdb.ca_file alone: one that others vouch for gets neither a document nor the password.
func TestPeerWithTLS(t *testing.T) {
	h := openHouse(t)
	h.event("secret-install", "secret-screen")
	h.nextHour()
	p := &faulty{docs: map[string]map[string]any{}}
	server := httptest.NewUnstartedServer(p)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	h.must(os.WriteFile(h.path("password"), []byte("pass-word-9\n"), 0o600))
	h.must(os.WriteFile(h.path("ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	h.must(os.WriteFile(h.path("other.pem"), doortest.NewPair(t, time.Hour).Cert, 0o600))
	h.must(os.WriteFile(h.path("none.pem"), []byte("none"), 0o600))
	open := func(ca string) (*outlet.Follower, error) {
		o := couchdb.Options{URL: server.URL + "/db", User: "brine", PasswordFile: h.path("password")}
		if ca != "" {
			o.CAFile = h.path(ca)
		}
		db, err := couchdb.New(o)
		return &outlet.Follower{Name: "couchdb", Dataset: lake.Raw, Streams: []string{"app"}, Lake: h.lake, Peer: db, Path: h.path("outlets/couchdb.json")}, err
	}
	for _, ca := range []string{"", "other.pem"} {
		f, err := open(ca)
		h.must(err)
		if err := f.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") || f.Status().Behind != 1 || p.auth != "" {
			t.Errorf("with %q: %v, and it got %q", ca, err, p.auth)
		}
	}
	for _, ca := range []string{"none.pem", "nowhere.pem"} {
		if _, err := open(ca); err == nil || !strings.Contains(err.Error(), ca) {
			t.Errorf("with %q: %v", ca, err)
		}
	}
	f, err := open("ca.pem")
	h.must(err)
	follow(t, f)
	if len(p.docs) != 1 || p.auth == "" {
		t.Errorf("it has %d documents", len(p.docs))
	}
}

// While a peer does not answer, events go on into the lake and are read; the outlet ends when it is told to, and the next step makes
// all good.
func TestSlowPeer(t *testing.T) {
	h := openHouse(t)
	h.event("one", "home")
	h.nextHour()
	p, f := h.faultyPeer()
	asked, over := make(chan struct{}), make(chan struct{})
	var once sync.Once
	p.fault = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.HasSuffix(r.URL.Path, "/_bulk_docs") {
			return false
		}
		once.Do(func() { close(asked) })
		select {
		case <-r.Context().Done():
		case <-over:
		}
		panic(http.ErrAbortHandler)
	}
	ctx, stop := context.WithCancel(t.Context())
	stepped := make(chan error, 1)
	go func() { stepped <- f.Step(ctx) }()
	<-asked
	h.event("two", "home")
	h.nextHour() // flushes, and compacts what is closed
	table, err := h.lake.Table(lake.Raw, "app")
	h.must(err)
	if n, err := h.lake.Count(t.Context(), lake.Query{Table: table, To: 1 << 60}); err != nil || n != 2 {
		t.Errorf("while the peer is slow, %d events are read: %v", n, err)
	}
	stop()
	if err := <-stepped; err == nil {
		t.Error("a step without an answer succeeded")
	}
	close(over)
	p.mu.Lock()
	p.fault = nil
	p.mu.Unlock()
	follow(t, f)
	if len(p.docs) != 2 {
		t.Errorf("it has %d documents", len(p.docs))
	}
}
