package e2e

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Sample rates are taken on while brine runs: 0 is the kill switch.
func TestSamplingIsLive(t *testing.T) {
	b := startBrine(t)
	s := b.session()
	answers := func(status int) func() bool {
		return func() bool { return s.post(t, blob(newID())).status == status }
	}
	if !answers(http.StatusOK)() {
		t.Fatal("not stored at rate 1")
	}
	b.configure(`sampling: {interaction: 0}`)
	b.eventually(30*time.Second, "nothing is kept at rate 0", answers(http.StatusNoContent))
	if rate := b.session().rate; rate != 0 {
		t.Errorf("the session says the rate is %v", rate)
	}
	b.configure(`sampling: {interaction: 1}`)
	b.eventually(30*time.Second, "events are kept at rate 1", answers(http.StatusOK))
}

func TestHangup(t *testing.T) {
	b := startBrine(t)
	const inForce = "sample rates are in force"
	before := strings.Count(b.output(), inForce)
	b.signal(syscall.SIGHUP)
	b.eventually(30*time.Second, "the config is read anew", func() bool {
		return strings.Count(b.output(), inForce) > before
	})
	b.stop()
}

// A broken file is told with its line, and the config before stays in force.
func TestBrokenConfigWhileServing(t *testing.T) {
	b := startBrine(t)
	whole, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	b.writeConfig(string(whole) + "\nsampling: {interaction: nought}\n")
	line := 2 + strings.Count(string(whole), "\n")
	b.eventually(30*time.Second, "the mistake is told", func() bool {
		return strings.Contains(b.output(), "brine.yaml:"+strconv.Itoa(line)+": sampling.interaction")
	})
	if r := b.session().post(t, blob(newID())); r.status != http.StatusOK {
		t.Errorf("the config before is not in force: %d %s", r.status, r.body)
	}
	b.writeConfig(string(whole) + "\nsampling: {interaction: 0}\n")
	b.eventually(30*time.Second, "the mended file is in force", func() bool {
		return b.session().post(t, blob(newID())).status == http.StatusNoContent
	})
	b.eventually(30*time.Second, "the audit tells of both", func() bool {
		all := b.entries("--action", "config")
		return len(all) == 2 && all[0].Note == "changed: sampling" && all[0].Outcome == "ok" && all[1].Outcome == "failed"
	})
	b.stop()
	b.writeConfig(string(whole) + "\nsampling: {interaction: 0}\nopt_out: {dnt: false}\n")
	b.start()
	if note := b.entries("--action", "start")[0].Note; !strings.HasSuffix(note, "changed in the config since the start before: opt_out, sampling") {
		t.Errorf("the start is recorded as %q", note)
	}
}

// Mistakes end the start, with the place and an exit code, before any door or folder is made.
func TestMistakesBeforeTheStart(t *testing.T) {
	for _, c := range []struct {
		name   string
		config string
		schema string
		args   []string
		code   int
		says   string
	}{
		{"UnknownKey", "\n\npublik: {}", "", []string{"serve"}, 1, "brine.yaml:3: publik: unknown key (did you mean public?)"},
		{"WrongValue", "flush: {every: never}", "", []string{"serve"}, 1, "brine.yaml:1: flush.every: "},
		{"NotLoopback", "private: {addr: '0.0.0.0:8081'}", "", []string{"serve"}, 1, "brine.yaml:1: private.addr: "},
		{"NotYAML", "public: [", "", []string{"serve"}, 1, "brine.yaml:1: not YAML: "},
		{"NoSuchSchema", "\nstreams: {app: {schema: /no/such}}", "", []string{"serve"}, 1, "brine.yaml:2: streams.app.schema: no schema /no/such"},
		{"Schema", "", "$schema: [", []string{"serve"}, 1, "schemas/app.yaml:1: "},
		{"Status", "publik: {}", "", []string{"status"}, 1, "brine.yaml:1: publik: unknown key"},
		{"Import", "publik: {}", "", []string{"import", "interaction"}, 1, "brine.yaml:1: publik: unknown key"},
		{"NoSuchStream", "", "", []string{"import", "nowhere"}, 2, `no stream "nowhere"; there are: interaction`},
		{"Flag", "", "", []string{"serve", "--prot=1"}, 2, "unknown flag --prot"},
		{"Command", "", "", []string{"srve"}, 2, `did you mean "serve"?`},
		{"NoArgument", "", "", []string{"import"}, 2, `expected "<stream>"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBrine(t)
			b.writeConfig(c.config)
			if c.schema != "" {
				b.addSchema("app.yaml", c.schema)
			}
			stdout, stderr, code := b.command(nil, c.args...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if _, err := os.Stat(b.data); !os.IsNotExist(err) {
				t.Errorf("the data folder was made: %v", err)
			}
		})
	}
}

func (b *brine) addSchema(name, text string) {
	b.tb.Helper()
	path := filepath.Join(b.dir, "schemas", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		b.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// An address that is taken is told by name, and the other door is not left open.
func TestAddressIsTaken(t *testing.T) {
	b := newBrine(t)
	taken, err := net.Listen("tcp", strings.TrimPrefix(b.private, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, stderr, code := b.command(nil, "serve")
	if code != 1 || !strings.Contains(stderr, "open the private door") || !strings.Contains(stderr, taken.Addr().String()) {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}
