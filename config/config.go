// Package config reads brine.yaml: every key with its default, its unit and its check.
//
// It imports access/private, door, event, salt, access/ldap and lake/store of the house. A file's bytes come in; a [Config] whose every value has
// been checked goes out, or all the [Mistakes] of the file at once, each with its line and the
// likely fix. [Config.Watch] does the same again whenever the file changes.
package config

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"brine/event"
	"brine/mistake"
)

// Config is one brine.yaml, read and checked, or [Default]. Times are durations, sizes are bytes,
// and relative paths have been taken from the folder of the file.
type Config struct {
	Data      string             `yaml:"data"`       // folder of everything Brine stores; default ./data
	Public    Public             `yaml:"public"`     // the door that browsers and apps send to
	Private   Private            `yaml:"private"`    // the door that readers read from
	Store     Store              `yaml:"store"`      // the receipt door, that collectors send to
	Forward   Forward            `yaml:"forward"`    // where a collector sends to
	LDAP      LDAP               `yaml:"ldap"`       // the directory that says who may read
	Policy    Policy             `yaml:"policy"`     // who answers for the collection, as the policy page says it
	Consent   Consent            `yaml:"consent"`    // whether a person is asked before or may say no after; default opt-out
	OptOut    OptOut             `yaml:"opt_out"`    // which signals of a person mean no
	Schemas   string             `yaml:"schemas"`    // folder of JSON Schemas; default ./schemas where there is one, else ""
	Streams   map[string]Stream  `yaml:"streams"`    // streams beside interaction; default none
	Sampling  map[string]float64 `yaml:"sampling"`   // rate by stream, 0 stops it; see [Config.Rate]
	Salts     Salts              `yaml:"salts"`      // the keys of pseudonyms
	Retention Retention          `yaml:"retention"`  // how much is kept
	Flush     Flush              `yaml:"flush"`      // when the log goes to the lake
	Log       Log                `yaml:"log"`        // on which nodes the log lies
	Lake      string             `yaml:"lake"`       // an object store, like s3://bucket/prefix?region=eu-central-1; default "", <data>/lake
	LakeCache Bytes              `yaml:"lake_cache"` // of copies on the local disk, of a lake in an object store; default 1GB
	Metrics   Metrics            `yaml:"metrics"`    // where Prometheus asks, beside the private door
	Canary    Canary             `yaml:"canary"`     // what a process that collects sends by itself, to show that it arrives

	Outlets Outlets `yaml:"outlets"` // databases of others with a copy

	Allowlist    string `yaml:"allowlist"`      // what is kept for years; default ./allowlist.yaml where there is one, else ""
	AllowKeepAll bool   `yaml:"allow_keep_all"` // the allowlist may say keep_all; default false
	KPI          string `yaml:"kpi"`            // what is measured; default ./kpi.yaml where there is one, else "", which is what ships with Brine

	handed  Mistakes       // see [Config.Handed]
	path    string         // the file, "" for none
	content []byte         // what it held
	lines   map[string]int // line of each key that the file gives a value
}

// Public is the public door.
type Public struct {
	Addr           string         `yaml:"addr"`            // host:port; default 127.0.0.1:8080
	Origins        []string       `yaml:"origins"`         // sites whose pages may send, like https://accounts.example.org; default none but its own
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"` // whose X-Forwarded-For is believed; default nobody's
	CSRFKeyFile    string         `yaml:"csrf_key_file"`   // key of the tokens; default "", see [Config.CSRFKeyPath]
	RateLimit      RateLimit      `yaml:"rate_limit"`      // for each client address
	TLS            TLS            `yaml:"tls"`             // default none: a proxy before the door speaks it
	MaxConnections int            `yaml:"max_connections"` // at once; one more waits; one address has a quarter at most; default 10000
}

// TLS names the files of a certificate and its key, both or neither.
type TLS struct {
	Cert string `yaml:"cert"` // PEM: the door's certificate, then those that link it to a root; default ""
	Key  string `yaml:"key"`  // PEM, which its owner alone may read; default ""
}

// On is whether there is a certificate.
func (t TLS) On() bool { return t.Cert != "" && t.Key != "" }

// RateLimit is a token bucket.
type RateLimit struct {
	PerSecond float64 `yaml:"per_second"` // requests a second, 0 for no limit; default 50
	Burst     int     `yaml:"burst"`      // requests at once; default 200
}

// Private is the private door.
type Private struct {
	Addr           string         `yaml:"addr"`            // host:port, on loopback unless there is TLS; default 127.0.0.1:8081
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"` // whose X-Forwarded-For is believed; default nobody's
	TLS            TLS            `yaml:"tls"`             // default none
	MaxConnections int            `yaml:"max_connections"` // as for public; default 500
	MinCell        int            `yaml:"min_cell"`        // below the role analyst no figure rests on fewer interactions; default 10
}

// Metrics is a listener that answers GET /metrics and nothing else, for roles without a private door and for scrapes from elsewhere.
type Metrics struct {
	Addr      string `yaml:"addr"`       // host:port, on loopback unless there is a token; default "", none
	TokenFile string `yaml:"token_file"` // what a scrape must show as its bearer token, at least 32 characters, read anew each time; default "", none is asked for
}

// Policy says who answers for the collection. Both are shown as they are; brine check warns where one is empty.
type Policy struct {
	Operator string `yaml:"operator"` // name of whoever runs this Brine; default ""
	Contact  string `yaml:"contact"`  // where people may ask: a mail address, a web address or a postal one; default ""
}

// Consent is what a person's silence means.
type Consent string

// The two kinds of consent.
const (
	ConsentOptOut Consent = "opt-out" // what is collected is told, and a no ends it
	ConsentOptIn  Consent = "opt-in"  // nothing is collected before a yes
)

// OptOut says which signals, beside the opt-out cookie and Sec-GPC, are taken as a no.
type OptOut struct {
	DNT bool `yaml:"dnt"` // the header DNT: 1; default true
}

// Stream is one kind of app event. Of the built-in interaction only purpose and collect_until are set here.
type Stream struct {
	Schema       string   `yaml:"schema"`        // $id of its JSON Schema without the version, like /analytics/mobile_apps/app_session; no default
	Time         string   `yaml:"time"`          // the field that holds an event's time, like meta.dt; default "", the first there is of dt, timestamp, meta.dt
	Unit         string   `yaml:"unit"`          // the field that holds the install id, by which an install is in the sample or out of it; default "", the stream has none
	Purpose      string   `yaml:"purpose"`       // what it is collected for, as the policy page says it; default ""
	SampleRate   float64  `yaml:"sample_rate"`   // 0, or 0.0001 to 1; default 1. Read it by [Config.Rate]
	CollectUntil Until    `yaml:"collect_until"` // the last day of collection; default never
	KeepFields   []string `yaml:"keep_fields"`   // names of fields that are kept though they hold a client's address or headers, like client_ip; default none

	// Descriptions are for fields that their schema does not describe, by path, like meta.dt: what the
	// policy page says of them. Where the schema has words too, these stand.
	Descriptions map[string]Description `yaml:"descriptions"`
}

// Description is what a field holds, and what it is for. In the file it is both, or a text, which is the first.
type Description struct {
	Description string `yaml:"description"`
	Purpose     string `yaml:"purpose"`
}

// Flush says when the log goes to the lake: after a time, or sooner with three quarters of the most that goes at once.
type Flush struct {
	Every time.Duration `yaml:"every"` // default 5s
	Bytes Bytes         `yaml:"bytes"` // of the log that go at once; default 32MB
}

// The defaults that depend on the disk: they stand where the folder, or the file, is there.
const (
	defaultSchemas   = "schemas"
	defaultAllowlist = "allowlist.yaml"
	defaultKPI       = "kpi.yaml"
)

// Default is the config without a file.
func Default() *Config {
	return &Config{
		Data: "data",
		Public: Public{
			Addr:      "127.0.0.1:8080",
			RateLimit: RateLimit{PerSecond: 50, Burst: 200}, MaxConnections: 10_000,
		},
		Private:   Private{Addr: "127.0.0.1:8081", MaxConnections: 500, MinCell: 10},
		Store:     Store{Addr: "127.0.0.1:8082"},
		LDAP:      defaultLDAP(),
		Consent:   ConsentOptOut,
		OptOut:    OptOut{DNT: true},
		Schemas:   defaultSchemas,
		Streams:   map[string]Stream{},
		Sampling:  map[string]float64{},
		Salts:     defaultSalts(),
		Retention: defaultRetention(),
		Outlets:   defaultOutlets(),
		Flush:     Flush{Every: 5 * time.Second, Bytes: 32e6},
		Log:       Log{Replicas: defaultReplicas},
		LakeCache: 1e9,
		Canary:    Canary{Every: time.Minute},
		Allowlist: defaultAllowlist,
		KPI:       defaultKPI,
	}
}

// defaultRate is the sample rate of a stream for which the file has none.
const defaultRate = 1.0

// Load reads and checks the file; "" gives the defaults, with paths from the working folder.
// A file with mistakes gives all of them, as [Mistakes], and what could be read of the config beside
// them: not to run by, but to look for more mistakes in what it names.
func Load(path string) (*Config, error) {
	if path == "" {
		return parse("", nil)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the config file: %w", err)
	}
	return parse(path, content)
}

func parse(path string, content []byte) (*Config, error) {
	c := Default()
	d := newDecoder(path)
	c.path, c.content, c.lines = path, content, d.lines
	d.document(content, c)
	c.complete(d)
	c.check(d)
	d.handed.Sort()
	c.handed = d.handed
	if len(d.mistakes) > 0 {
		d.mistakes.Sort()
		return c, d.mistakes
	}
	return c, nil
}

// complete sets the defaults that rest on other keys, and makes paths relative to the file's folder.
func (c *Config) complete(d *decoder) {
	for name, s := range c.Streams {
		if !d.set(mistake.Join(mistake.Join("streams", name), "sample_rate")) {
			s.SampleRate = defaultRate
		}
		c.Streams[name] = s
	}
	folder := filepath.Dir(c.path)
	for _, p := range []*string{&c.Data, &c.Schemas, &c.Public.CSRFKeyFile, &c.Public.TLS.Cert, &c.Public.TLS.Key, &c.Private.TLS.Cert, &c.Private.TLS.Key,
		&c.Log.TLS.Cert, &c.Log.TLS.Key, &c.Log.TLS.CA, &c.Salts.Dir, &c.Allowlist, &c.KPI, &c.LDAP.CAFile, &c.LDAP.BindPasswordFile, &c.Metrics.TokenFile,
		&c.Store.TLS.Cert, &c.Store.TLS.Key, &c.Store.TLS.ClientCA, &c.Store.CollectorsFile,
		&c.Forward.TokenFile, &c.Forward.CA, &c.Forward.TLS.Cert, &c.Forward.TLS.Key,
		&c.Outlets.CouchDB.PasswordFile, &c.Outlets.CouchDB.CAFile} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(folder, *p)
		}
	}
	if !d.set("schemas") && !isFolder(c.Schemas) {
		c.Schemas = ""
	}
	if !d.set("allowlist") && !isFile(c.Allowlist) {
		c.Allowlist = ""
	}
	if !d.set("kpi") && !isFile(c.KPI) {
		c.KPI = ""
	}
}

// Path is the file that the config was read from, "" for none.
func (c *Config) Path() string { return c.path }

// Handed are files that systemd hands to a service (LoadCredential=) and that are not there: a mistake for who runs as that service, and none
// for a command beside it, which cannot see them.
func (c *Config) Handed() Mistakes { return c.handed }

// Mistake is what is wrong with the value of a key, found by whoever uses it.
func (c *Config) Mistake(path, what, fix string) Mistake {
	return Mistake{File: fileName(c.path), Line: lineOf(c.lines, path), Path: path, What: what, Fix: fix}
}

// Rate is the sample rate of a stream now: what sampling says, else the stream's own, else 1.
func (c *Config) Rate(stream string) float64 {
	if rate, ok := c.Sampling[stream]; ok {
		return rate
	}
	if s, ok := c.Streams[stream]; ok {
		return s.SampleRate
	}
	return defaultRate
}

// StreamNames are the names of all streams, interaction among them, sorted.
func (c *Config) StreamNames() []string {
	return slices.Sorted(maps.Keys(c.streams()))
}

// streams are the configured streams and the built-in one.
func (c *Config) streams() map[string]Stream {
	all := map[string]Stream{event.Interaction: {}}
	maps.Copy(all, c.Streams)
	return all
}

// CSRFKeyPath is the file of the key that signs CSRF tokens: csrf_key_file, else csrf.key in the data folder.
func (c *Config) CSRFKeyPath() string {
	if c.Public.CSRFKeyFile != "" {
		return c.Public.CSRFKeyFile
	}
	return filepath.Join(c.Data, "csrf.key")
}

// NeedsRestart names the top-level keys in which next differs and that a running process does not
// take on. Sample rates, KPIs and what the allowlist says are taken on at once, not where the allowlist lies.
func (c *Config) NeedsRestart(next *Config) []string {
	var keys []string
	old, new := reflect.ValueOf(c.withoutRates()), reflect.ValueOf(next.withoutRates())
	for _, f := range reflect.VisibleFields(old.Type()) {
		if f.IsExported() && !reflect.DeepEqual(old.FieldByIndex(f.Index).Interface(), new.FieldByIndex(f.Index).Interface()) {
			keys = append(keys, f.Tag.Get("yaml"))
		}
	}
	return keys
}

func (c *Config) withoutRates() Config {
	frozen := *c
	frozen.Sampling, frozen.AllowKeepAll, frozen.KPI = nil, false, ""
	frozen.Streams = maps.Clone(c.Streams)
	for name, s := range frozen.Streams {
		s.SampleRate = 0
		frozen.Streams[name] = s
	}
	return frozen
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
