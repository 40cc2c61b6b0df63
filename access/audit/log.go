package audit

import (
	"log/slog"
	"time"
)

// Options say where the log lies.
type Options struct {
	Dir    string           // the folder, 0700; made where missing
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: nothing is logged
}

// Log is the audit of one data folder. Its methods may be called from any goroutine, and several
// processes may append to one folder.
type Log struct{}

// Open makes what is missing of the folder. It refuses one that others may read or write.
func Open(o Options) (*Log, error) { panic("not yet") }

// Append makes a record durable and gives its number. Concurrent calls share one sync.
func (l *Log) Append(r Record) (number uint64, err error) { panic("not yet") }

// Err is why the last append failed; nil when it did not.
func (l *Log) Err() error { panic("not yet") }

// Read is a read that has begun.
type Read struct{}

// BeginRead makes the beginning of a read durable: no row may leave before it returns, and none where it fails.
// Action is set by it.
func (l *Log) BeginRead(r Record) (*Read, error) { panic("not yet") }

// End records how a read ended: how many rows left, and the outcome, "ok" or why it is none. Only the first call counts.
func (r *Read) End(rows int64, outcome string) error { panic("not yet") }
