package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// promises are all statements that the page of [policyConfig] makes, each with what has to be so. A statement that is added
// to the page needs its line here.
var promises = map[string]func(t *testing.T, v *visit, text string){
	"operator":         says("Example Foundation"),
	"contact":          says("privacy@brine.example"),
	"collected_only":   onlyListedFields,
	"interaction_what": oneRecordForEachUse,
	"sampling":         allAreTaken,
	"app.sampling":     says("All"),
	"received":         receivedIsCoarse,
	"app.received":     appReceivedIsCoarse,

	"app.stream_purpose": says("to see how often the app is used"),
	"app.until":          says("2099-12-31"),
	"app.unit":           unitIsNamed,

	"precision_time":    timesAreCoarse,
	"precision_offsets": offsetsAreExact,
	"precision_browser": browserIsCoarse,
	"precision_apps":    appTimesAreKept,

	"no_address":  nothingTells,
	"no_agent":    nothingTells,
	"no_cookie":   nothingTells,
	"no_referrer": nothingTells,
	"no_account":  noFieldForAPerson,

	"cookie_session": sessionCookieIsNarrow,
	"cookie_optout":  noIsRememberedFor,

	"storage_choice":  choiceIsStored,
	"waiting":         waitsNoLonger,
	"storage_lease":   leaseWhileSending,
	"storage_sent":    lastHoursSends,
	"storage_dropped": lossesAreCounted,
	"storage_next":    wordForTheNext,
	"storage_install": installUntilForgotten,
	"storage_no":      noEmptiesStorage,

	"kept_log":        logIsEmptied,
	"kept_raw":        goesInTime("app_session", "raw"),
	"kept_sanitized":  staysForEver,
	"kept_rejected":   goesInTime("interaction", "rejected"),
	"kept_quarantine": says("for 90 days"),
	"kept_guard":      guardStops,
	"reduced":         reducedToWhatIsListed,
	"reduced_before":  earlierRulesStay,

	"interaction_unfindable": nothingJoinsTwoUses,
	"pseudonyms":             idsArePseudonyms,
	"salts":                  saltsTurn,
	"salts_next":             saltsTurnNext,
	"joined_for":             joinedNoLonger,
	"forget":                 forgotten,
	"readers_users":          readersAreUsers,
	"readers_recorded":       readsAreRecorded,
	"published":              totalsAreShown,
	"published_noise":        noiseIsAsSaid,
	"stores_none":            noOtherStore,

	"consent":       silenceTakesPart,
	"choice_button": buttonWorks,
	"choice_gpc":    signalIsANo("Sec-GPC"),
	"choice_dnt":    signalIsANo("DNT"),
	"choice_effect": noIsLookedAtFirst,
	"choice_past":   noDoesNotReachBack,
}

// Every sentence of the page is true of the program that shows it.
func TestEveryPromiseIsHeld(t *testing.T) {
	t.Parallel() // it waits
	b := startWithPolicy(t, `public: {trusted_proxies: ["127.0.0.1/32"]}`)
	v := newVisit(t, b)
	said := b.published(t).statements()
	for id, text := range said {
		t.Run(id, func(t *testing.T) {
			b.tb = t // what fails in it fails this promise
			check, ok := promises[id]
			if !ok {
				t.Fatalf("nothing holds it to %q", text)
			}
			check(t, v, text)
		})
	}
	b.tb = t
	for id := range promises {
		if said[id] == "" {
			t.Errorf("%s is held, and not said", id)
		}
	}
}

// visit is two uses of a dialog and one of an app, by someone who can be told by what a request bears.
type visit struct {
	*brine
	*secrets
	rows, app []event
}

const visitBlob = `{"timestamp":%d,"event_stream":[["screen.authenticate",732],["picker::signin",2301,1999]],"language":"pt-BR","sample_rate":1}`

func newVisit(t *testing.T, b *brine) *visit {
	t.Helper()
	v := &visit{brine: b, secrets: &secrets{}}
	p := v.arrive(t, b, 1)
	p.agent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.7) Gecko/20100101 Firefox/130.7 TellTale/1"
	v.agents = append(v.agents, p.agent)
	for range 2 {
		blob := fmt.Sprintf(visitBlob, time.Now().UnixMilli())
		if status := p.send(t, p.envelope(blob), nil); status != 200 {
			t.Fatal(status)
		}
	}
	if status := p.send(t, p.envelope(p.with(`"password":%q`, p.email())), nil); status != 400 {
		t.Fatal(status)
	}
	stdout, stderr, code := b.command(strings.NewReader(appSession(appTime, newID())), "import", "app_session")
	if code != 0 {
		t.Fatal(stdout, stderr)
	}
	v.rows, v.app = b.readAll("interaction"), b.readAll("app_session")
	if len(v.rows) != 2 || len(v.app) != 1 {
		t.Fatalf("%d rows of dialogs, %d of apps", len(v.rows), len(v.app))
	}
	return v
}

// appTime is as exact as an app sends it, and within the raw window.
var appTime = time.Now().UTC().AddDate(0, 0, -80).Truncate(time.Hour).Add(7123 * time.Millisecond).Format("2006-01-02T15:04:05.000Z")

// post sends one more blob, in a session of its own.
func (v *visit) post(t *testing.T, blob string, headers ...string) int {
	t.Helper()
	p := v.arrive(t, v.brine, 2)
	return p.send(t, p.envelope(blob), func(r *http.Request) {
		for pair := range slices.Chunk(headers, 2) {
			r.Header.Set(pair[0], pair[1])
		}
	})
}

func says(words string) func(*testing.T, *visit, string) {
	return func(t *testing.T, _ *visit, text string) {
		if !strings.Contains(text, words) {
			t.Error(text)
		}
	}
}

func onlyListedFields(t *testing.T, v *visit, _ string) {
	for _, stream := range v.published(t).Policy.Streams {
		rows := v.rows
		if stream.Name != "interaction" {
			rows = v.app
		}
		for name := range rows[0] {
			listed := slices.ContainsFunc(stream.Fields, func(f listedField) bool { return f.Path == name })
			if !listed && name != "received" {
				t.Errorf("%s is stored, and %s lists no such field", name, stream.Name)
			}
		}
	}
	if status := v.post(t, `{"timestamp":1,"more":1}`); status != 400 {
		t.Errorf("another field is answered %d", status)
	}
}

func oneRecordForEachUse(t *testing.T, v *visit, _ string) {
	before := len(v.readAll("interaction"))
	once := blob(newID())
	v.session().mustStore(t, once, once)
	if n := len(v.readAll("interaction")) - before; n != 1 {
		t.Errorf("%d rows of one use", n)
	}
}

func allAreTaken(t *testing.T, v *visit, text string) {
	if s := v.session(); s.rate != 1 || !strings.Contains(text, "All") {
		t.Errorf("the rate is %v: %s", s.rate, text)
	}
}

func receivedIsCoarse(t *testing.T, v *visit, _ string)    { mustBeSlot(t, v.rows[0]["received"]) }
func appReceivedIsCoarse(t *testing.T, v *visit, _ string) { mustBeSlot(t, v.app[0]["received"]) }
func timesAreCoarse(t *testing.T, v *visit, _ string)      { mustBeSlot(t, v.rows[0]["timestamp"]) }

func mustBeSlot(t *testing.T, value json.RawMessage) {
	t.Helper()
	var ms int64
	if err := json.Unmarshal(value, &ms); err != nil || ms == 0 || ms%600_000 != 0 {
		t.Errorf("%s is no multiple of 10 minutes", value)
	}
}

func offsetsAreExact(t *testing.T, v *visit, _ string) {
	if got := string(v.rows[0]["event_stream"]); got != `[["screen.authenticate",732],["picker::signin",2301,1999]]` {
		t.Error(got)
	}
}

func browserIsCoarse(t *testing.T, v *visit, _ string) {
	if got := string(v.rows[0]["user_agent"]); got != `{"os":"Linux","browser":"Firefox","version":"130"}` {
		t.Error(got)
	}
}

func appTimesAreKept(t *testing.T, v *visit, _ string) {
	if got := string(v.app[0]["dt"]); got != fmt.Sprintf("%q", appTime) {
		t.Error(got)
	}
}

// nothingTells looks at all that was printed, at every byte in the data folder, and at every row.
func nothingTells(t *testing.T, v *visit, _ string) {
	v.checkPrivacy(v.secrets)
	for _, dataset := range []string{"raw", "rejected"} {
		stdout, stderr, code := v.command(nil, "read", "interaction", "--dataset", dataset, "--purpose", "a test")
		if code != 0 || stdout == "" {
			t.Fatalf("%s: exit code %d %s", dataset, code, stderr)
		}
		v.mustNotHold(t, dataset, []byte(stdout), v.never, v.agents, telltales)
	}
}

// noFieldForAPerson tries to get an address into every text that a dialog may send, and into fields that there might be.
func noFieldForAPerson(t *testing.T, v *visit, _ string) {
	names := []string{"name", "email", "user", "user_id", "account", "password", "text"}
	for _, f := range v.published(t).Policy.Streams[0].Fields {
		if f.Type == "string" && !strings.Contains(f.Path, ".") {
			names = append(names, f.Path)
		}
	}
	for _, name := range names {
		if status := v.post(t, fmt.Sprintf(`{"timestamp":%d,"event_stream":[],"sample_rate":1,%q:"someone@example.org"}`, time.Now().UnixMilli(), name)); status != 400 {
			t.Errorf("%s takes an address: %d", name, status)
		}
	}
}

func sessionCookieIsNarrow(t *testing.T, v *visit, _ string) {
	got := v.privacy(t, "/wsapi/session_context").header.Get("Set-Cookie")
	if !regexp.MustCompile(`^brine_session=[\w-]{22}; Path=/wsapi; HttpOnly; SameSite=Lax$`).MatchString(got) {
		t.Error(got)
	}
	if status := v.post(t, blob(newID()), "Cookie", ""); status != 403 {
		t.Errorf("without the cookie: %d", status)
	}
}

var number = regexp.MustCompile(`\d+`)

func noIsRememberedFor(t *testing.T, v *visit, text string) {
	cookie := v.request(t, "POST", "/privacy/opt-out", `{"opted_out":true}`, "Content-Type", "application/json").header["Set-Cookie"]
	var days int
	fmt.Sscan(number.FindString(text), &days)
	if !slices.Contains(cookie, fmt.Sprintf("brine_optout=1; Path=/; Max-Age=%d; SameSite=Lax", days*86400)) {
		t.Errorf("%q, and it says %s", cookie, text)
	}
}

// logIsEmptied wants what has been flushed to be gone from the log, long before it says.
func logIsEmptied(t *testing.T, v *visit, _ string) {
	id := newID()
	v.session().mustStore(t, blob(id))
	v.waitFlushed()
	v.eventually(30*time.Second, "the log lets go of what is flushed", func() bool { return !v.logHolds(t, id) })
}

func (b *brine) logHolds(t *testing.T, text string) (found bool) {
	t.Helper()
	for path := range b.files() {
		name, err := filepath.Rel(b.data, path)
		if err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(path); err == nil && strings.HasPrefix(name, "log") && strings.Contains(string(content), text) {
			return true
		}
	}
	return false
}

// nothingJoinsTwoUses compares two uses of one session: but for the ids, which are random, they say the same.
func nothingJoinsTwoUses(t *testing.T, v *visit, _ string) {
	one, two := v.rows[0].id(), v.rows[1].id()
	random := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if one == two || !random.MatchString(one) || !random.MatchString(two) {
		t.Errorf("the ids are %s and %s", one, two)
	}
	for name := range v.rows[0] {
		if !slices.Contains([]string{"id", "timestamp", "received", "event_stream", "language", "sample_rate", "user_agent"}, name) {
			t.Errorf("%s is in it, and was not sent", name)
		}
	}
}

func readersAreUsers(t *testing.T, v *visit, _ string) {
	for _, route := range []string{"/api/v1/events/interaction", allRaw, "/wsapi/interaction_data", "/api/v1/audit", "/api/v1/status"} {
		v.wantStatus("", route, http.StatusUnauthorized)
		v.wantStatus("brine_"+strings.Repeat("A", 43), route, http.StatusUnauthorized)
	}
	metricsAreForWhoRunsTheServer(t, v)
	config := filepath.Join(t.TempDir(), "brine.yaml")
	if err := os.WriteFile(config, []byte(`private: {addr: "0.0.0.0:8081"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, _, code := runBrine(t, nil, "check", "--config", config); code != 1 || !strings.Contains(stdout, "private.tls") {
		t.Errorf("passwords may travel in the open: exit code %d: %s", code, stdout)
	}
}

// metricsAreForWhoRunsTheServer has counters of everything for this machine, and for nobody whom a proxy lets through.
func metricsAreForWhoRunsTheServer(t *testing.T, v *visit) {
	for passedOn, want := range map[string]int{"": http.StatusOK, "192.0.2.1": http.StatusUnauthorized} {
		r, err := http.NewRequest(http.MethodGet, v.private+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if passedOn != "" {
			r.Header.Set("X-Forwarded-For", passedOn)
		}
		res, err := plain.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want {
			t.Errorf("metrics passed on for %q: %d, %v", passedOn, res.StatusCode, err)
		}
		for _, row := range v.rows {
			if strings.Contains(string(body), row.id()) {
				t.Error("an id is in the metrics")
			}
		}
	}
}

func readsAreRecorded(t *testing.T, v *visit, _ string) {
	before := len(v.entries("--action", "read-begin"))
	v.wantStatus(v.token(), allRaw+"&from=2026-01-01T00:00:00Z", http.StatusOK)
	all := v.entries("--action", "read-begin")
	if len(all) != before+1 {
		t.Fatalf("%d records of a read", len(all)-before)
	}
	e := all[0]
	if e.Who == "" || e.Time.IsZero() || e.Dataset != "raw" || e.Stream != "interaction" || e.From.IsZero() || e.Purpose != "a test" {
		t.Errorf("the record is %+v", e)
	}
}

// noOtherStore wants nothing to go elsewhere that the page does not tell of: this brine has no outlet, and a config with one says so.
func totalsAreShown(t *testing.T, v *visit, text string) {
	if page := v.privacy(t, "/kpi"); page.status != 200 || !strings.Contains(string(page.body), "Visits a day") || !strings.Contains(text, "Visits a day") {
		t.Errorf("status %d: %s", page.status, text)
	}
}

func noiseIsAsSaid(t *testing.T, v *visit, text string) {
	var shown struct{ Epsilon struct{ Day, All float64 } }
	if err := json.Unmarshal(v.privacy(t, "/kpi.json").body, &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Epsilon.Day != 1.5 || shown.Epsilon.All != 365 || !strings.Contains(text, "epsilon of 1.5") || !strings.Contains(text, "spend 365") {
		t.Errorf("%+v: %s", shown, text)
	}
}

func noOtherStore(t *testing.T, v *visit, _ string) {
	if out, _, code := v.command(nil, "status"); code != 0 || strings.Contains(out, "outlet") {
		t.Errorf("exit code %d: %s", code, out)
	}
	config := filepath.Join(t.TempDir(), "brine.yaml")
	if err := os.WriteFile(config, []byte(`outlets: {couchdb: {url: "http://127.0.0.1:5984/brine", dataset: raw}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _, code := runBrine(t, nil, "policy", "--config", config)
	if code != 0 || !strings.Contains(stdout, "CouchDB receives this too: Records as they were sent") || strings.Contains(stdout, "Nowhere") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
}

func silenceTakesPart(t *testing.T, v *visit, _ string) {
	if body := v.privacy(t, "/wsapi/session_context").body; !contains(body, `"consent":"opt-out"`, `"opted_out":false`) {
		t.Errorf("%s", body)
	}
}

var formToken = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func buttonWorks(t *testing.T, v *visit, _ string) {
	for _, c := range []struct{ cookie, choice, sets string }{
		{"", "true", "brine_optout=1; Path=/; Max-Age=34560000; SameSite=Lax"},
		{"brine_optout=1", "false", "brine_optout=; Path=/; Max-Age=0; SameSite=Lax"},
	} {
		page := v.privacy(t, "/privacy", "Cookie", c.cookie)
		token := formToken.FindSubmatch(page.body)
		if token == nil || !contains(page.body, `name="opted_out" value="`+c.choice+`"`) {
			t.Fatalf("%s", page.body)
		}
		form := url.Values{"csrf": {string(token[1])}, "opted_out": {c.choice}}.Encode()
		got := v.request(t, "POST", "/privacy/opt-out?lang=de", form, "Content-Type", "application/x-www-form-urlencoded", "Cookie", c.cookie)
		if got.status != 303 || got.header.Get("Location") != "/privacy?lang=de" || !slices.Contains(got.header["Set-Cookie"], c.sets) {
			t.Errorf("%d %v", got.status, got.header)
		}
	}
}

func signalIsANo(header string) func(*testing.T, *visit, string) {
	return func(t *testing.T, v *visit, text string) {
		id := newID()
		if status := v.post(t, blob(id), header, "1"); status != 204 || !strings.Contains(text, header) {
			t.Errorf("%d: %s", status, text)
		}
		v.mustNotHave(t, id)
	}
}

func (v *visit) mustNotHave(t *testing.T, id string) {
	t.Helper()
	for _, row := range v.readAll("interaction") {
		if row.id() == id {
			t.Error("it is stored")
		}
	}
}

// noIsLookedAtFirst sends what is wrong in every way but for the no.
func noIsLookedAtFirst(t *testing.T, v *visit, _ string) {
	got := v.request(t, "POST", "/wsapi/interaction_data", "not JSON"+strings.Repeat("x", 300<<10), "Cookie", "brine_optout=1", "Content-Encoding", "odd")
	if got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	id := newID()
	if status := v.post(t, blob(id), "Cookie", "brine_optout=1"); status != 204 {
		t.Error(status)
	}
	v.mustNotHave(t, id)
}

func noDoesNotReachBack(t *testing.T, v *visit, _ string) {
	noIsRememberedFor(t, v, "400")
	if rows := v.readAll("interaction"); !slices.ContainsFunc(rows, func(e event) bool { return e.id() == v.rows[0].id() }) {
		t.Error("what was recorded before is gone")
	}
}
