package main

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brine/config"
	"brine/door"
	"brine/door/doortest"
)

// pipes is a listener in memory, whose connections have deadlines by the clock of a test.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// dial is a client's end.
func (p *pipes) dial() net.Conn { return p.dialFrom("127.0.0.1") }

// dialFrom is that of a client with an address.
func (p *pipes) dialFrom(addr string) net.Conn {
	client, server := net.Pipe()
	p.conns <- &addressed{server, &net.TCPAddr{IP: net.ParseIP(addr), Port: 5000}}
	return client
}

// addressed is a connection with an address.
type addressed struct {
	net.Conn
	from net.Addr
}

func (a *addressed) RemoteAddr() net.Addr { return a.from }

// slowly runs a door in a bubble of time, with a client on it, and gives how long it was until the door cut the client off.
func slowly(t *testing.T, e *entrance, client func(net.Conn)) (after time.Duration) {
	t.Helper()
	l := newPipes()
	go e.server.Serve(l)
	conn := l.dial()
	began := time.Now()
	cut := make(chan time.Duration)
	go func() {
		client(conn)
		cut <- time.Since(began)
	}()
	after = <-cut
	conn.Close()
	e.server.Close()
	return after
}

// drip sends byte for byte, one a second, until the other side has closed.
func drip(conn net.Conn, text string) {
	for {
		for i := range len(text) {
			if _, err := conn.Write([]byte{text[i]}); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
}

// A client that sends too slowly is cut off after 20 s, and not before, in its headers as in its body; one that takes no answer, after a
// minute. It is a bubble's time: nobody waits.
func TestSlowClients(t *testing.T) {
	const slack = 2 * time.Second // clients look once a second
	answer := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(make([]byte, 1<<20))
	}
	for name, c := range map[string]struct {
		client func(net.Conn)
		after  time.Duration // and no more than slack later
	}{
		"Nothing": {func(c net.Conn) { io.Copy(io.Discard, c) }, 20 * time.Second},
		"Headers": {func(c net.Conn) {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n")
			go io.Copy(io.Discard, c)
			drip(c, "X-A: b\r\n")
		}, 20 * time.Second},
		"Body": {func(c net.Conn) {
			io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
			go io.Copy(io.Discard, c)
			drip(c, "{")
		}, 20 * time.Second},
		"Answer": {func(c net.Conn) {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			bufio.NewReader(c).ReadString('\n')
			for { // it is gone when a byte cannot be sent to it
				time.Sleep(time.Second)
				if _, err := c.Write([]byte("G")); err != nil {
					return
				}
			}
		}, 60 * time.Second},
		"BetweenRequests": {func(c net.Conn) {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			io.Copy(io.Discard, c)
		}, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newServer(http.HandlerFunc(answer))
				server.WriteTimeout = publicPatience
				if after := slowly(t, newEntrance("public", "", server), c.client); after < c.after || after > c.after+slack {
					t.Errorf("it was cut off after %s", after)
				}
			})
		})
	}
}

// Headers of 20 kB are refused with 431, those of 10 MB too, and the door goes on.
func TestOversizedHeaders(t *testing.T) {
	e := newEntrance("public", "127.0.0.1:0", newServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	e.most = 10
	mustServe(t, e)
	for size, want := range map[int]string{1_000: "200", 30_000: "431", 10_000_000: "431"} {
		for _, name := range []string{"Cookie", "X-CSRF-Token", "Authorization", strings.Repeat("X", 1000)} {
			conn, err := net.Dial("tcp", e.listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+name+": "+strings.Repeat("a", size)+"\r\n\r\n")
			}()
			line, _ := bufio.NewReader(conn).ReadString('\n')
			conn.Close()
			if !strings.Contains(line, want) && (size < 1_000_000 || line != "") { // a client that goes on sending may miss the answer
				t.Errorf("%d bytes of %.20s: %q", size, name, line)
			}
		}
	}
}

// bounded runs a door that answers ok, with so many connections, on a listener in memory.
func bounded(t *testing.T, most int) *pipes {
	e := newEntrance("private", "", newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })))
	e.most = most
	l := newPipes()
	go e.server.Serve(e.bound(l))
	t.Cleanup(func() { e.server.Close() })
	return l
}

// asking is a client that asks once. Its answer's first line is there once it has come, and "" when it was cut off.
type asking struct {
	net.Conn
	answer chan string
}

func (p *pipes) ask(from string) *asking {
	a := &asking{answer: make(chan string, 1)}
	a.Conn = p.dialFrom(from)
	go func() {
		io.WriteString(a, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		text, _ := bufio.NewReader(a).ReadString('\n')
		a.answer <- text
	}()
	return a
}

// got is what has come once nothing moves any more; "nothing" where nothing has.
func (a *asking) got() string {
	synctest.Wait()
	select {
	case line := <-a.answer:
		return strings.TrimSpace(line)
	default:
		return "nothing"
	}
}

// One connection more than a door may have waits until another ends.
func TestConnectionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := bounded(t, 2)
		first, second := l.ask("127.0.0.1"), l.ask("127.0.0.1")
		for _, a := range []*asking{first, second} {
			if got := a.got(); !strings.Contains(got, "200") {
				t.Fatal(got)
			}
		}
		third := make(chan *asking, 1)
		go func() { third <- l.ask("127.0.0.1") }()
		synctest.Wait()
		if len(third) > 0 {
			t.Error("a third is taken beside two")
		}
		first.Close()
		if got := (<-third).got(); !strings.Contains(got, "200") {
			t.Errorf("after one ended, the third gets %q", got)
		}
	})
}

// One address has a quarter of a door's connections, so that the others are left to others.
func TestOneClientLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := bounded(t, 8)
		for i, want := range []string{"HTTP/1.1 200 OK", "HTTP/1.1 200 OK", "", ""} {
			if got := l.ask("192.0.2.1").got(); got != want {
				t.Errorf("connection %d of one client gets %q, want %q", i+1, got, want)
			}
		}
		if got := l.ask("192.0.2.2").got(); got != "HTTP/1.1 200 OK" {
			t.Errorf("another client gets %q", got)
		}
	})
}

func mustServe(t *testing.T, e *entrance) {
	t.Helper()
	if err := e.listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- e.serve() }()
	t.Cleanup(func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// Nothing that clients do wrong gets net/http to log a line, which would hold their address.
func TestDoorLogsNoClient(t *testing.T) {
	var lines bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&lines, nil))) // of the package log as well
	t.Cleanup(func() { slog.SetDefault(old) })
	pair := doortest.NewPair(t, time.Hour)
	cert, key := pair.Files(t, t.TempDir())
	c, err := door.OpenCertificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	e := newEntrance("public", "127.0.0.1:0", newServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a mistake") })))
	e.tls, e.most = c, 10
	mustServe(t, e)
	for _, text := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "\x00"} {
		conn, err := net.Dial("tcp", e.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, text)
		conn.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	if _, err := doortest.Client(pair).Get("https://" + e.listener.Addr().String()); err == nil {
		t.Error("a panic was answered")
	}
	if lines.Len() > 0 {
		t.Errorf("the log has %s", lines.String())
	}
}

// Check tells what is wrong with certificates, and warns of those that end soon.
func TestCheckTLS(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "public: {tls: {cert: door.pem, key: door.key}}\nprivate:\n  addr: 0.0.0.0:8081\n  tls:\n    cert: door.pem\n    key: other.key\n"})
	doortest.NewPair(t, 24*time.Hour).Files(t, ".")
	if err := os.WriteFile("other.key", doortest.NewPair(t, time.Hour).Key, 0o640); err != nil {
		t.Fatal(err)
	}
	out, errs, code := brine(t, "check")
	for _, says := range []string{"brine.yaml:6: private.tls.key: others may read other.key: its mode is 0640 (chmod 600 other.key)",
		"warning: brine.yaml:1: public.tls.cert: door.pem expires on "} {
		if code != exitFailed || !strings.Contains(out, says) {
			t.Errorf("exit code %d, without %q:\n%s%s", code, says, out, errs)
		}
	}
	if _, err := openCertificates(mustConfig(t, "brine.yaml"), allRoles); err == nil || !strings.Contains(err.Error(), "private.tls.key") {
		t.Errorf("it would be served: %v", err)
	}
}

func mustConfig(t *testing.T, path string) *config.Config {
	t.Helper()
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A certificate whose files break is told in the log and by the heartbeat, and the one before stays in force.
func TestRenewCertificates(t *testing.T) {
	var lines bytes.Buffer
	dir := t.TempDir()
	cert, key := doortest.NewPair(t, time.Hour).Files(t, dir)
	c, err := door.OpenCertificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{logger: slog.New(slog.NewTextHandler(&lines, nil)), certificates: certificates{"public": c}}
	if err := os.WriteFile(filepath.Join(dir, "door.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.renewCertificates()
	if err := h.certificates.Err(); err == nil || !strings.Contains(err.Error(), "the certificate of the public door") || !strings.Contains(lines.String(), "stays in force") {
		t.Errorf("%v\n%s", err, lines.String())
	}
	doortest.NewPair(t, time.Hour).Files(t, dir)
	h.renewCertificates()
	if err := h.certificates.Err(); err != nil || !strings.Contains(lines.String(), "a new certificate is in force") {
		t.Errorf("%v\n%s", err, lines.String())
	}
}
