package basis

import (
	"fmt"
	"log/slog"
	"regexp"
)

// ServerLog passes what the server says, at warning or worse, to slog, without what it may say of
// the bytes of an entry.
type ServerLog struct {
	logger  *slog.Logger
	Failed  chan string // an error that matters; a write that fails is told nowhere else
	matters func(string) bool
}

// NewServerLog passes on to logger, and keeps the errors that matter; nil: all do.
func NewServerLog(logger *slog.Logger, matters func(text string) bool) *ServerLog {
	return &ServerLog{logger: logger, Failed: make(chan string, 1), matters: matters}
}

// Noticef drops what is no warning, as Debugf and Tracef do.
func (l *ServerLog) Noticef(string, ...any) {}

// Debugf drops it.
func (l *ServerLog) Debugf(string, ...any) {}

// Tracef drops it.
func (l *ServerLog) Tracef(string, ...any) {}

// Warnf passes a warning on.
func (l *ServerLog) Warnf(format string, v ...any) {
	l.logger.Warn("log server", "message", line(format, v))
}

// Errorf passes an error on, and keeps it for Failed.
func (l *ServerLog) Errorf(format string, v ...any) {
	text := line(format, v)
	l.logger.Error("log server", "message", text)
	if l.matters != nil && !l.matters(text) {
		return
	}
	select {
	case l.Failed <- text:
	default: // there is one already
	}
}

// Fatalf does not end the process: the log is closed and reopened instead.
func (l *ServerLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

// Forget forgets an error that came before.
func (l *ServerLog) Forget() { l.LastError() }

// LastError takes the last error, "" for none.
func (l *ServerLog) LastError() string {
	select {
	case text := <-l.Failed:
		return text
	default:
		return ""
	}
}

// dump is what the server's error for a damaged entry holds: all of its bytes, as numbers.
var dump = regexp.MustCompile(`\[[0-9]+( [0-9]+)*\]`)

const maxLine = 500

func line(format string, v []any) string {
	text := dump.ReplaceAllString(fmt.Sprintf(format, v...), "[…]")
	return text[:min(len(text), maxLine)]
}
