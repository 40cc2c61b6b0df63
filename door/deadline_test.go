package door_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brine/door"
)

// oneConn is a listener that has one connection.
type oneConn struct {
	net.Listener
	conn net.Conn
}

func (l oneConn) Accept() (net.Conn, error) { return l.conn, nil }

// lazily gives both ends of a connection; the deadlines of the first are lazy.
func lazily(t *testing.T) (lazy, peer net.Conn) {
	here, peer := net.Pipe()
	lazy, err := door.Lazily(oneConn{conn: here}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lazy.Close(); peer.Close() })
	return lazy, peer
}

// A read ends at the deadline that was asked for last, wherever those before it were.
func TestLazyRead(t *testing.T) {
	past := time.Unix(1, 0)
	const none, ever = time.Duration(-1), 24 * time.Hour
	for name, deadlines := range map[string][]time.Duration{
		"One":            {time.Minute},
		"Later":          {time.Second, time.Minute},
		"Earlier":        {time.Hour, time.Minute, 3 * time.Second},
		"None":           {time.Second, none},
		"AfterNone":      {time.Second, none, 2 * time.Second},
		"Ended":          {time.Minute, 0},
		"EndedThenNone":  {time.Minute, 0, none},
		"EndedThenBegun": {time.Minute, 0, none, time.Hour},
		"Far":            {25 * time.Second, 90 * time.Second, 3601 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lazy, peer := lazily(t)
				began := time.Now()
				want := none
				for _, want = range deadlines {
					at := began.Add(want)
					switch want {
					case none:
						at = time.Time{}
					case 0:
						at = past
					}
					if err := lazy.SetReadDeadline(at); err != nil {
						t.Fatal(err)
					}
				}
				if want == none { // what is sent in a day is read
					time.AfterFunc(ever, func() { peer.Write([]byte("x")) })
				}
				n, err := lazy.Read(make([]byte, 1))
				took := time.Since(began)
				if want == none && (n != 1 || err != nil || took != ever) {
					t.Errorf("read %d bytes after %s, error %v; there was no deadline", n, took, err)
				}
				if want != none && (!errors.Is(err, os.ErrDeadlineExceeded) || took != want) {
					t.Errorf("the read ended after %s with %v, want %s", took, err, want)
				}
			})
		})
	}
}

// A read that waits ends when a deadline is moved into the past, and the next one waits again.
func TestLazyReadIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lazy, peer := lazily(t)
		lazy.SetReadDeadline(time.Now().Add(time.Minute))
		ended := make(chan error)
		go func() {
			_, err := lazy.Read(make([]byte, 1))
			ended <- err
		}()
		synctest.Wait()
		lazy.SetReadDeadline(time.Unix(1, 0))
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the read ended with %v", err)
		}
		lazy.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Hour, func() { peer.Write([]byte("x")) })
		if n, err := lazy.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("then %d bytes were read, error %v", n, err)
		}
	})
}

// What is written while deadlines are moved arrives once and whole, and a write to who does not read ends in time.
func TestLazyWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lazy, peer := lazily(t)
		got := make(chan string)
		go func() {
			var all []byte
			for p := make([]byte, 1); len(all) < 3; { // slower than what deadlines are set for
				time.Sleep(25 * time.Second)
				io.ReadFull(peer, p)
				all = append(all, p...)
			}
			got <- string(all)
		}()
		lazy.SetWriteDeadline(time.Now().Add(time.Second))
		lazy.SetWriteDeadline(time.Now().Add(2 * time.Minute))
		if n, err := lazy.Write([]byte("abc")); n != 3 || err != nil {
			t.Fatalf("%d bytes were written, error %v", n, err)
		}
		if all := <-got; all != "abc" {
			t.Errorf("%q arrived", all)
		}
		began := time.Now()
		lazy.SetDeadline(began.Add(50 * time.Second))
		if n, err := lazy.Write([]byte("abc")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 50*time.Second {
			t.Errorf("%d bytes were written, %v after %s", n, err, time.Since(began))
		}
	})
}

// pipes is a listener whose connections are made by dial.
type pipes chan net.Conn

func (l pipes) Accept() (net.Conn, error) {
	conn, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l pipes) Close() error   { return nil }
func (l pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (l pipes) dial() net.Conn {
	here, there := net.Pipe()
	l <- there
	return here
}

// A server ends the connections of who is slow when it would without a listener that is lazy, and leaves nothing behind.
func TestSlowClients(t *testing.T) {
	trickle := func(begin, each string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, begin)
			for ; err == nil; time.Sleep(time.Second) {
				_, err = io.WriteString(c, each)
			}
		}
	}
	const get = "GET / HTTP/1.1\r\nHost: brine\r\n\r\n"
	for name, of := range map[string]struct {
		client func(net.Conn)
		reads  bool
		want   time.Duration
	}{
		"Silent":     {func(net.Conn) {}, true, 20 * time.Second},
		"SlowHeader": {trickle("GET / HTTP/1.1\r\nX: ", "x"), true, 20 * time.Second},
		"SlowBody":   {trickle("POST / HTTP/1.1\r\nHost: brine\r\nContent-Length: 1000\r\n\r\n", "x"), true, 20 * time.Second},
		"Idle":       {func(c net.Conn) { io.WriteString(c, get) }, true, 2 * time.Minute},
		"SlowAgain": {func(c net.Conn) {
			io.WriteString(c, get)
			time.Sleep(70 * time.Second)
			trickle("GET / HTTP/1.1\r\nX: ", "x")(c)
		}, true, 90 * time.Second},
		"Deaf": {func(c net.Conn) { io.WriteString(c, get) }, false, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &http.Server{ReadHeaderTimeout: 20 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
					Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })}
				closed := make(chan time.Duration)
				began := time.Now()
				server.ConnState = func(_ net.Conn, state http.ConnState) {
					if state == http.StateClosed {
						closed <- time.Since(began)
					}
				}
				line := make(pipes)
				served := make(chan error)
				go func() { served <- server.Serve(door.Lazily(line)) }()
				c := line.dial()
				var client sync.WaitGroup
				defer client.Wait()
				client.Go(func() { of.client(c) })
				if of.reads {
					client.Go(func() { io.Copy(io.Discard, c) })
				}
				const lingers = time.Second // net/http waits half of one before it closes on who still sends
				if took := <-closed; took < of.want || took > of.want+lingers {
					t.Errorf("the connection was closed after %s, want %s", took, of.want)
				}
				c.Close()
				close(line)
				if err := server.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				<-served
			})
		})
	}
}
