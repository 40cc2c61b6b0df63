package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/access/tokens"
	"brine/access/users"
	"brine/console"
	"brine/event"
	"brine/lake"
)

const (
	pageRounds = 200
	pageRoute  = "/api/v1/events/interaction?dataset=raw&limit=1000"
	checkRoute = "/openapi.yaml" // which costs next to nothing but the check
	checkers   = 8               // connections
)

// access compares a page of 1,000 events that one logs in for and that is recorded with the same page
// without either, in one process, and counts checks of a token.
func (s *suite) access() (figures []figure, err error) {
	if _, err := s.importHistory("access"); err != nil {
		return nil, err
	}
	data := filepath.Join(s.folder, "access")
	l, err := lake.Open(context.Background(), lake.Options{Dir: filepath.Join(data, "lake"), Temp: filepath.Join(data, "tmp"),
		Tables: []lake.Table{lake.NewTable(lake.Raw, event.Interaction, event.InteractionColumns(), "timestamp", "id")}})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	door, token, err := guarded(l, data)
	if err != nil {
		return nil, err
	}
	open := httptest.NewServer((&console.Server{Lake: l, Temp: data}).Local())
	defer open.Close()
	closed := httptest.NewServer(door)
	defer closed.Close()

	with, without, err := pages(closed.URL, open.URL, token)
	if err != nil {
		return nil, err
	}
	checks, err := checksPerSecond(closed.URL, token)
	if err != nil {
		return nil, err
	}
	return []figure{
		{name: "page of 1,000 events, with access control and audit", measured: with.Round(10 * time.Microsecond).String(),
			limit: without.Round(10*time.Microsecond).String() + " without", ratio: fmt.Sprintf("%.2f", float64(with)/float64(without)),
			target: "at most 2 ms more", met: with-without <= 2*time.Millisecond},
		{name: "checks of a token, the directory's answer remembered", measured: fmt.Sprintf("%.0f/s", checks), target: "at least 2,000/s", met: checks >= 2000},
	}, nil
}

// guarded is the private door of a lake, with one person in its users file, and a token of theirs.
func guarded(l *lake.Lake, data string) (http.Handler, string, error) {
	people := users.New(filepath.Join(data, "users"))
	if err := people.Add(context.Background(), "bench", "a password of the bench", access.RolesOf(access.Raw)); err != nil {
		return nil, "", err
	}
	all := tokens.Open(filepath.Join(data, "tokens"), time.Now)
	token, _, err := all.Create("bench", access.RolesOf(access.Raw), time.Now().Add(time.Hour), "")
	if err != nil {
		return nil, "", err
	}
	log, err := audit.Open(audit.Options{Dir: filepath.Join(data, "audit")})
	if err != nil {
		return nil, "", err
	}
	g := &gate.Gate{Directory: access.NewCached(people, time.Now), Tokens: all, Audit: log}
	begin := func(r audit.Record) (func(int64, string) error, error) {
		read, err := log.BeginRead(r)
		if err != nil {
			return nil, err
		}
		return read.End, nil
	}
	c := &console.Server{Lake: l, Temp: data, Gate: g, Begin: begin, OpenAPI: []byte("openapi: 3.1.0\n")}
	err = errors.Join(g.Open(), c.Open())
	return c.Handler(), token, err
}

// pages are the medians of the times that a page takes, from both doors in turn.
func pages(closed, open, token string) (with, without time.Duration, err error) {
	var all, bare []time.Duration
	for range pageRounds {
		for door, times := range map[string]*[]time.Duration{closed: &all, open: &bare} {
			began := time.Now()
			if err := ask(door+pageRoute, token); err != nil {
				return 0, 0, err
			}
			*times = append(*times, time.Since(began))
		}
	}
	return median(all), median(bare), nil
}

func checksPerSecond(door, token string) (float64, error) {
	const lasts = 3 * time.Second
	var n atomic.Int64
	errs := make([]error, checkers)
	var clients sync.WaitGroup
	began := time.Now()
	for i := range errs {
		clients.Go(func() {
			for errs[i] == nil && time.Since(began) < lasts {
				errs[i] = ask(door+checkRoute, token)
				n.Add(1)
			}
		})
	}
	clients.Wait()
	return float64(n.Load()) / time.Since(began).Seconds(), errors.Join(errs...)
}

// asker keeps a connection for each of the checkers.
var asker = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: checkers}}

func ask(url, token string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Purpose", "bench")
	res, err := asker.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s is answered %s", url, res.Status)
	}
	return err
}
