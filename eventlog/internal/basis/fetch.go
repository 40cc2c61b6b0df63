package basis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// What one request asks of the server at most, in bytes and in entries: it holds all of the answer at once,
// and acknowledges nothing meanwhile.
const (
	FetchBytes   = 1 << 20
	FetchEntries = 4096
)

// fetchTimeout is how long the next message of an answer may take to come.
const fetchTimeout = 10 * time.Second

// Message is one message of a stream.
type Message struct {
	Seq     uint64
	Subject string
	Data    []byte
}

// Fetch asks a stream for up to count messages from a sequence number on, until they reach maxBytes. It gives
// fewer where one cannot be read, and none where the first one cannot, be it for a moment: see [Missing]. The connection has room for an answer of
// [FetchEntries].
func Fetch(ctx context.Context, conn *nats.Conn, stream string, from, count uint64, maxBytes int) ([]Message, error) {
	request, err := json.Marshal(map[string]uint64{
		"seq":       from,
		"batch":     min(count, FetchEntries),
		"max_bytes": uint64(min(maxBytes, FetchBytes)),
	})
	if err != nil {
		return nil, err
	}
	answer, err := conn.SubscribeSync(conn.NewInbox())
	if err != nil {
		return nil, err
	}
	defer answer.Unsubscribe()
	answer.SetPendingLimits(-1, -1) // bounded by the request
	if err := conn.PublishRequest("$JS.API.DIRECT.GET."+stream, answer.Subject, request); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	return collect(ctx, answer)
}

// The statuses of messages in an answer that are no entries.
const (
	statusEnd      = "204" // the answer is complete
	statusNotFound = "404"
)

func collect(ctx context.Context, answer *nats.Subscription) (messages []Message, err error) {
	for {
		msg, err := answer.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
			seq, err := strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("an entry without a sequence number: %w", err)
			}
			messages = append(messages, Message{Seq: seq, Subject: msg.Header.Get("Nats-Subject"), Data: msg.Data})
		case statusEnd, statusNotFound:
			return messages, nil
		default:
			return nil, errors.New(status + " " + msg.Header.Get("Description"))
		}
	}
}
