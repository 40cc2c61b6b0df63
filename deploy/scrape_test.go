package deploy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/door/doortest"
)

const prometheusConfig = `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%[1]s]
scrape_configs:
  - job_name: brine
    authorization: {credentials_file: %[2]s}
    static_configs: [{targets: [%[3]q]}]
  - job_name: stranger
    static_configs: [{targets: [%[3]q]}]
`

// A real Prometheus scrapes a real brine by its token, has its metrics and evaluates the alerts on them; without the token it gets nothing.
func TestPrometheusScrapes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token, brine, addr := filepath.Join(dir, "metrics.token"), doortest.FreeAddr(t), doortest.FreeAddr(t)
	mustWrite(t, token, strings.Repeat("token-for-tests-", 3)+"\n")
	mustWrite(t, filepath.Join(dir, "brine.yaml"), fmt.Sprintf("data: data\npublic: {addr: %q}\nprivate: {addr: %q}\nmetrics: {addr: %q, token_file: %s}\nretention: {min_free: 0}\n",
		doortest.FreeAddr(t), doortest.FreeAddr(t), brine, token))
	started(t, "http://"+brine+"/", exec.Command(binary, "serve", "--config", filepath.Join(dir, "brine.yaml")))
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf(prometheusConfig, rules, token, brine))
	started(t, "http://"+addr+"/-/ready", exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "tsdb"), "--web.listen-address", addr))

	want := map[string]string{`up{job="brine"}`: "1", `up{job="stranger"}`: "0", `count(brine_build_info{job="brine"})`: "1", `brine_check_ok{check="storage"}`: "1",
		`brine_salt_in_force`: "1", `sum(brine_source_ok == 0) or vector(7)`: "7", `count(ALERTS{alertname!="BrineDown"}) or vector(7)`: "7"}
	for query, value := range want {
		deadline := time.Now().Add(time.Minute)
		for got := ""; got != value; time.Sleep(50 * time.Millisecond) {
			if got = answerOf(t, addr, query); time.Now().After(deadline) {
				t.Errorf("%s is %q, want %q", query, got, value)
				break
			}
		}
	}
}

// answerOf is the value that a query has now, "" for none.
func answerOf(t *testing.T, addr, query string) string {
	t.Helper()
	response, err := http.Get("http://" + addr + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusServiceUnavailable {
		return "" // it is starting
	}
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Status != "success" {
		t.Fatalf("%s: %s", query, answer.Error)
	}
	if len(answer.Data.Result) != 1 {
		return ""
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1])
}
