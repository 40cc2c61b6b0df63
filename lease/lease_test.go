package lease

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// lifetime is short, so that the tests are.
const lifetime = time.Second

// newBucket is a bucket of a server in this process.
func newBucket(t *testing.T) jetstream.KeyValue {
	t.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	must(t, err)
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	conn, err := nats.Connect("", nats.InProcessServer(srv))
	must(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	must(t, err)
	bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "lease"})
	must(t, err)
	return bucket
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, within time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// stage watches who owns the task, and that it is never two.
type stage struct {
	t      *testing.T
	bucket jetstream.KeyValue
	mu     sync.Mutex
	epoch  uint64
	owners map[string]*Term
	terms  int
}

// process is one that wants the task.
type process struct {
	name string
	cut  atomic.Bool  // it cannot reach the bucket
	skip atomic.Int64 // by how much its clock has gone on while it was stopped
	end  context.CancelFunc
	done chan struct{}
}

func newStage(t *testing.T) *stage {
	return &stage{t: t, bucket: newBucket(t), owners: map[string]*Term{}}
}

func (s *stage) start(name string) *process {
	ctx, end := context.WithCancel(s.t.Context())
	p := &process{name: name, end: end, done: make(chan struct{})}
	began := time.Now()
	o := Options{Key: "work", Holder: name, Lifetime: lifetime, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Duration { return time.Since(began) + time.Duration(p.skip.Load()) },
		Bucket: func(context.Context) (jetstream.KeyValue, error) {
			if p.cut.Load() {
				return nil, errors.New("cut off")
			}
			return s.bucket, nil
		}}
	go func() {
		defer close(p.done)
		Keep(ctx, o, func(ctx context.Context, term *Term) { s.own(ctx, name, term) })
	}()
	s.t.Cleanup(func() { end(); <-p.done })
	return p
}

func (s *stage) own(ctx context.Context, name string, term *Term) {
	s.mu.Lock()
	for other, t := range s.owners {
		if t.Err() == nil {
			s.t.Errorf("%s begins a term while that of %s lasts", name, other)
		}
	}
	if term.Epoch <= s.epoch {
		s.t.Errorf("epoch %d follows %d", term.Epoch, s.epoch)
	}
	s.epoch, s.owners[name] = term.Epoch, term
	s.terms++
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners[name] == term {
		delete(s.owners, name)
	}
}

// owner is the one that owns the task and may act.
func (s *stage) owner() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, term := range s.owners {
		if term.Err() == nil {
			return name
		}
	}
	return ""
}

// The first that comes owns the task for as long as it likes; once it ends, another does at once.
func TestKeepAndRelease(t *testing.T) {
	s := newStage(t)
	a := s.start("a")
	eventually(t, lifetime, "a owns", func() bool { return s.owner() == "a" })
	s.start("b")
	for end := time.Now().Add(3 * lifetime); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if s.owner() != "a" {
			t.Fatal("a does not own the task any more, though it renews its lease")
		}
	}
	if s.terms != 1 {
		t.Errorf("%d terms, want 1", s.terms)
	}
	a.end()
	<-a.done
	eventually(t, lifetime/2, "b owns", func() bool { return s.owner() == "b" })
}

// One that is cut off stops before another begins, and that one begins within twice the lifetime.
func TestCutOff(t *testing.T) {
	s := newStage(t)
	a := s.start("a")
	eventually(t, lifetime, "a owns", func() bool { return s.owner() == "a" })
	s.start("b")
	a.cut.Store(true)
	eventually(t, lifetime, "a has stopped", func() bool { return s.owner() == "" })
	eventually(t, 2*lifetime, "b owns", func() bool { return s.owner() == "b" })
	a.cut.Store(false)
	for end := time.Now().Add(2 * lifetime); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if s.owner() != "b" {
			t.Fatal("b lost the task to one that came back")
		}
	}
}

// One that was stopped past its lifetime finds its term over at the first question, whatever its timers do.
func TestStopped(t *testing.T) {
	s := newStage(t)
	a := s.start("a")
	eventually(t, lifetime, "a owns", func() bool { return s.owner() == "a" })
	s.mu.Lock()
	term := s.owners["a"]
	s.mu.Unlock()
	must(t, term.Err())
	a.skip.Add(int64(lifetime))
	if err := term.Err(); !errors.Is(err, ErrLost) {
		t.Fatalf("after a stop: %v, want ErrLost", err)
	}
	a.skip.Add(-int64(lifetime))
	if err := term.Err(); !errors.Is(err, ErrLost) {
		t.Fatalf("a term that was over goes on: %v", err)
	}
}

// Another's entry ends the term at the next renewal.
func TestTaken(t *testing.T) {
	s := newStage(t)
	s.start("a")
	eventually(t, lifetime, "a owns", func() bool { return s.owner() == "a" })
	_, err := s.bucket.Put(t.Context(), "work", []byte("x y"))
	must(t, err)
	eventually(t, lifetime/2, "a has stopped", func() bool { return s.owner() == "" })
	eventually(t, 3*lifetime, "a owns again", func() bool { return s.owner() == "a" })
}

// Many processes that are cut off and come back at random never own the task two at a time.
func TestRivals(t *testing.T) {
	s := newStage(t)
	var all []*process
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, s.start(name))
	}
	for i := range 6 {
		eventually(t, 4*lifetime, "somebody owns", func() bool { return s.owner() != "" })
		owner := s.owner()
		for _, p := range all {
			p.cut.Store(p.name == owner || i%3 == 2 && p.name == "c")
		}
		eventually(t, 4*lifetime, "another owns", func() bool { return s.owner() != "" && s.owner() != owner })
	}
	if s.terms < 6 {
		t.Errorf("%d terms, want at least 6", s.terms)
	}
}
