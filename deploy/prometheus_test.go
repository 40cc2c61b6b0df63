package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"brine/metrics"
)

const rulesFile = "prometheus/brine.rules.yml"

// rules are a file of Prometheus's, as far as the tests look at it.
type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Alert       string            `yaml:"alert,omitempty"`
	Record      string            `yaml:"record,omitempty"`
	Expr        string            `yaml:"expr"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

func alerts(t *testing.T) []rule {
	t.Helper()
	var file rules
	if err := yaml.Unmarshal([]byte(mustRead(t, rulesFile)), &file); err != nil || len(file.Groups) != 1 {
		t.Fatal(err, file)
	}
	return file.Groups[0].Rules
}

// Prometheus takes the alerts, and each is raised and stays quiet when it should.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", rulesFile}, {"test", "rules", "prometheus/brine.rules_test.yml"}} {
		if out, errs, code := runs(t, "promtool", args...); code != 0 {
			t.Errorf("promtool %v: exit code %d\n%s%s", args, code, out, errs)
		}
	}
	var cases struct {
		Tests []struct {
			Alerts []struct {
				Name   string `yaml:"alertname"`
				Raised []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal([]byte(mustRead(t, "prometheus/brine.rules_test.yml")), &cases); err != nil {
		t.Fatal(err)
	}
	quiet, raised := map[string]bool{}, map[string]bool{}
	for _, test := range cases.Tests {
		for _, a := range test.Alerts {
			quiet[a.Name] = quiet[a.Name] || len(a.Raised) == 0
			raised[a.Name] = raised[a.Name] || len(a.Raised) > 0
		}
	}
	for _, a := range alerts(t) {
		if !quiet[a.Alert] || !raised[a.Alert] {
			t.Errorf("%s: a test has it quiet: %t, and raised: %t", a.Alert, quiet[a.Alert], raised[a.Alert])
		}
	}
}

// An alert with a mistake is found out: the test above can fail.
func TestAlertsMistake(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"brine.rules.yml": strings.Replace(mustRead(t, rulesFile), "up{job=\"brine\"} == 0", "up{job=\"brine\"} == 1", 1),
		"brine.rules_test.yml": mustRead(t, "prometheus/brine.rules_test.yml"), "broken.yml": strings.Replace(mustRead(t, rulesFile), "== 0", "=== 0", 1)} {
		mustWrite(t, filepath.Join(dir, name), text)
	}
	for _, args := range [][]string{{"test", "rules", dir + "/brine.rules_test.yml"}, {"check", "rules", dir + "/broken.yml"}} {
		if _, _, code := runs(t, "promtool", args...); code == 0 {
			t.Errorf("promtool %v finds nothing", args)
		}
	}
}

// Each alert has its place in the runbook, where its annotation leads, and the runbook has no other.
func TestAlertsHaveARunbook(t *testing.T) {
	var headings []string
	for _, m := range regexp.MustCompile(`(?m)^### (Brine[A-Za-z0-9]+)$`).FindAllStringSubmatch(mustRead(t, "../docs/operations.md"), -1) {
		headings = append(headings, m[1])
	}
	for _, a := range alerts(t) {
		if want := "operations.md#" + strings.ToLower(a.Alert); a.Annotations["runbook"] != want || a.Annotations["summary"] == "" {
			t.Errorf("%s: %v, want the runbook %s", a.Alert, a.Annotations, want)
		}
		at := slices.Index(headings, a.Alert)
		if at < 0 {
			t.Errorf("operations.md does not say what to do about %s", a.Alert)
			continue
		}
		headings = slices.Delete(headings, at, at+1)
	}
	if len(headings) > 0 {
		t.Errorf("operations.md has alerts that there are not: %v", headings)
	}
}

var (
	quoted     = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	metricName = regexp.MustCompile(`\b(?:brine|go|process)_[a-z0-9_]+|\bup\b`)
	known      = regexp.MustCompile(`^(up|process_cpu_seconds_total|process_resident_memory_bytes|go_memstats_heap_inuse_bytes)$`)
)

// named are the metrics of a PromQL expression, a histogram by its own name. One that is not there is an error.
func named(t *testing.T, expr string) (all []string) {
	t.Helper()
	families := map[string]bool{}
	for _, f := range metrics.Families() {
		if f.Kind == metrics.Histogram {
			families[f.Name+"_bucket"], families[f.Name+"_sum"], families[f.Name+"_count"] = true, true, true
		} else {
			families[f.Name] = true
		}
	}
	for _, name := range metricName.FindAllString(quoted.ReplaceAllString(expr, `""`), -1) {
		if !families[name] && !known.MatchString(name) {
			t.Errorf("%s: nobody exports %s", expr, name)
		}
		all = append(all, strings.TrimSuffix(name, "_bucket"))
	}
	if len(all) == 0 {
		t.Errorf("%s asks for no metric", expr)
	}
	return all
}

func TestAlertsAskForWhatIsExported(t *testing.T) {
	for _, a := range alerts(t) {
		named(t, a.Expr)
	}
}

// Grafana's dashboard asks for what is exported, in PromQL that Prometheus takes, and shows every metric.
func TestDashboard(t *testing.T) {
	var board struct {
		Title, UID string
		Panels     []struct {
			ID          int
			Type, Title string
			Description string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal([]byte(mustRead(t, "grafana/brine.json")), &board); err != nil {
		t.Fatal(err)
	}
	var asked rules
	asked.Groups = append(asked.Groups, struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	}{Name: "dashboard"})
	shown, ids, places := map[string]bool{}, map[int]bool{}, map[string]bool{}
	for _, p := range board.Panels {
		place := fmt.Sprint(p.GridPos.X, p.GridPos.Y)
		if ids[p.ID] || places[place] || p.Title == "" || p.Type != "row" && (len(p.Targets) == 0 || p.Description == "") {
			t.Errorf("panel %d, %s: its id or its place is another's, or it shows nothing", p.ID, p.Title)
		}
		ids[p.ID], places[place] = true, true
		for _, target := range p.Targets {
			for _, name := range named(t, target.Expr) {
				shown[name] = true
			}
			expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("%s: %s has a variable that the dashboard lacks", p.Title, target.Expr)
			}
			asked.Groups[0].Rules = append(asked.Groups[0].Rules, rule{Record: fmt.Sprintf("panel:%d:%d", p.ID, len(asked.Groups[0].Rules)), Expr: expr})
		}
	}
	text, err := yaml.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := runs(t, "promtool", "check", "rules", path); code != 0 || !strings.Contains(out, fmt.Sprintf("%d rules found", len(asked.Groups[0].Rules))) {
		t.Errorf("promtool: exit code %d\n%s%s", code, out, errs)
	}
	for _, f := range metrics.Families() {
		if !shown[f.Name] {
			t.Errorf("the dashboard does not show %s", f.Name)
		}
	}
}
