package forward_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brine/door/doortest"
	"brine/forward"
)

// aStore is a store of the test: it fails as it is told.
type aStore struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	lost   bool          // its answers to groups are lost, once
	cut    func()        // what ends the time of a group, while the store is asked the second time
	behind time.Duration // its clock
	paths  []string
	protos []string
}

func newStore(t *testing.T, pair *doortest.Pair) *aStore {
	t.Helper()
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	s := &aStore{status: http.StatusOK}
	s.Server = httptest.NewUnstartedServer(s)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *aStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	if r.Header.Get("Authorization") != "Bearer secret" {
		status = http.StatusUnauthorized
	}
	if r.Method == http.MethodPut {
		s.paths, s.protos = append(s.paths, r.URL.Path), append(s.protos, r.Proto)
		if s.lost {
			s.lost = false
			panic(http.ErrAbortHandler)
		}
	}
	if s.cut != nil && len(s.paths) > 1 {
		s.cut()
		<-r.Context().Done()
	}
	w.Header().Set("Date", time.Now().Add(-s.behind).UTC().Format(http.TimeFormat))
	w.WriteHeader(status)
}

func (s *aStore) fail(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *aStore) groups() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.paths...)
}

func open(t *testing.T, token string, pair *doortest.Pair, to ...string) *forward.Pool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := forward.Open(t.Context(), forward.Options{To: to, TokenFile: file, TLS: func() *tls.Config { return &tls.Config{RootCAs: pair.Pool()} },
		Timeout: 2 * time.Second, Attempt: time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// A group goes to another store when one fails, over HTTP/2, and with the same id.
func TestFailsOver(t *testing.T) {
	pair := doortest.NewPair(t, time.Hour)
	a, b := newStore(t, pair), newStore(t, pair)
	p := open(t, "secret", pair, a.URL, b.URL)
	if err := p.Append(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	first, other := a, b
	if len(b.groups()) > 0 {
		first, other = b, a
	}
	first.fail(http.StatusServiceUnavailable)
	if err := p.Append(t.Context(), []byte("y")); err != nil {
		t.Fatal(err)
	}
	tried, taken := first.groups(), other.groups()
	if len(tried) != 2 || len(taken) != 1 || tried[1] != taken[0] {
		t.Errorf("the stores got %v and %v, want the second group at both with one id", tried, taken)
	}
	if other.protos[0] != "HTTP/2.0" {
		t.Errorf("sent over %s, want HTTP/2", other.protos[0])
	}
	if err := p.Append(t.Context(), []byte("z")); err != nil || len(first.groups()) != 2 {
		t.Errorf("%v; the store that failed was asked first again", err)
	}
	if err := p.Err(); err != nil {
		t.Errorf("one store is well, and still: %v", err)
	}
}

// A group whose answer was lost is sent again with the same id.
func TestSendsAgain(t *testing.T) {
	pair := doortest.NewPair(t, time.Hour)
	s := newStore(t, pair)
	p := open(t, "secret", pair, s.URL)
	s.mu.Lock()
	s.lost = true
	s.mu.Unlock()
	if err := p.Append(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := s.groups(); len(got) != 2 || got[0] != got[1] {
		t.Errorf("sent as %v, want twice with one id", got)
	}
}

// Each thing that keeps a store from taking groups is told by name, without the group's path, and within the time.
func TestTellsWhy(t *testing.T) {
	t.Parallel() // it waits
	pair, expired, other := doortest.NewPair(t, time.Hour), doortest.NewPair(t, -time.Hour), doortest.NewPair(t, time.Hour)
	down := newStore(t, pair)
	down.Close()
	for want, p := range map[string]*forward.Pool{
		"answered 401":         open(t, "wrong", pair, newStore(t, pair).URL),
		"expired":              open(t, "secret", expired, newStore(t, expired).URL),
		"unknown authority":    open(t, "secret", other, newStore(t, pair).URL),
		"connection refused":   open(t, "secret", pair, down.URL),
		"lookup store.invalid": open(t, "secret", pair, "https://store.invalid:8082"),
	} {
		began := time.Now()
		err := p.Append(context.Background(), []byte("x"))
		if err == nil || p.Err() == nil || !strings.Contains(p.Err().Error(), want) {
			t.Errorf("want %q, got %v and %v", want, err, p.Err())
		} else if strings.Contains(err.Error()+p.Err().Error(), "/v1/") {
			t.Errorf("the error has the group's path: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: gave up after %s, want 2 s", want, took)
		}
	}
}

// How the clocks stand to each other is told by what stores put on their answers; less than they can tell is nothing.
func TestAhead(t *testing.T) {
	pair := doortest.NewPair(t, time.Hour)
	for _, behind := range []time.Duration{0, 5 * time.Minute, -3 * time.Hour} {
		a := newStore(t, pair)
		a.behind = behind
		p := open(t, "secret", pair, a.URL)
		ahead, known := p.Ahead()
		if !known || (ahead-behind).Abs() > 2*time.Second || behind == 0 && ahead != 0 {
			t.Errorf("the store is %s behind, and this clock %s ahead (known: %t)", behind, ahead, known)
		}
		if st := p.Stores()[0]; st.Ahead != ahead {
			t.Errorf("the status says %s", st.Ahead)
		}
	}
	gone := newStore(t, pair)
	gone.Close()
	if _, known := open(t, "secret", pair, gone.URL).Ahead(); known {
		t.Error("a store that never answered has a clock")
	}
}

// What every store refuses, and would refuse again, is told at once, and counted; what may be taken later is tried until the time is over.
func TestRefusedByAll(t *testing.T) {
	t.Parallel() // it waits
	pair := doortest.NewPair(t, time.Hour)
	for status, final := range map[int]bool{http.StatusBadRequest: true, http.StatusRequestEntityTooLarge: true, http.StatusUnprocessableEntity: true,
		http.StatusTooManyRequests: false, http.StatusServiceUnavailable: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			a, b := newStore(t, pair), newStore(t, pair)
			p := open(t, "secret", pair, a.URL, b.URL)
			a.fail(status)
			b.fail(status)
			err := p.Append(t.Context(), []byte("x"))
			if err == nil || !strings.Contains(err.Error(), fmt.Sprint("answered ", status)) || strings.Contains(err.Error(), "every store refuses it") != final {
				t.Errorf("the error is %v", err)
			}
			if tries := len(a.groups()); (tries == 1) != final {
				t.Errorf("a store was asked %d times", tries)
			}
			for _, s := range p.Stores() {
				if (s.Refused == 1) != final || (s.Failed > 0) == final || (s.Error == "") != final {
					t.Errorf("it stands as %+v", s)
				}
			}
		})
	}
}

// A try that the end of the time cuts off does not hide what the store said before.
func TestToldAtTheEnd(t *testing.T) {
	pair := doortest.NewPair(t, time.Hour)
	a := newStore(t, pair)
	p := open(t, "secret", pair, a.URL)
	a.fail(http.StatusTooManyRequests)
	ctx, cancel := context.WithCancel(t.Context())
	a.cut = cancel
	if err := p.Append(ctx, []byte("x")); err == nil || !strings.Contains(err.Error(), "answered 429") {
		t.Errorf("the error is %v", err)
	}
	if tries := len(a.groups()); tries != 2 {
		t.Errorf("the store was asked %d times, want 2", tries)
	}
}

// What one store refuses another may take.
func TestRefusedByOne(t *testing.T) {
	pair := doortest.NewPair(t, time.Hour)
	a, b := newStore(t, pair), newStore(t, pair)
	p := open(t, "secret", pair, a.URL, b.URL)
	a.fail(http.StatusUnprocessableEntity)
	for range 3 {
		if err := p.Append(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.groups()); n != 3 {
		t.Errorf("the other store took %d groups of 3", n)
	}
}

// A store whose certificate is for another host gets nothing, not even the token.
func TestWrongHost(t *testing.T) {
	pair := doortest.NewPair(t, time.Hour)
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.2:0") // the certificate is for 127.0.0.1
	if err != nil {
		t.Fatal(err)
	}
	asked := atomic.Int32{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	s.Listener.Close()
	s.Listener, s.TLS = l, &tls.Config{Certificates: []tls.Certificate{cert}}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	defer s.Close()
	p := open(t, "secret", pair, s.URL)
	if err := p.Append(t.Context(), []byte("x")); err == nil || asked.Load() > 0 {
		t.Errorf("%v, after %d requests", err, asked.Load())
	}
	if why := p.Stores()[0].Error; !strings.Contains(why, "not 127.0.0.2") { // the last try may have ended with the time
		t.Errorf("the status says %q", why)
	}
}

// A store that takes connections and then says nothing costs none that stays: a dial ends though nobody waits for it any more.
func TestHungStoreHoldsNoConnection(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	p, err := forward.Open(t.Context(), forward.Options{To: []string{"https://" + hung.Addr().String()}, TLS: func() *tls.Config { return &tls.Config{} },
		Attempt: 100 * time.Millisecond, Every: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	conn, err := hung.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}
