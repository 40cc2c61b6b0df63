package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// A changed value of each key is told by the key, an unchanged file by none, in whatever process.
func TestDigests(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "allowlist.yaml")
	kpis := filepath.Join(dir, "kpi.yaml")
	write(t, list, "interaction: drop")
	write(t, kpis, "kpis: {}")
	load := func(yaml string) map[string]string {
		return mustLoad(t, mustWrite(t, "data: "+dir+"\nallowlist: "+list+"\nkpi: "+kpis+"\nschemas: ''\n"+yaml)).Digests()
	}
	const app = "streams: {app: {schema: /app, collect_until: 2026-12-31}}"
	old := load(app)
	if len(old) != reflect.TypeFor[Config]().NumField()-4 { // the unexported ones
		t.Errorf("digests are of %v", old)
	}
	for _, c := range []struct {
		yaml string
		want []string
	}{
		{app, nil},
		{"# a comment\n" + app, nil},
		{"streams: {app: {schema: /app, collect_until: 2027-12-31}}", []string{"streams"}},
		{app + "\nsampling: {interaction: 0.1}", []string{"sampling"}},
		{app + "\npublic: {trusted_proxies: [10.0.0.0/8]}", []string{"public"}},
		{app + "\nretention: {audit: {max_age: 30d}}", []string{"retention"}},
	} {
		if got := Differing(old, load(c.yaml)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.yaml, got, c.want)
		}
	}
	if err := os.WriteFile(list, []byte("interaction: {timestamp: keep}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Differing(old, load(app)); !slices.Equal(got, []string{"allowlist"}) {
		t.Errorf("another allowlist: %v", got)
	}
	old = load(app)
	if err := os.WriteFile(kpis, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Differing(old, load(app)); !slices.Equal(got, []string{"kpi"}) {
		t.Errorf("other KPIs: %v", got)
	}
}
