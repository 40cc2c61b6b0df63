package audit

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the tests start this binary again as a process that they can kill.
func TestMain(m *testing.M) {
	if dir := os.Getenv("BRINE_TEST_AUDIT"); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

// appendForEver appends from many goroutines, and prints what is acknowledged.
func appendForEver(dir string) {
	l := must(Open(Options{Dir: dir}))
	for range 8 {
		go func() {
			for {
				who := strconv.FormatUint(rand.Uint64(), 36)
				r, err := l.BeginRead(read(who, "interaction"))
				if err != nil {
					panic(err)
				}
				fmt.Printf("%d %s.\n", r.Number(), who)
				if rand.IntN(2) == 0 {
					_ = r.End(1, "ok")
				}
			}
		}()
	}
	select {}
}

// Two processes that append to one folder are killed at random; BRINE_ROUNDS says how often. Every record that was
// acknowledged is there, and verify finds nothing.
func TestKill(t *testing.T) {
	dir, acknowledged := filepath.Join(t.TempDir(), "audit"), map[uint64]string{}
	for round := range rounds(t) {
		before := len(acknowledged)
		var readers []io.Reader
		for range 2 {
			readers = append(readers, startAppending(t, dir))
		}
		for _, out := range readers {
			readAcknowledged(t, out, acknowledged)
		}
		if len(acknowledged) == before {
			t.Fatalf("round %d: nothing was appended", round+1)
		}
		v, err := Verify(dir, nil)
		clean(t, v, err)
		checkAcknowledged(t, dir, acknowledged)
	}
	t.Logf("%d records were acknowledged", len(acknowledged))
}

func rounds(t *testing.T) int {
	text := os.Getenv("BRINE_ROUNDS")
	if text == "" {
		return 8
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("BRINE_ROUNDS: %v", err)
	}
	return n
}

// startAppending starts a process, and kills it some time after its first words.
func startAppending(t *testing.T, dir string) io.Reader {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BRINE_TEST_AUDIT="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	var once sync.Once
	done := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			once.Do(func() { time.AfterFunc(rand.N(150*time.Millisecond), func() { cmd.Process.Kill() }) })
			fmt.Fprintln(&said, lines.Text())
		}
		cmd.Wait()
		done <- said.String()
	}()
	return &later{from: done}
}

// later is a reader of what a channel gives.
type later struct {
	from chan string
	text io.Reader
}

func (l *later) Read(b []byte) (int, error) {
	if l.text == nil {
		l.text = strings.NewReader(<-l.from)
	}
	return l.text.Read(b)
}

func readAcknowledged(t *testing.T, out io.Reader, acknowledged map[uint64]string) {
	t.Helper()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var number uint64
		var who string
		if n, _ := fmt.Sscanf(lines.Text(), "%d %s", &number, &who); n != 2 || !strings.HasSuffix(who, ".") {
			continue // the kill cut it off
		}
		if before := acknowledged[number]; before != "" {
			t.Fatalf("record %d was given twice, to %s and %s", number, before, who)
		}
		acknowledged[number] = strings.TrimSuffix(who, ".")
	}
}

func checkAcknowledged(t *testing.T, dir string, acknowledged map[uint64]string) {
	t.Helper()
	there := 0
	for e, err := range openDir(t, dir, newClock()).Read(t.Context(), Filter{Action: ReadBegin}) {
		if err != nil {
			t.Fatal(err)
		}
		if who := acknowledged[e.Number]; who != "" {
			if there++; who != e.Who {
				t.Fatalf("record %d is of %s, and was acknowledged to %s", e.Number, e.Who, who)
			}
		}
	}
	if there != len(acknowledged) {
		t.Fatalf("%d of %d records that were acknowledged are there", there, len(acknowledged))
	}
}
