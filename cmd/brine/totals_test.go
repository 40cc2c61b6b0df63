package main

import (
	"strings"
	"testing"
	"time"

	"brine/kpi"
	"brine/salt"
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
		{"SeveralNodes", "lake: s3://bucket?endpoint=http://127.0.0.1:1&credentials_file=s3\nlog: {nodes: [\"a=a:1\", \"b=b:1\", \"c=c:1\"], cluster: c, name: a, listen: \"127.0.0.1:1\", tls: {cert: brine.yaml, key: brine.yaml, ca: brine.yaml}}", "{}", "publish: the log lies on several nodes, each of which would have its own ledger", exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			inFolder(t, map[string]string{"brine.yaml": who + c.config, "kpi.yaml": publishedKPIs, "schemas/session.yaml": appSchema, "allowlist.yaml": c.allowlist,
				"s3": "[default]\naws_access_key_id = a\naws_secret_access_key = b\n"})
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

// hoursOfDay are those of a UTC day, and the day before.
type hoursOfDay struct{}

func (hoursOfDay) HoursOf(date kpi.Date) (from, to time.Time) {
	from = date.Start(time.UTC)
	return from.Add(-25 * time.Hour), from.Add(25 * time.Hour)
}

// How many pseudonyms an install may have on a day is counted by the salts' periods, not by what came.
func TestSaltsWithin(t *testing.T) {
	for _, c := range []struct {
		period, start string
		date          kpi.Date
		want          int64
	}{{"quarter", "", "2026-11-20", 1}, {"quarter", "", "2026-10-01", 2}, {"quarter", "", "2026-10-02", 2}, {"quarter", "", "2026-10-03", 1}, {"quarter", "", "2026-09-30", 2},
		{"12h", "2026-01-01", "2026-11-20", 6}} {
		periods, err := salt.ParsePeriods(c.period, c.start, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := saltsWithin(periods, hoursOfDay{}, c.date); got != c.want {
			t.Errorf("%s: %d, want %d", c.date, got, c.want)
		}
	}
}
