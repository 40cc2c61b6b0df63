package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// The socket's routes: what commands ask of the brine that has the data folder.

func (h *house) socketHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(h.status(r.Context()))
	})
	if !h.role.stores {
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			writeSocketError(w, errors.New("a collector has this data folder, and it holds no event: give the command the config of the store"))
		})
		return mux
	}
	mux.HandleFunc("POST /import/{stream}", func(w http.ResponseWriter, r *http.Request) {
		s, ok := h.streams[r.PathValue("stream")]
		if !ok {
			writeSocketError(w, errUnknownStream(r.PathValue("stream"), h.cfg))
			return
		}
		report, err := importEvents(r.Context(), h.lake, s, r.Body, h.data.tmp(), oldestImport(h.cfg))
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // this process stops: the cut connection says so at the other end
		}
		if err != nil {
			writeSocketError(w, err)
			return
		}
		json.NewEncoder(w).Encode(report)
	})
	mux.HandleFunc("POST /sanitize", h.serveSanitize)
	mux.HandleFunc("POST /risk", h.serveRisk)
	mux.HandleFunc("POST /kpi/rebuild", h.serveRebuild)
	mux.HandleFunc("POST /purge", h.servePurge)
	mux.HandleFunc("POST /snapshot", h.serveSnapshot)
	mux.HandleFunc("POST /kpi", h.serveKPI)
	mux.HandleFunc("POST /setup", h.postSetup)
	mux.HandleFunc("POST /erasures", h.postErasure)
	mux.HandleFunc("GET /erasures/{receipt}", h.getErasure)
	h.clusterRoutes(mux)
	return mux
}

func writeSocketError(w http.ResponseWriter, err error) {
	w.WriteHeader(http.StatusUnprocessableEntity)
	io.WriteString(w, err.Error())
}

// askSocket sends one request to the brine that has the data folder and decodes its answer.
func askSocket(ctx context.Context, dataDir, method, path string, body io.Reader, answer any) error {
	return askSocketFor(ctx, dataDir, method, path, body, func(from io.Reader) error {
		if err := json.NewDecoder(from).Decode(answer); err != nil {
			return socketError(err)
		}
		return nil
	})
}

// askSocketFor is the same for an answer that is read in parts.
func askSocketFor(ctx context.Context, dataDir, method, path string, body io.Reader, read func(io.Reader) error) error {
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
		return socketError(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		return errors.New(string(why))
	}
	return read(res.Body)
}

// errStopped is the error of a question that the stop of the brine at the other end cut off.
var errStopped = errors.New("the running brine stopped")

func socketError(err error) error {
	for _, cut := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, cut) {
			return errStopped
		}
	}
	return fmt.Errorf("ask the running brine: %w", err)
}

// nobodyServes says of an error of [askSocket] that no brine has the data folder open.
func nobodyServes(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
}
