package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/access/audit"
	"brine/config"
	"brine/event"
)

func mustOpenHouse(t *testing.T) *house {
	t.Helper()
	return mustOpenHouseWith(t, func(*config.Config) {})
}

func mustOpenHouseWith(t *testing.T, set func(*config.Config)) *house {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Schemas, cfg.Allowlist, cfg.KPI = t.TempDir(), "", "", ""
	set(cfg)
	registry, err := event.LoadRegistry("")
	if err != nil {
		t.Fatal(err)
	}
	h, err := openHouse(t.Context(), cfg, registry, newLogger(io.Discard), houseOptions{role: allRoles, demo: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// recorded are the audit's records of an action.
func (h *house) recorded(t *testing.T, action audit.Action) (all []audit.Entry) {
	t.Helper()
	for e, err := range h.audit.Read(t.Context(), audit.Filter{Action: action}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// A guest who has all roles is let in on record, or not at all.
func TestGuestsAreRecorded(t *testing.T) {
	h := mustOpenHouse(t)
	guest, err := h.invite("demo", "os:mira", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	all := h.recorded(t, audit.Token)
	if len(all) != 1 || all[0].Who != "os:mira" || !strings.Contains(all[0].Note, "of demo, with all roles, until "+guest.Expires.Format(time.RFC3339)) || strings.Contains(all[0].Note, guest.Token) {
		t.Errorf("%+v", all)
	}
}

// A start is in the audit before anything is served, so that no read of this process is taken for one that it cut.
func TestStartIsRecordedFirst(t *testing.T) {
	h := mustOpenHouse(t)
	started := make(chan int, 1)
	d := newEntrance("private", "", newServer(http.NotFoundHandler()))
	d.listener = &firstAccept{newPipes(), sync.OnceFunc(func() { started <- len(h.recorded(t, audit.Start)) })}
	h.doors = append(h.doors, d)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- h.serve(ctx, func() {}) }()
	if n := <-started; n != 1 {
		t.Errorf("%d starts are recorded when the doors take the first connection", n)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// firstAccept is a listener that does something before it takes the first connection.
type firstAccept struct {
	*pipes
	before func()
}

func (l *firstAccept) Accept() (net.Conn, error) {
	l.before()
	return l.pipes.Accept()
}
