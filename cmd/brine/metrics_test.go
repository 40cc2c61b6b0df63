package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"brine/config"
	"brine/event"
	"brine/lake"
	"brine/metrics"
	"brine/simulate"
)

// scrape is what Prometheus gets of a house.
func (h *house) scrape(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d\n%s", w.Code, w.Body)
	}
	return w.Body.String()
}

// series are the names and labels of a scrape's samples.
func series(scrape string) (all []string) {
	for line := range strings.Lines(scrape) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && !strings.HasPrefix(line, "#") {
			all = append(all, line[:at])
		}
	}
	slices.Sort(all)
	return all
}

// visit opens a session at the public door of the house, and sends one event that is right with it.
func (h *house) visit(t *testing.T, headers map[string]string) (send func(body string)) {
	t.Helper()
	door := h.intake.Handler()
	begin := httptest.NewRecorder()
	door.ServeHTTP(begin, httptest.NewRequest("GET", "/wsapi/session_context", nil))
	var session struct {
		Token string `json:"csrf_token"`
	}
	if err := json.Unmarshal(begin.Body.Bytes(), &session); err != nil {
		t.Fatal(err)
	}
	send = func(data string) {
		r := httptest.NewRequest("POST", "/wsapi/interaction_data", strings.NewReader(`{"csrf":"`+session.Token+`","data":`+data+`}`))
		r.Header.Set("Content-Type", "application/json")
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		r.AddCookie(begin.Result().Cookies()[0])
		door.ServeHTTP(httptest.NewRecorder(), r)
	}
	send(string(simulate.NewSource(1).AppendInteraction(nil, time.Now())))
	return send
}

// planted are values that somebody sends who wants to see them again.
func planted(n int) map[string]string {
	return map[string]string{"address": fmt.Sprintf("203.0.113.%d", n), "agent": fmt.Sprintf("Spyglass%d", n), "id": fmt.Sprintf("5f0c9be2-a71d-4c5e-8f00-0000000000%02d", n),
		"stream": fmt.Sprintf("planted_stream_%d", n), "field": fmt.Sprintf("planted_field_%d", n), "path": fmt.Sprintf("/planted_path_%d", n), "cookie": fmt.Sprintf("planted_cookie_%d", n)}
}

// attack sends what no client should.
func (h *house) attack(t *testing.T, n int) {
	p := planted(n)
	send := h.visit(t, map[string]string{"User-Agent": p["agent"] + "/66.6", "X-Forwarded-For": p["address"], "X-Planted": p["cookie"]})
	for _, data := range []string{`{"` + p["field"] + `":1}`, `{"id":"` + p["id"] + `"}`, `[1,2,"` + p["field"] + `"]`, "{"} {
		send(data)
	}
	door := h.intake.Handler()
	for _, c := range []struct{ method, path, body string }{
		{"GET", p["path"], ""}, {p["agent"], "/wsapi/interaction_data", ""}, {"POST", "/wsapi/interaction_data?" + p["field"], "{}"},
		{"POST", "/v1/events", `{"$schema":"/` + p["field"] + `/1.0.0","meta":{"stream":"` + p["stream"] + `","id":"` + p["id"] + `"}}`},
		{"POST", "/v1/forget", `{"unit":"` + p["id"] + `"}`}, {"POST", "/privacy/opt-out", p["field"]},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.RemoteAddr = p["address"] + ":4711"
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("User-Agent", p["agent"])
		r.AddCookie(&http.Cookie{Name: p["cookie"], Value: p["cookie"]})
		door.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// No value that a client sends gets into a metric, and whatever is sent makes no further series.
func TestMetricsTellOfNobody(t *testing.T) {
	h := mustOpenHouse(t)
	h.attack(t, 1)
	first := h.scrape(t)
	for n := 2; n <= 20; n++ {
		h.attack(t, n)
	}
	last := h.scrape(t)
	if a, b := series(first), series(last); !slices.Equal(a, b) {
		t.Errorf("there were %d series and are %d:\n%v", len(a), len(b), slices.DeleteFunc(b, func(s string) bool { return slices.Contains(a, s) }))
	}
	for n := 1; n <= 20; n++ {
		for what, value := range planted(n) {
			if strings.Contains(last, value) {
				t.Errorf("the %s %s is in a metric", what, value)
			}
		}
	}
	for _, want := range []string{`brine_events_total{result="stored",stream="interaction"} 20`, `brine_events_total{result="refused",stream="(none)"} 20`,
		`brine_http_responses_total{code="404"} 20`, `brine_http_responses_total{code="200"} `} {
		if !strings.Contains(last, want) {
			t.Errorf("no %s in\n%s", want, last)
		}
	}
}

// ofOtherRoles are metrics that a single node has no samples of.
var ofOtherRoles = []*metrics.Family{metrics.ForwardUp, metrics.ForwardGroups, metrics.LogNodeUp, metrics.LogReplicas, metrics.LogDisagreements, metrics.LeaseHeld, metrics.LeaseEpoch,
	metrics.CertificateEnd}

// A house that has worked, with an outlet whose peer is not there, exports every metric that is its own, named as Prometheus's own checks want it.
func TestMetricsOfAHouse(t *testing.T) {
	h := mustOpenHouseWith(t, func(cfg *config.Config) {
		cfg.Outlets.CouchDB.URL, cfg.Outlets.CouchDB.Dataset = "http://127.0.0.1:1/brine", lake.Raw
	})
	h.visit(t, nil)("{}")
	eventually(t, "the mark of the hour, the event and what was refused are in the log", func() bool { return h.lake.Unflushed() >= 3 })
	past := bytes.NewReader(append(simulate.NewSource(2).AppendInteraction(nil, time.Now().Add(-3*time.Hour)), '\n')) // of an hour that is closed
	if _, err := importEvents(t.Context(), h.lake, h.streams[event.Interaction], past, h.data.tmp(), oldestImport(h.cfg)); err != nil {
		t.Fatal(err)
	}
	check(t, h.canaries.Look(t.Context()))
	h.sing(t, 1)
	if _, err := h.salts.Rotate(time.Now(), false); err != nil {
		t.Fatal(err)
	}
	if err := h.outlets[0].Step(t.Context()); err == nil {
		t.Error("nobody listens at port 1, and the outlet gets on")
	}
	all := h.scrape(t)
	for _, f := range metrics.Families() {
		if has, want := strings.Contains(all, "# TYPE "+f.Name+" "+string(f.Kind)+"\n"), !slices.Contains(ofOtherRoles, f); has != want {
			t.Errorf("%s is exported: %t, want %t", f.Name, has, want)
		}
	}
	problems, err := testutil.GatherAndLint(h.metrics.Gatherer())
	if err != nil || len(problems) > 0 {
		t.Error(err, problems)
	}
	for _, want := range []string{"brine_append_seconds_count ", `brine_flush_seconds_count 1`, `brine_log_waiting_entries 0`, `brine_lake_rows{dataset="raw",stream="interaction"} 2`,
		`brine_check_ok{check="storage"} 1`, `brine_check_ok{check="audit"} 1`, `brine_salt_in_force 1`, `brine_salt_faults 0`, `brine_outlet_behind_partitions{outlet="couchdb"} 1`,
		`brine_outlet_lost_partitions{outlet="couchdb"} 0`, `brine_outlet_ok{outlet="couchdb"} 0`, `brine_retention_max_age_seconds{dataset="raw"} 7.776e+06`, "go_goroutines "} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s", want)
		}
	}
	if failed := regexp.MustCompile(`brine_source_ok\{.*\} 0`).FindAllString(all, -1); failed != nil {
		t.Error(failed)
	}
}

// The figures are those of brine status.
func TestMetricsAreThoseOfStatus(t *testing.T) {
	h := mustOpenHouse(t)
	h.visit(t, nil)
	all, st := h.scrape(t), h.status(t.Context())
	for _, want := range []string{fmt.Sprintf("brine_log_waiting_entries %d\n", st.Waiting), fmt.Sprintf("brine_group_bytes_total %d\n", st.Door.GroupBytes),
		fmt.Sprintf("brine_salt_faults %d\n", len(st.Salts.Faults))} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in\n%s", want, all)
		}
	}
	if st.Waiting == 0 || st.Door.GroupBytes == 0 {
		t.Errorf("nothing was stored: %+v", st)
	}
}

// What is broken shows as a check that is 0.
func TestMetricsOfABrokenHouse(t *testing.T) {
	h := mustOpenHouse(t)
	broken := fmt.Errorf("brine.yaml:1: unknown key")
	h.broken.Store(&broken)
	if all := h.scrape(t); !strings.Contains(all, `brine_check_ok{check="config"} 0`) || strings.Contains(all, "unknown key") {
		t.Error(all)
	}
}

func openMetricsDoor(t *testing.T, cfg *config.Config) string {
	t.Helper()
	cfg.Metrics.Addr = "127.0.0.1:0"
	d, err := metricsDoor(cfg, metrics.New("v1").Handler())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.listen(); err != nil {
		t.Fatal(err)
	}
	go d.serve()
	t.Cleanup(func() { d.close() })
	return "http://" + d.listener.Addr().String()
}

func statusOf(t *testing.T, url, authorization string) int {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// The listener of metrics answers them and nothing else, and where there is a token, to who shows it, as the file has it now.
func TestMetricsDoor(t *testing.T) {
	open := openMetricsDoor(t, config.Default())
	if got := [2]int{statusOf(t, open+"/metrics", ""), statusOf(t, open+"/", "")}; got != [2]int{200, 404} {
		t.Error(got)
	}
	cfg := config.Default()
	cfg.Metrics.TokenFile = filepath.Join(t.TempDir(), "metrics.token")
	write := func(token string) {
		if err := os.WriteFile(cfg.Metrics.TokenFile, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, other := strings.Repeat("1", leastToken), strings.Repeat("2", leastToken)
	write(one)
	url := openMetricsDoor(t, cfg) + "/metrics"
	for shown, want := range map[string]int{"": 401, "Bearer " + one: 200, "bearer " + one: 200, "Basic " + one: 401, "Bearer " + other: 401, "Bearer": 401} {
		if got := statusOf(t, url, shown); got != want {
			t.Errorf("%q: %d, want %d", shown, got, want)
		}
	}
	write(other)
	if got := [2]int{statusOf(t, url, "Bearer "+one), statusOf(t, url, "Bearer "+other)}; got != [2]int{401, 200} {
		t.Error(got)
	}
	write("short")
	if got := statusOf(t, url, "Bearer short"); got != 503 {
		t.Error(got)
	}
}

// A token that others may read, or guess, opens no listener, and brine check says so.
func TestMetricsTokenRefused(t *testing.T) {
	cfg := config.Default()
	cfg.Metrics = config.Metrics{Addr: "127.0.0.1:0", TokenFile: filepath.Join(t.TempDir(), "metrics.token")}
	for _, c := range []struct {
		content, says string
		mode          os.FileMode
	}{
		{"", "no such file", 0}, {"short", "at least 32", 0o600}, {strings.Repeat("1", 40), "chmod 600", 0o644},
	} {
		if c.mode != 0 {
			if err := os.WriteFile(cfg.Metrics.TokenFile, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(cfg.Metrics.TokenFile, c.mode); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := metricsDoor(cfg, nil); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q in it", err, c.says)
		}
		var r report
		if r.checkMetrics(cfg); len(r.Mistakes) != 1 || !strings.Contains(r.Mistakes[0].What, c.says) {
			t.Errorf("brine check says %v", r.Mistakes)
		}
	}
}
