package kpi

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// keptByDefault is what the shipped allowlist keeps.
var keptByDefault = Kept{
	Events: []string{"screen.*", "user.*", "authenticate.*", "staging_continuation", "generate_assertion", "assertion_generated"},
	Fields: []KeptField{
		{Path: "timestamp"}, {Path: "sample_rate"}, {Path: "email_type"}, {Path: "number_emails", Edges: []float64{0, 1, 2, 3, 5, 10}},
		{Path: "number_sites_logged_in", Edges: []float64{0, 1, 2, 3, 5, 10, 20}}, {Path: "new_account"}, {Path: "language"},
		{Path: "screen_size.width", Edges: []float64{320, 480, 640, 768, 1024}},
		{Path: "user_agent.os"}, {Path: "user_agent.browser"}, {Path: "user_agent.version", Hashed: true},
		{Path: "dialog"}, {Path: "release"}, {Path: "experiments", All: true},
	},
}

func TestShippedHasNoMistake(t *testing.T) {
	d, mistakes := Parse(ShippedFile, shipped)
	if mistakes = append(mistakes, d.Check(keptByDefault)...); len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	if len(d.Flows) != 4 || len(d.Segments) != 8 || len(d.KPIs) != 8 {
		t.Errorf("%d flows, %d segments, %d KPIs", len(d.Flows), len(d.Segments), len(d.KPIs))
	}
}

// What the operator does not keep is not asked for by the shipped definitions.
func TestShippedWithoutWhatIsDropped(t *testing.T) {
	less := keptByDefault
	less.Events = []string{"screen.*", "assertion_generated", "staging_continuation", "authenticate.*", "user.user_staged", "user.reset_password_staged"}
	less.Fields = slices.DeleteFunc(slices.Clone(less.Fields), func(f KeptField) bool { return f.Path == "language" || f.Path == "number_emails" })
	d := Shipped().Without(less)
	if mistakes := d.Check(less); len(mistakes) > 0 || len(d.Segments) != 6 || !slices.Equal(d.flowNames(), []string{"sign_in"}) || d.kpi("new_user") >= 0 || d.kpi("sign_in") < 0 {
		t.Errorf("%v %v %v %v", mistakes, d.segmentNames(), d.flowNames(), d.kpiNames())
	}
	if d.Digest == Shipped().Digest || Shipped().Without(keptByDefault).Digest != Shipped().Digest {
		t.Error("the digest does not tell the definitions apart")
	}
	if d := Shipped().Without(Kept{}); len(d.KPIs)+len(d.Flows)+len(d.Segments) > 0 || d.Digest != None().Digest {
		t.Errorf("of nothing there is %+v", d)
	}
}

// Each file of testdata/mistakes is a kpi.yaml; beside it stands what is said of it.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d, mistakes := Parse("kpi.yaml", text)
			got := sorted(append(mistakes, d.Check(keptByDefault)...)).Error() + "\n"
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || got != string(want) {
				t.Errorf("got\n%s\nwant\n%s%v", got, want, err)
			}
		})
	}
}

// An event that is nearly called as one that ships is most likely misspelt. Others, with names of their own, are not.
func TestUnusualEvents(t *testing.T) {
	d, mistakes := Parse("kpi.yaml", []byte(`
flows:
  f: {exclude: [staging_continuatoin], steps: [opened: screen.rp_inof, given: "authenticate.enter_password", phone: {events: [screen.phone, assertion_genrated]}]}
kpis:
  errors: {share: ["screen.error*", "screen.eror*"], better: less, smallest: 1 %}
  own: {share: [screen.phone_error, "user.*"], better: less, smallest: 1 %}
`))
	const want = `kpi.yaml:3: flows.f.exclude: no event of the sign-in dialog is called staging_continuatoin (did you mean staging_continuation?)
kpi.yaml:3: flows.f.steps.opened: no event of the sign-in dialog is called screen.rp_inof (did you mean screen.rp_info?)
kpi.yaml:3: flows.f.steps.phone: no event of the sign-in dialog is called assertion_genrated (did you mean assertion_generated?)
kpi.yaml:5: kpis.errors.share: no event of the sign-in dialog is called screen.eror* (did you mean screen.error*?)`
	if got := d.Unusual(); len(mistakes) > 0 || got.Error() != want {
		t.Errorf("%v\n%v\nwant\n%s", mistakes, got, want)
	}
	if got := Shipped().Unusual(); len(got) > 0 {
		t.Errorf("the shipped ones: %v", got)
	}
}
