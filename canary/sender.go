package canary

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"brine/event"
)

// Sender sends the canaries of one collector. Its fields are set before use.
type Sender struct {
	Name   string                                        // of the collector; see [event.CollectorName]
	Every  time.Duration                                 // between two
	Append func(ctx context.Context, group []byte) error // makes a canary durable, as it does the groups of events
	Ahead  func() (ahead time.Duration, known bool)      // by how much this clock is ahead of the store's; nil: it is the same clock
	Bye    bool                                          // the last one says that it is: the stores are others' processes
	Logger *slog.Logger

	mu   sync.Mutex
	err  error  // of the last one
	way  *int64 // ms that it took; nil where it failed
	sent bool   // some were
}

// tooFar is how far the clocks of a collector and a store may be from each other before that is told: events are floored to
// 10 minutes and tokens live for hours, so that a minute harms nothing yet.
const tooFar = time.Minute

// byeWithin is how long the last canary may take: the collector ends.
const byeWithin = time.Second

// Run sends until the context ends; the first one after Every.
func (s *Sender) Run(ctx context.Context) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.bye()
			return
		case <-tick.C:
			s.Send(ctx)
		}
	}
}

// Send sends one canary, and gives back what [Sender.Err] says then.
func (s *Sender) Send(ctx context.Context) error {
	err := s.send(ctx, false)
	if ctx.Err() != nil {
		return err
	}
	s.mu.Lock()
	before := s.err
	s.err = err
	s.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		s.Logger.Warn("the canary of this collector was not stored", "err", err)
	case err == nil && before != nil:
		s.Logger.Info("canaries of this collector are stored again")
	}
	return s.Err()
}

func (s *Sender) send(ctx context.Context, leaving bool) error {
	s.mu.Lock()
	r := row{Collector: s.Name, Sent: event.FloorMillis(time.Now().UnixMilli()), Way: s.way, Leaving: leaving}
	s.mu.Unlock()
	if ahead, known := s.ahead(); known {
		r.Ahead = millis(ahead)
	}
	group, err := r.group(uuid.New())
	if err != nil {
		return err
	}
	began := time.Now()
	err = s.Append(ctx, group)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.way = nil; err == nil {
		s.way, s.sent = millis(time.Since(began)), true
	}
	return err
}

func (s *Sender) ahead() (time.Duration, bool) {
	if s.Ahead == nil {
		return 0, false
	}
	return s.Ahead()
}

// bye tells the stores not to wait for canaries of this collector.
func (s *Sender) bye() {
	s.mu.Lock()
	needless := !s.Bye || !s.sent
	s.mu.Unlock()
	if needless {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), byeWithin)
	defer cancel()
	_ = s.send(ctx, true) // else the stores tell that it is missing, for a day
}

// Err says that the last canary was not stored, or that this clock is far from the store's; nil where all is well.
func (s *Sender) Err() error {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("the last canary was not stored: %w", err)
	}
	if ahead, known := s.ahead(); known && ahead.Abs() >= tooFar {
		return fmt.Errorf("against the store's this machine's clock is %s: set the one that is wrong", OffText(ahead))
	}
	return nil
}

// OffText says how a clock stands to another, like “5m0s ahead”; “right” where it does not differ.
func OffText(ahead time.Duration) string {
	switch {
	case ahead < 0:
		return fmt.Sprintf("%s behind", -ahead)
	case ahead > 0:
		return fmt.Sprintf("%s ahead", ahead)
	}
	return "right"
}
