package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// Long work through the socket: the answer is one JSON value a line, each how far it has come, and
// the last the result or why there is none.

// workLine is one line of the answer.
type workLine struct {
	Done   int             `json:"done,omitempty"`
	Of     int             `json:"of,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// maxWork bounds what a command may ask.
const maxWork = 64 << 10

// serveWork does what a command asks for. The context ends when the command goes away.
func serveWork[W, R any](w http.ResponseWriter, r *http.Request, do func(context.Context, W, func(done, of int)) (R, error)) {
	var work W
	if err := json.NewDecoder(io.LimitReader(r.Body, maxWork)).Decode(&work); err != nil {
		writeSocketError(w, err)
		return
	}
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	result, err := do(r.Context(), work, func(done, of int) {
		out.Encode(workLine{Done: done, Of: of})
		flush.Flush()
	})
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // this process stops, or nobody listens
	}
	line := workLine{}
	if line.Result, err = marshalUnless(err, result); err != nil {
		line.Error = err.Error()
	}
	out.Encode(line)
}

func marshalUnless(err error, result any) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// askWork has the brine that holds the data folder do some work.
func askWork(ctx context.Context, dataDir, path string, work any, progress func(done, of int), result any) error {
	body, err := json.Marshal(work)
	if err != nil {
		return err
	}
	return askSocketFor(ctx, dataDir, "POST", path, bytes.NewReader(body), func(answer io.Reader) error {
		lines := json.NewDecoder(answer)
		for {
			var line workLine
			if err := lines.Decode(&line); err != nil {
				return socketError(err)
			}
			switch {
			case line.Error != "":
				return errors.New(line.Error)
			case line.Result != nil:
				return json.Unmarshal(line.Result, result)
			}
			progress(line.Done, line.Of)
		}
	})
}
