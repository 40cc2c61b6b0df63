package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"brine/client"
	"brine/config"
	"brine/door"
	"brine/event"
	"brine/kpi"
	"brine/simulate"
)

// demoCmd shows the main job on this machine.
type demoCmd struct {
	Data    string `default:"./demo-data" help:"Where the demo keeps its data; remove it to begin anew."`
	Public  string `default:"127.0.0.1:8080" help:"Address of the public door."`
	Private string `default:"127.0.0.1:8081" help:"Address of the private door."`
	Days    int    `default:"60" help:"Days of history that it makes up; what befalls the dialog takes 60."`
}

// Help is shown below the flags.
func (*demoCmd) Help() string {
	return `One process with both doors on loopback, 60 days of simulated history on a dashboard, a few simulated users who go on, and a
page with a sign-in dialog to click through. Ctrl-C stops it.

Example:
  brine demo`
}

const (
	mostDays   = 80 // younger than raw events may get
	demoPerDay = 1500
	demoTime   = 365 * 24 * time.Hour // of its guest: as long as it runs
	demoPause  = 2 * time.Second      // mean time between two simulated users
)

// Run shows the demo until it is interrupted.
func (c *demoCmd) Run(g *globals) error {
	if c.Days < 1 || c.Days > mostDays {
		return wrongUse{fmt.Errorf("--days %d: 1 to %d days", c.Days, mostDays)}
	}
	cfg := config.Default()
	cfg.Data, cfg.Public.Addr, cfg.Private.Addr, cfg.Schemas, cfg.Allowlist, cfg.KPI = c.Data, c.Public, c.Private, "", "", filepath.Join(c.Data, "kpi.yaml")
	cfg.Policy.Operator = "Whoever has started this demo"
	registry, err := event.LoadRegistry("")
	if err == nil {
		err = writeDemoKPIs(cfg.KPI)
	}
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(g.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	h, err := openHouse(g.ctx, cfg, registry, logger, houseOptions{role: allRoles, demo: true})
	if err != nil {
		return err
	}
	if err := h.openDoors(); err != nil {
		return closeWith(h, err)
	}
	if err := h.makeHistory(g, c.Days); err != nil {
		return closeWith(h, err)
	}
	users, stopUsers := context.WithCancel(g.ctx)
	defer stopUsers()
	look, ways, err := c.waysIn(h)
	if err != nil {
		return closeWith(h, err)
	}
	err = h.serve(g.ctx, func() {
		fmt.Fprintf(g.stdout, demoText, look, c.Public, ways, c.Data)
		go simulateUsers(users, "http://"+c.Public, logger)
	})
	fmt.Fprintln(g.stdout, "\nStopped. What was collected is in", c.Data)
	return closeWith(h, err)
}

func onLoopback(name, addr string) error {
	if host, _, err := net.SplitHostPort(addr); err != nil || !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("--%s %s: the demo opens its doors on loopback only, like 127.0.0.1:8080", name, addr)
	}
	return nil
}

// demoPage is the page with the dialog. It takes everything from its own origin, and sends there alone.
func demoPage() http.Handler {
	return door.Pages(http.FileServerFS(client.Demo()),
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}

// waysIn says how to look at the dashboard, and how to read on a command line: as a guest, or where somebody has added people to this
// folder, as one of them.
func (c *demoCmd) waysIn(h *house) (look, read string, err error) {
	if !h.gate.SettingUp() {
		return fmt.Sprintf(demoLook, c.Days, "as one of its users", "http://"+c.Private+"/login"), fmt.Sprintf(demoForPeople, c.Data, c.Private), nil
	}
	guest, err := h.invite("demo", osUser(), demoTime)
	return fmt.Sprintf(demoLook, c.Days, "signed in, once", guest.Link), fmt.Sprintf(demoForGuests, guest.Token, c.Private, c.Private), err
}

const demoText = `
Brine is running.

%s  Click through a sign-in dialog     http://%s/demo/
%s  How things stand                   bin/brine status --data %s

A few simulated users sign in every few seconds. Kill this process as hard as you like
(kill -9): what was answered with success is still there when you start it again.
Ctrl-C stops it.
`

// demoLook is of how many days, how, and where.
const demoLook = `  Did the change help? Look at the dashboard of %d days, %s:
                                     %s
`

const demoForGuests = `
  On a command line                  T='Authorization: Bearer %s'
  See what it stored (5 s later)     curl -H "$T" -H 'X-Purpose: demo' http://%s/wsapi/interaction_data/last
  Read all of it as a stream         curl -H "$T" -H 'X-Purpose: demo' -H 'Accept: application/x-ndjson' 'http://%s/api/v1/events/interaction?dataset=raw'
`

const demoForPeople = `
  On a command line, with the role   bin/brine token create --data %s --owner NAME --role raw, and then T='Authorization: Bearer …'
  See what it stored (5 s later)     curl -H "$T" -H 'X-Purpose: demo' http://%s/wsapi/interaction_data/last
`

// makeHistory imports the days before now, once.
func (h *house) makeHistory(g *globals, days int) error {
	held, _, err := h.lake.Summaries(g.ctx)
	if err != nil {
		return err
	}
	for _, s := range held {
		if s.Rows > 0 {
			return nil
		}
	}
	fmt.Fprintf(g.stdout, "Making %d days of simulated history in %s …\n", days, h.cfg.Data)
	r, w := io.Pipe()
	end := time.Now()
	go func() {
		w.CloseWithError(simulate.Config{Seed: 1, Days: days, PerDay: demoPerDay, End: end, Story: simulate.DemoStory(end)}.Write(w))
	}()
	in := showProgress(g, "history", r)
	defer in.done()
	if _, err := importEvents(g.ctx, h.lake, h.streams[event.Interaction], in, h.data.tmp(), oldestImport(h.cfg)); err != nil {
		return err
	}
	return addDemoChanges(h.cfg.Data, h.kpis.Definitions(), simulate.DemoStory(end))
}

// addDemoChanges tells the dashboard of what befell the dialog.
func addDemoChanges(data string, defs *kpi.Definitions, story *simulate.Story) error {
	for _, change := range []kpi.Change{
		{Name: "redesign", Title: "The password screen, redrawn", At: story.Redesign, Moves: "password"},
		{Name: "wording", Title: "A friendlier mail to new people", Experiment: simulate.StoryExperiment,
			Branches: []string{simulate.StoryControl, simulate.StoryTreatment}, Moves: "new_user"},
	} {
		if err := openChanges(data).add(defs, change); err != nil {
			return err
		}
	}
	return nil
}

// writeDemoKPIs writes the shipped file of KPIs with the demo's experiment as a segment more, where there is none yet.
func writeDemoKPIs(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	segment := "segments:\n  " + simulate.StoryExperiment + ":\n    title: Wording of the mail\n    experiment: " + simulate.StoryExperiment + "\n"
	return os.WriteFile(path, []byte(strings.Replace(kpi.ShippedText(), "segments:\n", segment, 1)), 0o600)
}

// simulateUsers lets users come until the context ends, each through the public door like a browser.
func simulateUsers(ctx context.Context, door string, logger *slog.Logger) {
	source := simulate.NewSource(uint64(time.Now().UnixNano()))
	source.Story = simulate.DemoStory(time.Now())
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(rand.ExpFloat64() * float64(demoPause))):
		}
		if err := sendOne(ctx, door, source); err != nil && ctx.Err() == nil {
			logger.Warn("a simulated user could not send", "err", err)
		}
	}
}
