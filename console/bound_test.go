package console

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"brine/access/gate"
)

// One read more than may run at once waits, and is told to come again where none ends in time.
func TestReadsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		read := make(places, maxReads).bound(func(http.ResponseWriter, *http.Request, gate.Person) error {
			<-end
			return nil
		})
		try := func() (w *httptest.ResponseRecorder, err error) {
			w = httptest.NewRecorder()
			return w, read(w, httptest.NewRequest("GET", "/", nil), gate.Person{})
		}
		for range maxReads {
			go try()
		}
		synctest.Wait()

		began := time.Now()
		w, err := try()
		var e *Error
		if !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" || time.Since(began) != waitForRead {
			t.Errorf("%v after %s, Retry-After %q", err, time.Since(began), w.Header().Get("Retry-After"))
		}
		close(end)
		synctest.Wait()
		if _, err := try(); err != nil {
			t.Error("after the reads ended:", err)
		}
	})
}

// A client that never reads is cut off after a while, however long the answer, and also where net/http holds it
// all until it is flushed, as it does a page.
func TestClientThatNeverReads(t *testing.T) {
	for name, send := range map[string]func(http.ResponseWriter) error{
		"Rows": func(w http.ResponseWriter) error {
			_, err := w.Write(make([]byte, 10*writeBuffer))
			return err
		},
		"Page": func(w http.ResponseWriter) error {
			if _, err := w.Write([]byte(`{"events":[]}`)); err != nil {
				return err
			}
			return http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { neverRead(t, send) })
		})
	}
}

func neverRead(t *testing.T, send func(http.ResponseWriter) error) {
	client, server := net.Pipe()
	defer client.Close()
	began, cut := time.Now(), make(chan error, 1)
	l := &oneConn{conn: server, done: make(chan struct{})}
	s := &http.Server{Handler: patient(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { cut <- send(w) }))}
	go s.Serve(l)
	defer s.Close()
	if _, err := client.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-cut:
		if err == nil || time.Since(began) != writePatience {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	case <-time.After(2 * writePatience):
		t.Error("it holds its place for ever")
	}
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }
