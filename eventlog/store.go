package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"brine/eventlog/internal/basis"
)

// store is one life of the embedded JetStream server with the connections into it. After the
// first write error it is of no more use for writing, and is closed for a fresh one.
type store struct {
	srv *server.Server
	// Writing has its own connection: the server answers reads inside a connection's own
	// read loop, where a group would wait behind them.
	writer, reader *nats.Conn
	inbox          string         // where acknowledgements come to, on writer
	acks           chan *nats.Msg // one publish at a time waits on it
	lines          *basis.ServerLog
	js             jetstream.JetStream
}

func openStore(dir string, logger *slog.Logger) (*store, error) {
	lines := basis.NewServerLog(logger, nil)
	srv, err := server.NewServer(serverOptions(dir))
	if err != nil {
		return nil, err
	}
	srv.SetLoggerV2(lines, false, false, false)
	srv.Start() // returns when the store is recovered, as there is no port to listen on
	s := &store{srv: srv, acks: make(chan *nats.Msg, 1), lines: lines}
	if !srv.JetStreamEnabled() {
		s.close()
		return nil, fmt.Errorf("the server did not start: %s", lines.LastError())
	}
	if err := s.connect(logger); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func serverOptions(dir string) *server.Options {
	return &server.Options{
		ServerName:  "eventlog",
		DontListen:  true,
		AuthTimeout: basis.ConnectTimeout.Seconds(),
		NoSigs:      true,
		NoLog:       true,
		JetStream:   true,
		StoreDir:    dir,
		SyncAlways:  true,
		MaxPayload:  MaxGroup,
		// Left alone, the limits follow the disk and the memory that are free at the start. How
		// much of the disk may be used is not the log's to decide.
		JetStreamMaxStore:      math.MaxInt64 / 2,
		JetStreamMaxMemory:     1 << 20,
		DisableJetStreamBanner: true,
		DisableShortFirstPing:  true,
	}
}

func (s *store) connect(logger *slog.Logger) (err error) {
	options := []nats.Option{
		nats.InProcessServer(s.srv),
		nats.NoReconnect(),
		nats.Timeout(basis.ConnectTimeout),
		nats.SyncQueueLen(2 * basis.FetchEntries), // an answer must fit, or its end is dropped
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			logger.Warn("log connection", "error", err)
		}),
	}
	if s.writer, err = nats.Connect("", options...); err != nil {
		return fmt.Errorf("connect to write: %w", err)
	}
	if s.reader, err = nats.Connect("", options...); err != nil {
		return fmt.Errorf("connect to read: %w", err)
	}
	s.inbox = s.writer.NewInbox()
	if _, err = s.writer.ChanSubscribe(s.inbox, s.acks); err != nil {
		return fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	s.js, err = jetstream.New(s.reader)
	return err
}

// close returns when the server no longer touches the folder.
func (s *store) close() {
	for _, conn := range []*nats.Conn{s.writer, s.reader} {
		if conn != nil {
			conn.Close()
		}
	}
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
}

// publish writes one message and returns its sequence number once it is synced to disk. After
// an error the store must not be written to again: a late acknowledgement would be taken for the next.
func (s *store) publish(subject string, data []byte, timeout time.Duration) (uint64, error) {
	s.lines.Forget()
	if err := s.writer.PublishRequest(subject, s.inbox, data); err != nil {
		return 0, err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case ack := <-s.acks:
		return parseAck(ack.Data)
	case line := <-s.lines.Failed:
		// The server answers nothing when a write fails, and logs it.
		return 0, errors.New(line)
	case <-timer.C:
		return 0, fmt.Errorf("no acknowledgement within %s", timeout.Round(time.Millisecond))
	}
}

func parseAck(data []byte) (uint64, error) {
	var ack struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if len(data) == 0 {
		return 0, errors.New("JetStream is switched off")
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		return 0, fmt.Errorf("acknowledgement: %w", err)
	}
	if ack.Error != nil {
		return 0, errors.New(ack.Error.Description)
	}
	if ack.Seq == 0 {
		return 0, errors.New("the acknowledgement has no sequence number")
	}
	return ack.Seq, nil
}

// createLog makes the stream of a log.
func (s *store) createLog(ctx context.Context, name string) error {
	_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:        name,
		Subjects:    []string{name + ".*.*"},
		AllowDirect: true,
		Duplicates:  shortestWindow,
	})
	return err
}

// shortestWindow is the shortest that JetStream has for recognizing resends by a header. The log
// sends no such header, and the default of 2 minutes is read whole at each start.
const shortestWindow = 100 * time.Millisecond

// The stream hours holds one message: the newest hour that has begun. It is what keeps
// hours from going back when every entry of the log is trimmed away.
const hoursName = "hours"

// lastHour is the newest hour that has begun, zero when none has. It makes the stream where there is none.
func (s *store) lastHour(ctx context.Context) (time.Time, error) {
	stream, err := s.js.Stream(ctx, hoursName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{
			Name:       hoursName,
			Subjects:   []string{hoursName},
			MaxMsgs:    1,
			Duplicates: shortestWindow,
		})
		return time.Time{}, err
	}
	if err != nil {
		return time.Time{}, err
	}
	msg, err := stream.GetLastMsgForSubject(ctx, hoursName)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(basis.HourForm, string(msg.Data))
}
