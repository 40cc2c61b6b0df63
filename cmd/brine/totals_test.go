package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"brine/config"
	"brine/forward"
	"brine/intake"
	"brine/kpi"
	"brine/publish"
	"brine/sanitize"
)

const publishedKPIs = `
kpis:
  visits: {count: all, better: more, smallest: 1}
publish:
  from: 2026-12-01
  epsilon: {day: 2, all: 365}
  totals:
    visits: {kpi: visits, epsilon: 1}
    installs: {installs: app, epsilon: 1}
`

// What the config does not allow to be published is a mistake, with the reason and what to do; and the policy says what is published.
func TestCheckOfPublish(t *testing.T) {
	const who = "policy: {operator: Example, contact: privacy@example.org}\nkpi: kpi.yaml\n"
	for _, c := range []struct {
		name, config, allowlist, says string
		code                          int
	}{
		{"OK", "streams: {app: {schema: /app/session, unit: app_install, purpose: to see, descriptions: {dt: when, app_install: who}}}", "app: {dt: keep, app_install: hash}", "config ok", exitOK},
		{"NoStream", "", "{}", "kpi.yaml:9: publish.totals.installs.installs: the config has no stream app (known here: interaction)", exitFailed},
		{"NoUnit", "streams: {app: {schema: /app/session, purpose: to see}}", "app: {dt: keep, app_install: hash}",
			"kpi.yaml:9: publish.totals.installs.installs: the stream has no unit: what one install adds to it has no bound (set streams.app.unit in the config)", exitFailed},
		{"Dropped", "streams: {app: {schema: /app/session, unit: app_install, purpose: to see}}", "app: {dt: keep}",
			"the allowlist does not keep app_install, nor a pseudonym of it: what one install adds has no bound (hash_per_stream it there)", exitFailed},
		{"NotListed", "streams: {app: {schema: /app/session, unit: app_install, purpose: to see}}", "{}", "the allowlist does not keep app_install", exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			inFolder(t, map[string]string{"brine.yaml": who + c.config, "kpi.yaml": publishedKPIs, "schemas/session.yaml": appSchema, "allowlist.yaml": c.allowlist})
			stdout, stderr, code := brine(t, "check")
			if code != c.code || !strings.Contains(stdout, c.says) {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if c.code != exitOK {
				return
			}
			for lang, says := range map[string]string{"en": "at /kpi on this server: visits; Installs of app a day.", "de": "höchstens ein Epsilon von 2, alle Tage zusammen dürfen 365"} {
				if text, _, _ := brine(t, "policy", "--lang", lang); !strings.Contains(text, says) {
					t.Error(text)
				}
			}
		})
	}
}

// A first day far back is warned of while nothing was published.
func TestCheckOfEarlyTotals(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "policy: {operator: Example, contact: privacy@example.org}\nkpi: kpi.yaml\n",
		"kpi.yaml": strings.NewReplacer("2026-12-01", "2016-12-01", "    installs: {installs: app, epsilon: 1}\n", "").Replace(publishedKPIs)})
	const warning = "warning: kpi.yaml:5: publish.from: 2016-12-01 is long ago, and nothing was published yet"
	if stdout, stderr, code := brine(t, "check"); code != exitOK || !strings.Contains(stdout, warning) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	check(t, os.Mkdir("data", 0o700))
	ledger, err := publish.OpenLedger(t.Context(), filepath.Join("data", publishFolder))
	check(t, err)
	p := &kpi.Publish{From: "2016-12-01", Zone: time.UTC, Day: 10_000, All: 10_000, Totals: []kpi.Total{{Name: "visits", Epsilon: 10_000}}}
	check(t, ledger.Publish(t.Context(), p, p.From, func() []publish.TotalsOfDay { return nil }))
	if stdout, stderr, _ := brine(t, "check"); strings.Contains(stdout, warning) {
		t.Errorf("%s%s", stdout, stderr)
	}
}

// How many pseudonyms an install may have on a day is counted by the salts that there were, not by what came: also where one was destroyed within its period.
func TestSaltsOf(t *testing.T) {
	cfg := config.Default()
	cfg.Data = t.TempDir()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	folder, err := openSalts(cfg, func() time.Time { return now })
	check(t, err)
	_, err = folder.Rotate(now, false)
	check(t, err)
	now = time.Date(2026, 11, 9, 0, 30, 0, 0, time.UTC)
	_, err = folder.Destroy(folder.Status().Salts[0].Salt)
	check(t, err)
	_, err = folder.Rotate(now, false)
	check(t, err)
	now = now.AddDate(0, 2, 0)
	_, err = folder.Rotate(now, false)
	check(t, err)
	for _, c := range []struct {
		rule string
		date kpi.Date
		want int64
	}{{"hash", "2026-11-07", 1}, {"hash", "2026-11-08", 1}, {"hash_per_stream", "2026-11-09", 2}, {"hash", "2026-11-10", 2}, {"hash", "2026-11-11", 1}, {"hash", "2027-01-01", 2}, {"keep", "2026-11-09", 1}, {"hash", "2020-01-01", 1}} {
		day := c.date.Start(time.UTC)
		names, got, err := saltsOf(sanitize.FieldRule{Rule: c.rule}, folder, day.Add(-25*time.Hour), day.Add(25*time.Hour))
		if err != nil || got != c.want || c.rule != "keep" && len(names) > int(c.want) {
			t.Errorf("%s by %s: %d by %v, %v, want %d", c.date, c.rule, got, names, err, c.want)
		}
	}
}

// A collector shows what a store publishes, asked without a credential; where no store answers it shows the last that it knew, also after a restart.
func TestCollectorShowsTotals(t *testing.T) {
	defs, mistakes := kpi.Parse("kpi.yaml", []byte("kpis: {visits: {count: all, better: more, smallest: 1}}\npublish: {from: 2026-12-01, epsilon: {day: 1, all: 365}, totals: {visits: {kpi: visits, epsilon: 1}}}"))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	ledger, err := publish.OpenLedger(t.Context(), filepath.Join(t.TempDir(), "publish"))
	check(t, err)
	publishDay := func(date kpi.Date) {
		v := 12.0
		check(t, ledger.Publish(t.Context(), defs.Publish, date, func() []publish.TotalsOfDay {
			return []publish.TotalsOfDay{{Name: "visits", Unit: kpi.UnitCount, Epsilon: 10_000, Sensitivity: 1, Cells: []publish.Figure{{Figure: &v, Low: &v, High: &v}}}}
		}))
	}
	publishDay("2026-12-01")
	store := &intake.Receipt{Append: func(context.Context, uuid.UUID, []byte) error { return nil }, Forget: func(string) error { return nil }, Ready: func() error { return nil },
		Known:  func(string, string) bool { return true },
		Totals: (&publish.Publisher{Ledger: ledger, Definitions: func() *kpi.Definitions { return defs }}).ServeEdition}
	check(t, store.Open())
	away := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		store.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	cfg := config.Default()
	cfg.Data = t.TempDir()
	open := func() *house {
		h := &house{cfg: cfg, logger: newLogger(io.Discard)}
		h.forward, err = forward.Open(t.Context(), forward.Options{To: []string{server.URL}, Logger: h.logger})
		check(t, err)
		h.openPublished(t.Context())
		return h
	}
	shown := func(h *house) string {
		w := httptest.NewRecorder()
		(&publish.Pages{Edition: h.edition}).ServeHTTP(w, httptest.NewRequest("GET", "/kpi.csv", nil))
		return w.Body.String()
	}
	h := open()
	if text, p := shown(h), policyPublished(h.edition()); !strings.Contains(text, "2026-12-01,visits,count,,,12,12,12") || p == nil || p.All != 365 || len(p.Totals) != 1 {
		t.Error(text, p)
	}
	publishDay("2026-12-02")
	away = true
	h.published.Refresh(t.Context())
	for name, h := range map[string]*house{"running": h, "restarted": open()} {
		if text := shown(h); !strings.Contains(text, "2026-12-01,") || strings.Contains(text, "2026-12-02,") {
			t.Errorf("%s, no store answers: %s", name, text)
		}
	}
	away = false
	for range 2 { // the second time it is told that nothing changed
		h.published.Refresh(t.Context())
		if text := shown(h); !strings.Contains(text, "2026-12-02,") {
			t.Error(text)
		}
	}
	defs = kpi.None()
	h.published.Refresh(t.Context())
	for name, h := range map[string]*house{"running": h, "restarted": open()} {
		if h.edition() != nil {
			t.Errorf("%s: what is published no more is shown", name)
		}
	}
}
