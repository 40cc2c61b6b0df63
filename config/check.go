package config

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"brine/door"
	"brine/event"
	"brine/mistake"
)

var (
	streamName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	schemaName = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`)
)

// minRate is the smallest sample rate that is not 0: counts are weighted by its inverse.
const minRate = 0.0001

// The limits of flush.
const (
	minFlushEvery = 10 * time.Millisecond
	maxFlushEvery = 10 * time.Minute
	maxFlushBytes = Bytes(1e9) // it is held in memory while it is written
)

// maxConnections is as many as a process may have files open, by far.
const maxConnections = 1_000_000

// check finds what each key's type cannot tell. It opens nothing and makes nothing.
func (c *Config) check(d *decoder) {
	c.checkData(d)
	c.checkMinFree(d)
	c.checkRetention(d)
	c.checkSchemas(d)
	c.checkDoors(d)
	c.checkStore(d)
	c.checkForward(d)
	c.checkRateLimit(d)
	c.checkOrigins(d)
	c.checkConsent(d)
	c.checkStreams(d)
	c.checkSampling(d)
	c.checkSalts(d)
	c.checkLDAP(d)
	c.checkOutlets(d)
	c.checkFlush(d)
	c.checkLog(d)
	c.checkCanary(d)
	c.checkLake(d)
}

func (c *Config) checkData(d *decoder) {
	if c.Data == "" {
		d.mistake("data", "like ./data", "must name a folder")
		return
	}
	if filepath.Clean(c.Data) == "/" {
		d.mistake("data", "like /var/lib/brine", "must be a folder of its own, not /")
		return
	}
	if info, err := os.Stat(c.Data); err == nil && !info.IsDir() {
		d.mistake("data", "name a folder, which is made where missing", "%s is a file", c.Data)
	}
}

// checkMinFree refuses a limit that the disk can never meet, under which every request would get 503.
func (c *Config) checkMinFree(d *decoder) {
	size, ok := diskSize(c.Data)
	if ok && c.Retention.MinFree >= size {
		d.mistake("retention.min_free", "lower it, or put data on a larger disk",
			"%s, but the disk of %s has %s in all", c.Retention.MinFree, c.Data, size)
	}
}

// diskSize is the size of the disk that holds the path or will hold it.
func diskSize(path string) (Bytes, bool) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, false
	}
	for !isFolder(path) && path != "/" {
		path = filepath.Dir(path)
	}
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil || s.Blocks == 0 {
		return 0, false
	}
	return Bytes(s.Blocks * uint64(s.Bsize)), true
}

func (c *Config) checkSchemas(d *decoder) {
	if c.Schemas != "" && !isFolder(c.Schemas) {
		d.mistake("schemas", "make it, or leave the key out", "no folder %s", c.Schemas)
	}
	if c.Allowlist != "" && !isFile(c.Allowlist) {
		d.mistake("allowlist", "write it, or leave the key out", "no file %s", c.Allowlist)
	}
	if c.KPI != "" && !isFile(c.KPI) {
		d.mistake("kpi", "write it, or leave the key out", "no file %s", c.KPI)
	}
	if c.Public.CSRFKeyFile != "" && isFolder(c.Public.CSRFKeyFile) {
		d.mistake("public.csrf_key_file", "name a file in it, which is made where missing", "%s is a folder", c.Public.CSRFKeyFile)
	}
}

func (c *Config) checkDoors(d *decoder) {
	if c.Private.MinCell < 1 {
		d.mistake("private.min_cell", "10 is the default; 1 hides nothing", "expected at least 1 interaction")
	}
	public, publicOK := checkAddr(d, "public.addr", c.Public.Addr)
	private, privateOK := checkAddr(d, "private.addr", c.Private.Addr)
	checkTLS(d, "public.tls", c.Public.TLS)
	checkTLS(d, "private.tls", c.Private.TLS)
	checkConnections(d, "public.max_connections", c.Public.MaxConnections)
	checkConnections(d, "private.max_connections", c.Private.MaxConnections)
	c.checkMetrics(d, public, private)
	if privateOK && !door.IsLoopback(private.host) && !c.Private.TLS.On() {
		d.mistake("private.addr", "set private.tls: {cert, key}, or use 127.0.0.1:"+private.port,
			"%s is not loopback, and without TLS passwords and events can be read on the way", c.Private.Addr)
		return
	}
	if publicOK && privateOK && public.meets(private) {
		blame, other := "private.addr", "public.addr"
		if !d.set(blame) {
			blame, other = other, blame
		}
		d.mistake(blame, "give it a port of its own", "%s has this address too", other)
	}
}

// checkMetrics keeps what only this machine may ask from leaving it without a token.
func (c *Config) checkMetrics(d *decoder, doors ...addr) {
	m := c.Metrics
	if isFolder(m.TokenFile) {
		d.mistake("metrics.token_file", "name a file in it", "%s is a folder", m.TokenFile)
	}
	if m.Addr == "" {
		if m.TokenFile != "" {
			d.mistake("metrics.token_file", "set metrics.addr, or leave it out: the private door takes tokens of brine token create", "there is no listener that would ask for it")
		}
		return
	}
	own, ok := checkAddr(d, "metrics.addr", m.Addr)
	if !ok {
		return
	}
	if !door.IsLoopback(own.host) && m.TokenFile == "" {
		d.mistake("metrics.addr", "set metrics.token_file, or use 127.0.0.1:"+own.port, "%s is not loopback, and without a token anybody may ask", m.Addr)
	}
	if slices.ContainsFunc(doors, own.meets) {
		d.mistake("metrics.addr", "give it a port of its own", "a door has this address too")
	}
}

// checkTLS finds what is wrong with the names of a certificate's files. What is in them is for whoever opens them.
func checkTLS(d *decoder, path string, t TLS) {
	for _, f := range []struct{ key, file, other, otherFile string }{{"cert", t.Cert, "key", t.Key}, {"key", t.Key, "cert", t.Cert}} {
		switch {
		case f.file == "" && f.otherFile != "":
			d.mistake(mistake.Join(path, f.other), "set "+mistake.Join(path, f.key)+" too, or neither", "a certificate and its key belong together")
		case isFolder(f.file):
			d.mistake(mistake.Join(path, f.key), "name a file of PEM in it", "%s is a folder", f.file)
		default:
			d.wantFile(mistake.Join(path, f.key), "name a file of PEM, in a folder that this user may enter", f.file)
		}
	}
}

func checkConnections(d *decoder, path string, n int) {
	if n < 1 || n > maxConnections {
		d.mistake(path, "each holds a file descriptor and some 20 kB", "expected 1 to %d", maxConnections)
	}
}

// addr is a listening address.
type addr struct{ host, port string }

func checkAddr(d *decoder, path, s string) (addr, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		d.mistake(path, "like 127.0.0.1:8080", "%q is not host:port", s)
		return addr{}, false
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		d.mistake(path, "like 127.0.0.1:8080", "%q is not a port number", port)
		return addr{}, false
	}
	if _, err := netip.ParseAddr(host); err != nil && !isHostName(host) && host != "" {
		d.mistake(path, "like 127.0.0.1:"+port, "%q is neither an address nor a host name", host)
		return addr{}, false
	}
	return addr{host, port}, true
}

// splitAddr reads an address that checkAddr has judged.
func splitAddr(s string) (addr, bool) {
	host, port, err := net.SplitHostPort(s)
	return addr{host, port}, err == nil
}

// meets is whether two addresses cannot both be listened on. Port 0 is a free port each time.
func (a addr) meets(b addr) bool {
	if a.port != b.port || a.port == "0" {
		return false
	}
	return a.host == b.host || isEverywhere(a.host) || isEverywhere(b.host) || door.IsLoopback(a.host) && door.IsLoopback(b.host)
}

func isEverywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

func isHostName(s string) bool { return len(s) <= 253 && hostName.MatchString(s) }

func (c *Config) checkRateLimit(d *decoder) {
	limit := c.Public.RateLimit
	if limit.PerSecond < 0 {
		d.mistake("public.rate_limit.per_second", "0 is no limit", "expected 0 or more requests")
	}
	if limit.Burst < 1 {
		d.mistake("public.rate_limit.burst", "", "expected at least 1 request")
	}
}

func (c *Config) checkOrigins(d *decoder) {
	for i, origin := range c.Public.Origins {
		if what, fix := originMistake(origin); what != "" {
			d.mistake("public.origins["+strconv.Itoa(i)+"]", fix, "%s", what)
		}
	}
}

// originMistake says what keeps the text from being an origin as browsers write it in the Origin header.
func originMistake(s string) (what, fix string) {
	const like = "like https://accounts.example.org"
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || !isOriginHost(u.Hostname()) {
		return "expected https://host or https://host:port", like
	}
	plain := u.Scheme + "://" + strings.ToLower(u.Host)
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		plain = strings.TrimSuffix(plain, ":"+port)
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "expected https", like
	case u.Scheme == "http" && !door.IsLoopback(u.Hostname()) && !strings.HasSuffix(u.Hostname(), ".localhost"): // which browsers ask no server for
		return "http is for loopback only", "use https://" + u.Host
	case s != plain:
		return "an origin is scheme, host and port as browsers send them, and nothing else", "use " + plain
	}
	return "", ""
}

func isOriginHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || isHostName(host)
}

func (c *Config) checkConsent(d *decoder) {
	if c.Consent != ConsentOptOut && c.Consent != ConsentOptIn {
		d.mistake("consent", "opt-out: people are told and may say no; opt-in: nothing before a yes", "expected opt-out or opt-in")
	}
}

func (c *Config) checkStreams(d *decoder) {
	for name, s := range c.Streams {
		path := mistake.Join("streams", name)
		if name == event.Interaction {
			checkBuiltIn(d, path)
			continue
		}
		switch {
		case !streamName.MatchString(name):
			d.mistake(path, "use a to z, 0 to 9 and _, at most 64", "not a name of a stream")
		}
		switch {
		case s.Schema == "":
			d.mistake(mistake.Join(path, "schema"), "like /analytics/mobile_apps/app_session", "a stream needs a schema")
		case !schemaName.MatchString(s.Schema):
			d.mistake(mistake.Join(path, "schema"), "like /analytics/mobile_apps/app_session", "not the path of a schema")
		}
		checkRate(d, mistake.Join(path, "sample_rate"), s.SampleRate)
	}
}

// checkBuiltIn allows what can be said of interaction: its schema is part of Brine.
func checkBuiltIn(d *decoder, path string) {
	for _, key := range []string{"schema", "time", "unit", "keep_fields"} {
		if at := mistake.Join(path, key); d.set(at) {
			d.mistake(at, "leave it out, or give the stream another name", "interaction is built in: only purpose and collect_until are set here")
		}
	}
	if at := mistake.Join(path, "sample_rate"); d.set(at) {
		d.mistake(at, "set it as sampling.interaction", "interaction is built in: only purpose and collect_until are set here")
	}
}

func (c *Config) checkSampling(d *decoder) {
	for name, rate := range c.Sampling {
		path := mistake.Join("sampling", name)
		if _, ok := c.streams()[name]; !ok {
			d.mistake(path, nearest(name, c.StreamNames()), "no such stream")
		}
		if d.set(mistake.Join(mistake.Join("streams", name), "sample_rate")) {
			d.mistake(path, "leave one of the two out", "streams.%s.sample_rate sets this rate too", name)
		}
		checkRate(d, path, rate)
	}
}

func checkRate(d *decoder, path string, rate float64) {
	if rate != 0 && !(rate >= minRate && rate <= 1) {
		d.mistake(path, "0.05 is 5 %, 1 is all, 0 stops the stream", "a rate is 0, or from %v to 1", minRate)
	}
}

func (c *Config) checkFlush(d *decoder) {
	if c.Flush.Every < minFlushEvery || c.Flush.Every > maxFlushEvery {
		d.mistake("flush.every", "5s is the default", "expected %s to %s", minFlushEvery, maxFlushEvery)
	}
	if c.Flush.Bytes < 1 || c.Flush.Bytes > maxFlushBytes {
		d.mistake("flush.bytes", "32MB is the default", "expected 1 B to %s", maxFlushBytes)
	}
}
