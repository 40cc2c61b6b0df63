package eventlog

import (
	"fmt"
	"log/slog"
	"regexp"
)

// serverLog passes what the server says, at warning or worse, to slog, without what it may say of
// the bytes of an entry.
type serverLog struct {
	logger *slog.Logger
	failed chan string // the last error; a write that fails is told nowhere else
}

func newServerLog(logger *slog.Logger) *serverLog {
	return &serverLog{logger: logger, failed: make(chan string, 1)}
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, v ...any) {
	l.logger.Warn("log server", "message", line(format, v))
}

func (l *serverLog) Errorf(format string, v ...any) {
	text := line(format, v)
	l.logger.Error("log server", "message", text)
	select {
	case l.failed <- text:
	default: // there is one already
	}
}

// Fatalf does not end the process: the log is closed and reopened instead.
func (l *serverLog) Fatalf(format string, v ...any) { l.Errorf(format, v...) }

// forget forgets an error that came before.
func (l *serverLog) forget() { l.lastError() }

func (l *serverLog) lastError() string {
	select {
	case text := <-l.failed:
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
