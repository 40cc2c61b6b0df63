package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// The socket's routes: what commands ask of the brine that has the data folder.

func (h *house) socketHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /import/{stream}", func(w http.ResponseWriter, r *http.Request) {
		s, ok := h.streams[r.PathValue("stream")]
		if !ok {
			writeSocketError(w, errUnknownStream(r.PathValue("stream"), h.cfg))
			return
		}
		report, err := importEvents(r.Context(), h.lake, s, r.Body, h.data.tmp())
		if err != nil {
			writeSocketError(w, err)
			return
		}
		json.NewEncoder(w).Encode(report)
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(h.status(r.Context()))
	})
	return mux
}

func writeSocketError(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusUnprocessableEntity)
	io.WriteString(w, err.Error())
}

// askSocket sends one request to the brine that has the data folder and decodes its answer.
func askSocket(ctx context.Context, dataDir, method, path string, body io.Reader, answer any) error {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialSocket(ctx, dataDir)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://brine"+path, body)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the running brine: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		return errors.New(string(why))
	}
	return json.NewDecoder(res.Body).Decode(answer)
}
