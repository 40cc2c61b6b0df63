package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/event"
	"brine/simulate"
	"time"
)

// A handler whose connection was closed is waited for, and its context has ended.
func TestDoorWaitsForItsHandlers(t *testing.T) {
	began, returned := make(chan bool), false
	d := newEntrance("private", "", &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		began <- true
		<-r.Context().Done()
		returned = true
	})}).counted()
	go func() {
		r := httptest.NewRequestWithContext(d.server.BaseContext(nil), "GET", "/", nil)
		d.server.Handler.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-began
	if err := d.close(); err != nil || !returned {
		t.Errorf("closed with %v; the handler has returned: %t", err, returned)
	}
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("a request began after the close")
		}
	}()
	d.server.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

// A taken port is told before any history is made, with the flag of the demo.
func TestDemoWithTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	stdout, stderr, code := brine(t, "demo", "--data", t.TempDir(), "--public", "127.0.0.1:0", "--private", taken.Addr().String())
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "change --private") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestNoDataFolder(t *testing.T) {
	inFolder(t, nil)
	for _, args := range [][]string{{"read", "interaction"}, {"status"}} {
		_, stderr, code := brine(t, append(args, "--data", "nowhere")...)
		if code != exitFailed || !strings.Contains(stderr, "no data folder at nowhere (is --data right?)") {
			t.Errorf("brine %s: exit code %d\n%s", args[0], code, stderr)
		}
		if _, err := os.Stat("nowhere"); err == nil {
			t.Errorf("brine %s made the folder", args[0])
		}
	}
}

// Status looks at the folder itself only where no brine serves from it.
func TestStatusAsksWhoServes(t *testing.T) {
	inFolder(t, nil)
	d := mustOpenDataDir(t, "data")
	if out, stderr, code := brine(t, "status", "--data", "data"); code != exitOK || !strings.Contains(out, "no brine serves from data") {
		t.Errorf("without a socket: exit code %d\n%s%s", code, out, stderr)
	}
	l, err := d.listen()
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })}
	go server.Serve(l)
	if _, stderr, code := brine(t, "status", "--data", "data"); code != exitFailed || !strings.Contains(stderr, "the running brine stopped") {
		t.Errorf("cut off: exit code %d\n%s", code, stderr)
	}
	_, stderr, code := brine(t, "import", "interaction", "--data", "data")
	if code != exitFailed || !strings.Contains(stderr, "the running brine stopped: run the import again, nothing is counted twice") {
		t.Errorf("import, cut off: exit code %d\n%s", code, stderr)
	}
	l.(*socket).Listener.Close() // as a process that was killed leaves it
	if out, stderr, code := brine(t, "status", "--data", "data"); code != exitOK || !strings.Contains(out, "no brine serves from data") {
		t.Errorf("with a dead socket: exit code %d\n%s%s", code, out, stderr)
	}
	server.Close()
}

func TestReadinessIsToldOnce(t *testing.T) {
	var text bytes.Buffer
	r := &readiness{logger: slog.New(slog.NewTextHandler(&text, nil))}
	full := errors.New("the disk is full")
	for _, err := range []error{nil, full, full, nil, nil} {
		r.tell(err)
	}
	if got := text.String(); strings.Count(got, "level=WARN") != 2 || strings.Count(got, full.Error()) != 1 {
		t.Errorf("the log has\n%s", got)
	}
}

func TestReadCutShort(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for ctx, says := range map[context.Context]string{t.Context(): "broke off", ended: "was interrupted"} {
		if err := cutShort(ctx, http.ErrAbortHandler); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q in it", err, says)
		}
	}
	defer func() {
		if recover() != "a mistake" {
			t.Error("a panic of another kind is swallowed")
		}
	}()
	_ = cutShort(t.Context(), "a mistake")
}

// An event of next year is refused by its time.
func TestImportRefusesTheFuture(t *testing.T) {
	now := time.Now()
	source := simulate.NewSource(1)
	var in []byte
	for _, at := range []time.Time{now.Add(30 * time.Minute), now.AddDate(1, 0, 0)} {
		in = append(source.AppendInteraction(in, at), '\n')
	}
	var out, errs bytes.Buffer
	code := run([]string{"import", "interaction", "--data", filepath.Join(t.TempDir(), "data")}, &globals{t.Context(), bytes.NewReader(in), &out, &errs})
	if got := out.String(); code != exitFailed || !strings.Contains(got, "1 stored") || !strings.Contains(got, "1 refused") ||
		!strings.Contains(got, "line 2") || !strings.Contains(got, "/timestamp") || !strings.Contains(got, "expected a time not over 1 hour in the future") {
		t.Errorf("exit code %d\n%s%s", code, got, errs.String())
	}
	if got := inFuture(&event.Stream{Time: "meta.dt"}).Path; got != "/meta/dt" {
		t.Errorf("the path of a nested time is %s", got)
	}
}
