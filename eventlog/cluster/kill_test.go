package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"brine/lease"
)

// childEnv makes the test program a node: it holds the options, and the node appends and works as owner of the lease
// until it is killed.
const childEnv = "BRINE_CLUSTER_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := child(text); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // they wait for elections, most of the time
		panic(err)
	}
	os.Exit(m.Run())
}

// childOptions are the options of a node in another process.
type childOptions struct {
	Dir, Cluster, Name, Listen, CA string // CA: the folder of the certificates
	Nodes                          []Node
	Replicas                       int
}

// childLifetime is of the children's lease.
const childLifetime = 3 * time.Second

// child says on standard output, a line each: "ack GROUP" for what is acknowledged, "own EPOCH" and "lost EPOCH" of its terms
// as leader, "got GROUP" for what it has read as leader, and "quiet" when it appends no more, which SIGUSR1 asks of it.
func child(text string) error {
	var told childOptions
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		return err
	}
	ca := authority{dir: told.CA}
	opts := Options{Dir: told.Dir, Cluster: told.Cluster, Name: told.Name, Nodes: told.Nodes, Listen: told.Listen, Replicas: told.Replicas,
		Certificate: ca.shows(told.Name), CA: ca.roots(), Logger: slog.New(slog.DiscardHandler)}
	ctx := context.Background()
	l, err := Open(ctx, opts)
	if err != nil {
		return err
	}
	l.settle = 2 * time.Second
	var out sync.Mutex
	say := func(format string, v ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", v...)
	}
	go func() {
		quiet := make(chan os.Signal, 1)
		signal.Notify(quiet, syscall.SIGUSR1)
		for i := 0; len(quiet) == 0; i++ {
			group := fmt.Sprintf("%s-%d-%d", opts.Name, os.Getpid(), i)
			if l.Append(ctx, []byte(group)) == nil {
				say("ack %s", group)
			}
			time.Sleep(5 * time.Millisecond)
		}
		say("quiet")
	}()
	said := map[string]bool{}
	bucket := func(ctx context.Context) (jetstream.KeyValue, error) { return l.KeyValue(ctx, "lease") }
	lease.Keep(ctx, lease.Options{Bucket: bucket, Key: "work", Holder: opts.Name, Lifetime: childLifetime, Now: l.opts.Clock.Mono},
		func(ctx context.Context, term *lease.Term) {
			if l.Lead(ctx, term.Epoch) != nil {
				return
			}
			say("own %d", term.Epoch)
			for ctx.Err() == nil && l.Leading() {
				for _, group := range readAll(ctx, l, term) {
					if !said[group] {
						say("got %s", group)
					}
					said[group] = true
				}
				time.Sleep(50 * time.Millisecond)
			}
			say("lost %d", term.Epoch)
			l.Follow()
		})
	return nil
}

// readAll reads all that there is, from the start: nothing is trimmed, so that each owner reads what there is.
func readAll(ctx context.Context, l *Log, term *lease.Term) (all []string) {
	for _, info := range l.Logs() {
		entries, err := l.Read(ctx, info.Name, 1, 1<<30)
		if err != nil || term.Err() != nil {
			return nil
		}
		for _, e := range entries {
			if !e.Mark {
				all = append(all, string(e.Group))
			}
		}
	}
	return all
}

// watched is a child with what it has said.
type watched struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	acked map[string]bool
	got   map[string]bool
	last  time.Time // of an acknowledgement
	owns  string    // epoch of its term, "" when it has none
	quiet bool      // it appends no more
	fault string    // what it said beside that
}

func (s *site) startChild(name string) *watched {
	s.t.Helper()
	o := s.options(name)
	text, err := json.Marshal(childOptions{o.Dir, o.Cluster, o.Name, o.Listen, s.ca.dir, o.Nodes, o.Replicas})
	must(s.t, err)
	w := &watched{cmd: exec.Command(os.Args[0]), acked: map[string]bool{}, got: map[string]bool{}}
	w.cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	w.cmd.Stderr = os.Stderr
	out, err := w.cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, w.cmd.Start())
	heard := make(chan struct{})
	go func() { defer close(heard); w.listen(out) }()
	s.t.Cleanup(func() { w.cmd.Process.Kill(); <-heard; w.cmd.Wait() })
	return w
}

func (w *watched) listen(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		w.mu.Lock()
		switch word {
		case "ack":
			w.acked[rest], w.last = true, time.Now()
		case "got":
			w.got[rest] = true
		case "own":
			w.owns = rest
		case "lost":
			w.owns = ""
		case "quiet":
			w.quiet = true
		default:
			w.fault = lines.Text()
		}
		w.mu.Unlock()
	}
}

func (w *watched) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	must(t, w.cmd.Process.Signal(sig))
}

func (w *watched) owner() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owns != ""
}

// since tells whether something was acknowledged after a moment.
func (w *watched) since(t time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last.After(t)
}

// Processes that are killed, and one that is stopped past its lease and let go on, lose nothing that was acknowledged.
func TestKill(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	all := map[string]*watched{}
	var past []*watched
	for _, n := range s.nodes {
		all[n.Name] = s.startChild(n.Name)
	}
	owner := func() string {
		for name, w := range all {
			if w.owner() {
				return name
			}
		}
		return ""
	}
	eventually(t, time.Minute, "one owns the lease and all append", func() bool {
		return owner() != "" && all["a"].since(time.Time{}) && all["b"].since(time.Time{}) && all["c"].since(time.Time{})
	})

	killed := owner()
	all[killed].signal(t, syscall.SIGKILL)
	began := time.Now()
	past = append(past, all[killed])
	delete(all, killed)
	eventually(t, 30*time.Second, "another owns the lease", func() bool { return owner() != "" })
	t.Logf("another owner after %s", time.Since(began))
	for name, w := range all {
		eventually(t, maxRefused-time.Since(began), name+" appends again", func() bool { return w.since(began.Add(time.Second)) })
	}
	all[killed] = s.startChild(killed)
	eventually(t, maxRefused, "the killed one appends again", func() bool { return all[killed].since(began) })

	stopped := owner()
	all[stopped].signal(t, syscall.SIGSTOP)
	began = time.Now()
	eventually(t, 30*time.Second, "another owns the lease", func() bool {
		for name, w := range all {
			if name != stopped && w.owner() {
				return true
			}
		}
		return false
	})
	all[stopped].signal(t, syscall.SIGCONT)
	eventually(t, 10*time.Second, "the one that was stopped knows that it owns nothing", func() bool { return !all[stopped].owner() })
	began = time.Now()
	eventually(t, 2*maxRefused, "it appends again, after the elections that it disturbs", func() bool { return all[stopped].since(began) })

	for _, w := range all {
		w.signal(t, syscall.SIGUSR1)
		past = append(past, w)
	}
	for _, w := range all {
		eventually(t, 20*time.Second, "the appends have ended", func() bool { return w.isQuiet() })
	}
	missing, count := "", 0
	eventually(t, time.Minute, "the owner has read all that any process was told is stored", func() bool {
		name := owner()
		if name == "" {
			return false
		}
		missing, count = all[name].lacks(past)
		return missing == ""
	})
	if count < 500 {
		t.Errorf("%d groups acknowledged: that is no test", count)
	}
	for _, w := range past {
		if w.fault != "" {
			t.Error(w.fault)
		}
	}
	t.Logf("%d groups acknowledged", count)
}

func (w *watched) isQuiet() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.quiet
}

// lacks gives a group that was acknowledged to one of the processes and that this one has not read, and how many there are.
func (w *watched) lacks(all []*watched) (missing string, count int) {
	w.mu.Lock()
	got := maps.Clone(w.got)
	w.mu.Unlock()
	for _, other := range all {
		other.mu.Lock()
		for group := range other.acked {
			if count++; !got[group] {
				missing = group
			}
		}
		other.mu.Unlock()
	}
	return missing, count
}
