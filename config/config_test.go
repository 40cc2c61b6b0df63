package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// mustWrite writes a brine.yaml into a folder of its own and gives its path.
func mustWrite(tb testing.TB, content string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "brine.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func mustLoad(tb testing.TB, path string) *Config {
	tb.Helper()
	c, err := Load(path)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestLoad(t *testing.T) {
	path := mustWrite(t, `
data: ./store
public:
  addr: "0.0.0.0:443"
  origins: ["https://accounts.example.org"]
  trusted_proxies: [10.0.0.0/8, "::1"]
  csrf_key_file: /etc/brine/csrf.key
  rate_limit: {per_second: 2.5, burst: 10}
  tls: {cert: brine.yaml, key: brine.yaml}
  max_connections: 20
private: {addr: "0.0.0.0:9000", trusted_proxies: [10.0.0.7], tls: {cert: brine.yaml, key: brine.yaml}, max_connections: 10, min_cell: 25}
ldap:
  urls: ["ldaps://ldap.example.org"]
  ca_file: list.yaml
  start_tls: false
  bind_dn: cn=brine,dc=example,dc=org
  bind_password_file: ./list.yaml
  user_base: dc=example,dc=org
  user_filter: (mail=%s)
  group_base: ou=groups,dc=example,dc=org
  roles: {viewer: [cn=v], analyst: [cn=a], raw: [cn=r], privacy: [cn=p, cn=q]}
policy: {operator: Example Foundation, contact: privacy@example.org}
consent: opt-in
opt_out: {dnt: false}
streams:
  app_session: {schema: /analytics/app_session, time: dt, sample_rate: 0.5, collect_until: 2026-12-31}
  other: {schema: /analytics/other, descriptions: {screens: what was opened, meta.dt: {description: when, purpose: to count}}}
sampling: {interaction: 0.25}
salts: {dir: ./salt, period: 90d, start: "2026-06-01", grace: 24h, manage: external}
retention: {raw: {max_age: 100d, max_bytes: 5GB, drop_unsanitized: true}, raw_beyond_90_days: true, sanitized: {max_age: 730d, max_bytes: 1GB}, rejected: {max_age: 36h, max_bytes: 1MB}, audit: {max_age: 48h}, guard: 0.5, min_free: 2GB}
flush: {every: 1m30s, bytes: 64MiB}
metrics: {addr: "0.0.0.0:9001", token_file: metrics.token}
canary: {name: web1, every: 30s}
log: {nodes: ["a=store-a.example.org:6222", "b=10.0.0.2:6222", "c=10.0.0.3:6222"], doors: ["a=store-a.example.org:7000", "b=10.0.0.2:7000", "c=10.0.0.3:7000"], cluster: prod, name: a, listen: "0.0.0.0:6222", replicas: 3, tls: {cert: brine.yaml, key: brine.yaml, ca: brine.yaml}}
lake: s3://bucket/lake?region=eu-1&credentials_file=list.yaml
lake_cache: 2GB
outlets: {couchdb: {url: "https://couch.example.org/brine", user: brine, password_file: ./list.yaml, ca_file: list.yaml, dataset: raw, streams: [other]}}
allowlist: list.yaml
allow_keep_all: true
kpi: list.yaml
`)
	folder := filepath.Dir(path)
	if err := os.Mkdir(filepath.Join(folder, "schemas"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "list.yaml"), "")
	got := mustLoad(t, path)
	want := &Config{
		Data: filepath.Join(folder, "store"),
		Public: Public{
			Addr:           "0.0.0.0:443",
			Origins:        []string{"https://accounts.example.org"},
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
			CSRFKeyFile:    "/etc/brine/csrf.key",
			RateLimit:      RateLimit{PerSecond: 2.5, Burst: 10},
			TLS:            TLS{path, path},
			MaxConnections: 20,
		},
		Private: Private{Addr: "0.0.0.0:9000", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")}, TLS: TLS{path, path}, MaxConnections: 10, MinCell: 25},
		Store:   Store{Addr: "127.0.0.1:8082"},
		LDAP: LDAP{
			URLs: []string{"ldaps://ldap.example.org"}, CAFile: filepath.Join(folder, "list.yaml"),
			BindDN: "cn=brine,dc=example,dc=org", BindPasswordFile: filepath.Join(folder, "list.yaml"),
			UserBase: "dc=example,dc=org", UserFilter: "(mail=%s)", GroupBase: "ou=groups,dc=example,dc=org",
			Roles: Roles{Viewer: []string{"cn=v"}, Analyst: []string{"cn=a"}, Raw: []string{"cn=r"}, Privacy: []string{"cn=p", "cn=q"}},
		},
		Policy:  Policy{Operator: "Example Foundation", Contact: "privacy@example.org"},
		Consent: ConsentOptIn,
		Schemas: filepath.Join(folder, "schemas"),
		Streams: map[string]Stream{
			"app_session": {Schema: "/analytics/app_session", Time: "dt", SampleRate: 0.5, CollectUntil: Until{time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)}},
			"other": {Schema: "/analytics/other", SampleRate: 1, Descriptions: map[string]Description{
				"screens": {Description: "what was opened"}, "meta.dt": {"when", "to count"}}},
		},
		Sampling: map[string]float64{"interaction": 0.25},
		Salts:    Salts{Dir: filepath.Join(folder, "salt"), Period: "90d", Start: "2026-06-01", Grace: 24 * time.Hour, Manage: "external"},
		Retention: Retention{
			Raw: RawLimit{100 * day, 5e9, true}, RawBeyond90Days: true, Sanitized: Limit{730 * day, 1e9}, Rejected: Limit{36 * time.Hour, 1e6},
			Audit: AgeLimit{48 * time.Hour}, Guard: 0.5, MinFree: 2e9},
		Flush: Flush{Every: 90 * time.Second, Bytes: 64 << 20},
		Log: Log{Nodes: []string{"a=store-a.example.org:6222", "b=10.0.0.2:6222", "c=10.0.0.3:6222"},
			Doors: []string{"a=store-a.example.org:7000", "b=10.0.0.2:7000", "c=10.0.0.3:7000"}, Cluster: "prod", Name: "a",
			Listen: "0.0.0.0:6222", Replicas: 3, TLS: LogTLS{path, path, path}},
		Lake:      "s3://bucket/lake?region=eu-1&credentials_file=list.yaml",
		LakeCache: 2e9,
		Metrics:   Metrics{Addr: "0.0.0.0:9001", TokenFile: filepath.Join(folder, "metrics.token")},
		Canary:    Canary{Name: "web1", Every: 30 * time.Second},
		Outlets: Outlets{CouchDB: CouchDB{URL: "https://couch.example.org/brine", User: "brine", PasswordFile: filepath.Join(folder, "list.yaml"), CAFile: filepath.Join(folder, "list.yaml"),
			Dataset: "raw", Streams: []string{"other"}}},
		Allowlist: filepath.Join(folder, "list.yaml"), AllowKeepAll: true,
		KPI:     filepath.Join(folder, "list.yaml"),
		path:    path,
		content: got.content,
		lines:   got.lines,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// An empty file and no file say the same: the defaults.
func TestLoadDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	want := Default()
	want.Schemas, want.Allowlist, want.KPI = "", "", "" // there is no such folder and no such file here
	want.lines = map[string]int{}
	if got := mustLoad(t, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if err := os.WriteFile("brine.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if keys := want.NeedsRestart(mustLoad(t, "brine.yaml")); keys != nil {
		t.Errorf("the empty file changes %v", keys)
	}
	if got := want.CSRFKeyPath(); got != "data/csrf.key" {
		t.Errorf("key of the tokens in %s", got)
	}
	if got := want.SaltsPath(); got != "data/salts" {
		t.Errorf("salts in %s", got)
	}
}

func TestLoadNoFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "brine.yaml"))
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "brine.yaml") {
		t.Error(err)
	}
}

func TestMinFreeBeyondTheDisk(t *testing.T) {
	_, err := Load(mustWrite(t, "\nretention: {min_free: 8EB}"))
	var mistakes Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) != 1 || mistakes[0].Path != "retention.min_free" || mistakes[0].Line != 2 {
		t.Error(err)
	}
}

func TestRate(t *testing.T) {
	c := mustLoad(t, mustWrite(t, `
streams:
  half: {schema: /half, sample_rate: 0.5}
  off: {schema: /off}
sampling: {off: 0}
`))
	for stream, want := range map[string]float64{"interaction": 1, "half": 0.5, "off": 0} {
		if got := c.Rate(stream); got != want {
			t.Errorf("%s: rate %v, want %v", stream, got, want)
		}
	}
	if got := c.StreamNames(); !slices.Equal(got, []string{"half", "interaction", "off"}) {
		t.Error(got)
	}
}

func TestNeedsRestart(t *testing.T) {
	data := t.TempDir()
	load := func(yaml string) *Config { return mustLoad(t, mustWrite(t, "data: "+data+"\n"+yaml)) }
	old := load("streams: {app: {schema: /app}}")
	for _, c := range []struct {
		yaml string
		want []string
	}{
		{"streams: {app: {schema: /app, sample_rate: 0}}", nil},
		{"streams: {app: {schema: /app}}\nsampling: {interaction: 0.1}", nil},
		{"streams: {app: {schema: /new}}\nopt_out: {dnt: false}", []string{"opt_out", "streams"}},
		{"streams: {app: {schema: /app}}\npublic: {trusted_proxies: [10.0.0.0/8]}", []string{"public"}},
		{"flush: {every: 1s}", []string{"streams", "flush"}},
	} {
		if got := old.NeedsRestart(load(c.yaml)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.yaml, got, c.want)
		}
	}
}

func TestUntil(t *testing.T) {
	var u Until
	if err := u.UnmarshalText([]byte("2026-12-31")); err != nil {
		t.Fatal(err)
	}
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	if u.Passed(newYear.Add(-time.Second)) || !u.Passed(newYear) {
		t.Errorf("%s ends at another time than %s", u, newYear)
	}
	if never := (Until{}); never.Passed(newYear) || never.String() != "never" {
		t.Errorf("%s passes", never)
	}
}

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "5s": 5 * time.Second, "48h": 2 * day, "90d": 90 * day, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "-5s", "-1d", "d", "1.5d", "1d24h", "1d-1h", "9999999d", "1w", "1d 2h"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is taken as %s", text, got)
		}
	}
}

func TestMistakeOfAUser(t *testing.T) {
	c := mustLoad(t, mustWrite(t, "\nstreams:\n  app: {schema: /app}"))
	for path, line := range map[string]int{"streams.app.schema": 3, "streams.app.time": 3, "streams": 3, "data": 0} {
		if m := c.Mistake(path, "wrong", "mend it"); m.Line != line || m.File != c.Path() {
			t.Errorf("%s: %v", path, m)
		}
	}
}

// FuzzParse: whatever the file holds, it is taken, or refused with mistakes.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for c := range strings.SplitSeq(string(text), "\n\n") {
			input, _, _ := strings.Cut(c, "----")
			f.Add([]byte(input))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := parse("brine.yaml", content)
		var mistakes Mistakes
		if c == nil || err != nil && !errors.As(err, &mistakes) {
			t.Error(c, err)
		}
	})
}

// A file of credentials is looked for beside the config.
func TestLakeAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brine.yaml")
	write(t, path, "lake: s3://bucket/lake?region=eu-1&credentials_file=keys")
	write(t, filepath.Join(filepath.Dir(path), "keys"), "")
	a, remote, err := mustLoad(t, path).LakeAddress()
	if err != nil || !remote || a.CredentialsFile != filepath.Join(filepath.Dir(path), "keys") || a.Bucket != "bucket" {
		t.Error(a, remote, err)
	}
	if _, remote, err := Default().LakeAddress(); remote || err != nil {
		t.Error(remote, err)
	}
}
