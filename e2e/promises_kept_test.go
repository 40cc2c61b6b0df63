package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"brine/salt"
)

// Promises of what is kept, for how long, and in what form. What deletes or changes the rules has a brine of its own.

// closedHour is an hour that is over.
func closedHour() time.Time { return time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Hour) }

// appSession is an event that an app sends, with an address that it should not.
func appSession(dt, install string) string {
	return fmt.Sprintf(`{"$schema":"/app/session/1.0.0","dt":%q,"app_install_id":%q,"screens":3,"theme":"dark","client_ip":"203.0.113.9"}`+"\n", dt, install)
}

// take imports events of the app, of so many minutes after a closed hour, and sanitizes.
func (b *brine) take(t *testing.T, install string, minutes ...int) {
	t.Helper()
	var lines strings.Builder
	for _, m := range minutes {
		lines.WriteString(appSession(closedHour().Add(time.Duration(m)*time.Minute).Format(time.RFC3339), install))
	}
	b.must(t, lines.String(), "import", "app_session")
	b.must(t, "", "sanitize")
}

// must runs a command that has to end well.
func (b *brine) must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := b.command(strings.NewReader(stdin), args...)
	if code != 0 {
		t.Fatalf("brine %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// held are the rows of a dataset.
func (b *brine) held(t *testing.T, stream, dataset string) (all []event) {
	t.Helper()
	for line := range strings.Lines(b.must(t, "", "read", stream, "--dataset", dataset, "--purpose", "a test")) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// numbersOf are those in a text.
func numbersOf(text string) (all []int) {
	for _, digits := range number.FindAllString(text, -1) {
		n, _ := strconv.Atoi(digits)
		all = append(all, n)
	}
	return all
}

const aDay = 24 * time.Hour

// purgeAt purges as if it were some days from now.
func (b *brine) purgeAt(t *testing.T, days int) {
	t.Helper()
	b.must(t, "", "purge", "--yes", "--now", time.Now().Add(time.Duration(days)*aDay).UTC().Format(time.RFC3339))
}

// goesInTime wants what is of now to be there a day before what is said, and gone at the end of it.
func goesInTime(stream, dataset string) func(*testing.T, *visit, string) {
	return func(t *testing.T, _ *visit, text string) {
		b := startWithPolicy(t)
		b.take(t, newID(), 0)
		if r := b.session().post(t, `{"timestamp":1,"more":1}`); r.status != 400 {
			t.Fatal(r.status)
		}
		b.waitFlushed()
		b.stop()
		days := numbersOf(text)[0]
		b.purgeAt(t, days-1)
		if n := len(b.held(t, stream, dataset)); n != 1 {
			t.Errorf("%d rows of %s a day before its end", n, dataset)
		}
		b.purgeAt(t, days+1)
		if n := len(b.held(t, stream, dataset)); n != 0 {
			t.Errorf("%d rows of %s after %d days", n, dataset, days)
		}
	}
}

func staysForEver(t *testing.T, _ *visit, text string) {
	b := startWithPolicy(t)
	b.take(t, newID(), 0)
	b.stop()
	b.purgeAt(t, 30*365)
	if n := len(b.held(t, "app_session", "sanitized")); n != 1 || !strings.Contains(text, "without an end") {
		t.Errorf("%d rows after 30 years: %s", n, text)
	}
}

func guardStops(t *testing.T, _ *visit, text string) {
	b := startWithPolicy(t)
	b.take(t, newID(), 0, -60)
	stdout, _, code := b.command(nil, "purge", "--now", time.Now().Add(200*aDay).UTC().Format(time.RFC3339))
	if code != 1 || !strings.Contains(stdout, "stopped by the guard") || !strings.Contains(text, "over 20 %") {
		t.Errorf("exit code %d: %s\n%s", code, stdout, text)
	}
	if n := len(b.held(t, "app_session", "raw")); n != 2 {
		t.Errorf("%d rows of 2", n)
	}
}

// reducedToWhatIsListed compares the rows of the reduced copy with the last column of the page.
func reducedToWhatIsListed(t *testing.T, v *visit, _ string) {
	v.take(t, newID(), 17)
	hour := closedHour()
	v.must(t, fmt.Sprintf(visitBlob, hour.Add(10*time.Minute).UnixMilli()), "import", "interaction")
	v.must(t, "", "sanitize")
	for _, stream := range v.published(t).Policy.Streams {
		listed := map[string]bool{}
		for _, f := range stream.Fields {
			top, _, _ := strings.Cut(f.Path, ".")
			listed[top] = listed[top] || f.Rule != nil
		}
		rows := v.held(t, stream.Name, "sanitized")
		if len(rows) == 0 {
			t.Errorf("no rows of %s", stream.Name)
		}
		for _, row := range rows {
			for name := range row {
				if !listed[name] {
					t.Errorf("%s of %s is kept, and the page says it is not", name, stream.Name)
				}
			}
		}
	}
	row := v.held(t, "app_session", "sanitized")
	last := row[len(row)-1]
	if dt, screens := string(last["dt"]), string(last["screens"]); dt != fmt.Sprintf("%q", hour.Format("2006-01-02T15:04:05Z")) || screens != `"1-4"` {
		t.Errorf("dt is %s, screens is %s", dt, screens)
	}
	page := v.privacy(t, "/privacy?lang=en").body
	for field, words := range map[string]string{"dt": "only which hour it was in", "app_install_id": "replaced by a pseudonym", "screens": "that begin at 1; 5; 20", "theme": "nothing"} {
		if !regexp.MustCompile(`data-field="` + field + `">.*<td data-label="In the reduced copy">[^<]*` + words).Match(page) {
			t.Errorf("of %s it does not say %s", field, words)
		}
	}
	if bytes.Contains(page, []byte(`data-field="client_ip"`)) {
		t.Error("the page lists what is removed")
	}
}

// earlierRulesStay makes a rule coarser: the page says so at once, and old copies change with --tighten alone.
func earlierRulesStay(t *testing.T, _ *visit, _ string) {
	b := startWithPolicy(t)
	b.take(t, newID(), 0)
	b.writeAllowlist("app_session:\n  screens: {bucket: [1, 20]}\n")
	b.eventually(30*time.Second, "the page says the new rules", func() bool {
		page := b.privacy(t, "/privacy?lang=en").body
		return contains(page, "that begin at 1; 20<") && !contains(page, "only which hour")
	})
	today := time.Now().UTC().Format(time.DateOnly)
	b.eventually(30*time.Second, "the new policy is kept", func() bool { return b.privacy(t, "/privacy/history/"+today+".2").status == 200 })
	screens := func() string { return string(b.held(t, "app_session", "sanitized")[0]["screens"]) }
	if got := screens(); got != `"1-4"` {
		t.Errorf("it is %s", got)
	}
	b.must(t, "", "sanitize", "--tighten")
	if got := screens(); got != `"1-19"` {
		t.Errorf("it is %s still", got)
	}
}

func unitIsNamed(t *testing.T, v *visit, text string) {
	if !strings.HasPrefix(text, "app_install_id is an install id") || v.app[0]["app_install_id"] == nil {
		t.Error(text, v.app[0])
	}
}

var pseudonym = regexp.MustCompile(`^"[0-9a-f]{64}"$`)

// idsArePseudonyms wants one for each id, that is not the id.
func idsArePseudonyms(t *testing.T, _ *visit, _ string) {
	b := startWithPolicy(t)
	b.take(t, newID(), 0, 1)
	b.take(t, newID(), 2)
	count := map[string]int{}
	for _, row := range b.held(t, "app_session", "sanitized") {
		id := string(row["app_install_id"])
		if !pseudonym.MatchString(id) {
			t.Error("it is no pseudonym")
		}
		count[id]++
	}
	if len(count) != 2 {
		t.Errorf("%d pseudonyms of 2 ids", len(count))
	}
}

// inForce is the period of the salt in force, by the name of its file.
func (b *brine) inForce(t *testing.T) salt.Period {
	t.Helper()
	b.mustInForce()
	for _, s := range b.salts().Salts {
		if s.State == salt.InForce {
			p, err := salt.ParseName(s.Salt)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	t.Fatal("no salt is in force")
	return salt.Period{}
}

// saltsTurn wants the salt that is there to end, and to be destroyed, as it is said.
func saltsTurn(t *testing.T, _ *visit, text string) {
	b := startWithPolicy(t)
	p := b.inForce(t)
	said := numbersOf(text)
	if len(said) != 2 || p.End.Sub(p.Start) != time.Duration(said[0])*aDay || p.Deletion.Sub(p.End) != time.Duration(said[1])*aDay {
		t.Errorf("%s, and there is %s", text, p.Name())
	}
	b.stop()
	there := func(now time.Time) bool {
		b.must(t, "", "salt", "rotate", "--now", now.Format(time.RFC3339))
		_, err := os.Stat(filepath.Join(b.data, "salts", p.Name()))
		return err == nil
	}
	if !there(p.Deletion.Add(-time.Hour)) || there(p.Deletion) {
		t.Error("the salt is destroyed at another time than is said")
	}
}

func saltsTurnNext(t *testing.T, v *visit, text string) {
	if day := v.inForce(t).End.Format(time.DateOnly); !strings.Contains(text, day) {
		t.Errorf("%s, and it is on %s", text, day)
	}
}

// joinedNoLonger wants nothing to join for longer: neither raw events nor the salt.
func joinedNoLonger(t *testing.T, v *visit, text string) {
	p, most := v.inForce(t), time.Duration(numbersOf(text)[0])*aDay
	if p.Deletion.Sub(p.Start) != most {
		t.Errorf("%s, and there is %s", text, p.Name())
	}
	if raw := time.Duration(numbersOf(v.published(t).statements()["kept_raw"])[0]) * aDay; raw > most {
		t.Errorf("raw events are kept for %s", raw)
	}
}

// forgotten asks for the erasure of one of two installs.
func forgotten(t *testing.T, _ *visit, _ string) {
	b := startWithPolicy(t)
	gone, stays := newID(), newID()
	b.take(t, gone, 0, 1)
	b.take(t, stays, 2)
	b.forget(gone)
	b.eventually(time.Minute, "the install is erased", func() bool {
		return len(b.held(t, "app_session", "raw")) == 1 && len(b.held(t, "app_session", "sanitized")) == 1
	})
	if row := b.held(t, "app_session", "raw")[0]; string(row["app_install_id"]) != fmt.Sprintf("%q", stays) {
		t.Error("the wrong one is erased")
	}
}
