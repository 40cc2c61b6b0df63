// Package eventlog is the durable, ordered log between the doors and the lake: a group of
// events is acknowledged once it is on disk, and is read back in order until the lake has it.
//
// It is JetStream, embedded: a NATS server in this process, with no port, that syncs every
// write. Each UTC day has its own stream, called a log here, and each log is one incarnation:
// its sequence numbers never start again, so that a log's name with a range of them names the
// same entries for ever.
//
//	Append(group) → <dir>/jetstream/… → Logs, Read → the lake → Trim, Delete
//
// Only the log tells the hour. Its owner writes a mark "hour H begins" when the clock enters
// an hour, with traffic or without, and an entry belongs to the last mark before it; the lake
// closes an hour when it has passed the next mark. Hours never go back. When the clock cannot
// be trusted no mark is written and nothing is taken, until an operator has looked.
//
// Two processes on one folder destroy each other's data, and JetStream takes no lock: whoever
// opens a Log holds the lock of the data folder, <data>/lock. Files are made with the umask
// of the process. That a fresh block file's name survives a power cut is left to the file
// system, which has to be one that syncs a new file with its name (ext4, XFS, btrfs, ZFS).
//
// The newest groups are also held in memory, so that a flush that keeps up reads at no cost.
//
// The package imports nothing of the house. What a group holds is not looked at, and never logged.
package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"brine/eventlog/internal/basis"
)

// Clock tells the time twice over, as the world has it and as a count that nobody sets.
type Clock = basis.Clock

// MaxGroup is the size in bytes of the largest group that [Log.Append] takes.
const MaxGroup = 8 << 20

// The errors of a Log; what is returned wraps one of them and says more.
var (
	ErrTooLarge    = errors.New("log: the group is too large")
	ErrUnavailable = errors.New("log: not available, it reopens itself as soon as it can")
	ErrClock       = basis.ErrClock
	ErrClosed      = errors.New("log: closed")
	ErrUnknown     = errors.New("log: no log of this name")
	ErrCurrent     = errors.New("log: this is the current log")
	ErrSequence    = errors.New("log: no entry has this sequence number yet")
)

// Options say where a log lies and how it behaves. Only Dir is required.
type Options struct {
	Dir           string        // the folder, made where missing; nothing else may use it
	AppendTimeout time.Duration // how long a group may take to reach the disk; default 2 s
	Clock         Clock         // default: the system's
	TailBytes     int           // bytes of the newest groups that are held in memory for reading; default 32 MiB
	AcceptClock   bool          // an operator has confirmed that the clock is right; default false
	Logger        *slog.Logger  // default: slog.Default()
}

// Info is what is known of one log. It is empty when Last < First.
type Info struct {
	Name  string    // like 20261121x4f09zk
	Day   time.Time // its UTC day
	First uint64    // sequence number of the first entry that is not trimmed
	Last  uint64    // sequence number of the last entry ever written, 0 before the first
}

// Log is an open log. Its methods may be called from several goroutines.
type Log struct {
	opts  Options
	guard *basis.Guard
	tail  tail

	patience time.Duration // [basis.Patience], but in tests

	// store is what is read and trimmed; nil while there is none.
	store atomic.Pointer[store]
	// fault is why appends fail; nil while they work. Set and cleared under mu.
	fault atomic.Pointer[error]
	// broken asks the running repair for a fresh store.
	broken atomic.Bool

	// mu is held by one append, mark or change of fault at a time.
	mu      sync.Mutex
	current string    // the log that is written to, "" before the first
	hour    time.Time // the hour that entries belong to now
	marked  bool      // that hour's mark is in the current log

	infoMu sync.Mutex
	infos  []Info // in order of creation

	done chan struct{}
	work sync.WaitGroup
}

// Open opens the log in opts.Dir, or makes one, and goes on with the newest log of the day. The
// caller holds the lock of the data folder. A clock that cannot be trusted and a disk that has
// become full are no errors here: what is there can be read, and [Log.Err] tells. A log on disk that
// cannot be opened is an error. ctx bounds the opening alone.
func Open(ctx context.Context, opts Options) (*Log, error) {
	opts = withDefaults(opts)
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("log: make the folder: %w", err)
	}
	l := &Log{
		opts:  opts,
		guard: basis.NewGuard(opts.Clock, opts.Logger),
		tail:  tail{limit: opts.TailBytes},
		done:  make(chan struct{}),

		patience: basis.Patience,
	}
	if err := l.load(ctx); err != nil {
		return nil, fmt.Errorf("log: open %s: %w", opts.Dir, err)
	}
	if !opts.AcceptClock {
		l.guard.CheckNotBefore(l.hour)
	}
	l.tick()
	l.work.Go(l.keepHours)
	return l, nil
}

func withDefaults(opts Options) Options {
	if opts.AppendTimeout == 0 {
		opts.AppendTimeout = 2 * time.Second
	}
	if opts.TailBytes == 0 {
		opts.TailBytes = 32 << 20
	}
	if opts.Clock == nil {
		opts.Clock = basis.SystemClock{}
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	opts.Dir = filepath.Clean(opts.Dir)
	return opts
}

// Err is nil while appends can work, else it says why they cannot and what to do.
func (l *Log) Err() error {
	if fault := l.fault.Load(); fault != nil {
		return *fault
	}
	return l.guard.Err()
}

// Hour is the hour that entries belong to now, UTC; none that comes belongs to an earlier one. Zero before the first.
func (l *Log) Hour() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hour
}

// Close closes the log. A group that is being appended is waited for; nothing acknowledged is lost without it.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.isClosed() {
		l.mu.Unlock()
		return nil
	}
	close(l.done)
	l.setFault(ErrClosed)
	l.mu.Unlock()
	l.work.Wait()
	if s := l.store.Swap(nil); s != nil {
		s.close()
	}
	return nil
}

func (l *Log) isClosed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}
