// Package e2e tests the whole binary, as a user has it: a process with a config file and a data
// folder, that is started, asked over HTTP, killed and started again.
//
// It holds tests only. A [brine] is one such process; nothing but its doors, its files, its
// command line and its signals are used. Every test has a data folder and doors of its own.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/uuid"

	"brine/canary"
	"brine/client/browsertest"
	"brine/cmd/brine/brinetest"
	"brine/door/doortest"
)

// binary is the brine that is tested. TestMain builds it.
var binary string

func TestMain(m *testing.M) {
	code := buildAndRun(m)
	browsertest.Close()
	os.Exit(code)
}

// builtBefore names the binary to a test that runs once more in a name space of its own.
const builtBefore = "BRINE_TEST_BINARY"

func buildAndRun(m *testing.M) int {
	if binary = os.Getenv(builtBefore); binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "brine-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary, err = brinetest.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// brine is a `brine serve`, or another role, with a config and a data folder of its own.
type brine struct {
	tb      testing.TB
	dir     string // holds brine.yaml, data and output.txt
	data    string // the data folder
	config  string // the config file
	public  string // http://host:port of the public door
	private string // the same of the private door
	role    string // serve, collect or store
	bearer  bearer // a token with all roles
	host    *host  // that it runs on; nil: this one
	skew    int    // by how many seconds its clock is off

	cmd    *exec.Cmd
	exited chan error // gives what Wait said, once
}

// startBrine starts a brine and returns when it is ready. Each text is YAML that goes over the
// test's own config, key by key, like "sampling: {interaction: 0}". The process ends with the test.
func startBrine(tb testing.TB, configYAML ...string) *brine {
	tb.Helper()
	b := newBrine(tb, configYAML...)
	b.start()
	return b
}

// newBrine is startBrine without the start.
func newBrine(tb testing.TB, configYAML ...string) *brine {
	tb.Helper()
	dir := tb.TempDir()
	b := &brine{tb: tb, dir: dir, data: filepath.Join(dir, "data"), config: filepath.Join(dir, "brine.yaml"), role: "serve"}
	public, private := doortest.FreeAddr(tb), doortest.FreeAddr(tb)
	b.public, b.private = "http://"+public, "http://"+private
	b.configure(append([]string{fmt.Sprintf(testConfig, public, private)}, configYAML...)...)
	tb.Cleanup(func() {
		b.kill()
		if tb.Failed() {
			tb.Logf("output of brine:\n%s", b.output())
		}
	})
	return b
}

// testConfig is what all tests run with: flushes are quick, and neither the one client nor the
// disk of the test is a reason to refuse.
const testConfig = `
data: data
public: {addr: "%s", rate_limit: {per_second: 0}}
private: {addr: "%s"}
flush: {every: 200ms}
retention: {min_free: 0}
`

// configure writes these texts over the config file, key by key. A running brine takes sample
// rates on by itself, the rest with its next start.
func (b *brine) configure(configYAML ...string) {
	b.tb.Helper()
	all := map[string]any{}
	old, err := os.ReadFile(b.config)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.tb.Fatal(err)
	}
	for _, text := range append([]string{string(old)}, configYAML...) {
		var over map[string]any
		if err := yaml.Unmarshal([]byte(text), &over); err != nil {
			b.tb.Fatalf("%v in the config of this test:\n%s", err, text)
		}
		merge(all, over)
	}
	text, err := yaml.Marshal(all)
	if err != nil {
		b.tb.Fatal(err)
	}
	b.writeConfig(string(text))
}

// writeConfig makes this text the config file, whatever it says.
func (b *brine) writeConfig(text string) {
	b.tb.Helper()
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// merge puts over into base; maps are merged, all else is replaced.
func merge(base, over map[string]any) {
	for key, value := range over {
		inner, ok := value.(map[string]any)
		if old, was := base[key].(map[string]any); ok && was {
			merge(old, inner)
		} else if ok {
			base[key] = maps.Clone(inner)
		} else {
			base[key] = value
		}
	}
}

// start runs `brine serve` and returns when it is ready.
func (b *brine) start() {
	b.tb.Helper()
	b.launch()
	b.eventually(30*time.Second, "brine is ready", func() bool {
		if b.hasExited() {
			b.tb.Fatal("brine serve ended before it was ready")
		}
		return b.ready()
	})
}

// launch runs `brine serve` and does not wait for it.
func (b *brine) launch() {
	b.tb.Helper()
	out, err := os.OpenFile(b.outputFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(binary, b.role, "--config", b.config)
	if b.skew != 0 {
		cmd = exec.Command(skewed(), b.role, "--config", b.config)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", skewVariable, b.skew))
	}
	cmd.Dir, cmd.Stdout, cmd.Stderr = b.dir, out, out
	if err := b.host.do(cmd.Start); err != nil {
		b.tb.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	b.cmd, b.exited = cmd, exited
	b.bearer.forget()
}

// token lets the test read at the private door. It is a guest's, which ends with the process.
func (b *brine) token() string {
	b.tb.Helper()
	b.bearer.Lock()
	defer b.bearer.Unlock()
	if b.bearer.token == "" {
		stdout, stderr, code := runBrine(b.tb, nil, "token", "setup", "--json", "--config", b.config, "--data", b.data)
		var setup struct{ Token string }
		if err := json.Unmarshal([]byte(stdout), &setup); err != nil || code != 0 {
			b.tb.Fatalf("brine token setup: %d %s", code, stderr)
		}
		b.bearer.token = setup.Token
	}
	return b.bearer.token
}

// bearer is made when it is first asked for, by whoever asks: several may.
type bearer struct {
	sync.Mutex
	token string // "" until one is asked for
}

func (b *bearer) forget() {
	b.Lock()
	defer b.Unlock()
	b.token = ""
}

// identify makes a request of the private door one of somebody who may do all.
func (b *brine) identify(req *http.Request) *http.Request {
	b.tb.Helper()
	req.Header.Set("Authorization", "Bearer "+b.token())
	req.Header.Set("X-Purpose", "end-to-end tests")
	return req
}

func (b *brine) hasExited() bool {
	select {
	case err := <-b.exited:
		b.exited <- err
		return true
	default:
		return false
	}
}

// kill ends the process as a power cut would, if it runs.
func (b *brine) kill() {
	if b.cmd == nil {
		return
	}
	b.cmd.Process.Kill()
	<-b.exited
	b.cmd = nil
}

// stop ends the process as an operator would. It has to exit with 0.
func (b *brine) stop() {
	b.tb.Helper()
	b.signal(syscall.SIGTERM)
	select {
	case err := <-b.exited:
		b.cmd = nil
		if err != nil {
			b.tb.Fatalf("brine serve after SIGTERM: %v", err)
		}
	case <-time.After(30 * time.Second):
		b.tb.Fatal("brine serve still runs 30 s after SIGTERM")
	}
}

// restart stops and starts it.
func (b *brine) restart() {
	b.tb.Helper()
	b.stop()
	b.start()
}

func (b *brine) signal(s os.Signal) {
	b.tb.Helper()
	if err := b.cmd.Process.Signal(s); err != nil {
		b.tb.Fatal(err)
	}
}

// output is all that the processes of this brine have printed so far.
func (b *brine) output() string {
	out, err := os.ReadFile(b.outputFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.tb.Error(err)
	}
	return string(out)
}

func (b *brine) outputFile() string { return filepath.Join(b.dir, "output.txt") }

// command runs `brine args… --config` of this brine and gives what it printed, and its exit code.
func (b *brine) command(stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	b.tb.Helper()
	err := b.host.do(func() (err error) {
		stdout, stderr, code, err = tryBrine(b.tb.Context(), stdin, append(args, "--config", b.config)...)
		return err
	})
	if err != nil {
		b.tb.Fatal(err)
	}
	return stdout, stderr, code
}

// runBrine runs a command line of the binary and gives what it printed, and its exit code.
func runBrine(tb testing.TB, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	tb.Helper()
	stdout, stderr, code, err := tryBrine(tb.Context(), stdin, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return stdout, stderr, code
}

func tryBrine(ctx context.Context, stdin io.Reader, args ...string) (stdout, stderr string, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return "", "", 0, fmt.Errorf("brine %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode(), nil
}

// eventually polls until ok, and fails the test when that takes longer than within. It asks ever less often: the process that
// is waited for needs the machine.
func (b *brine) eventually(within time.Duration, what string, ok func() bool) {
	b.tb.Helper()
	deadline := time.After(within)
	for pause := 20 * time.Millisecond; !ok(); pause = min(pause*5/4, 500*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-deadline:
			b.tb.Fatalf("not within %s: %s", within, what)
		}
	}
}

// hasSocket is whether commands can ask the process. A killed one leaves the file of its socket.
func (b *brine) hasSocket() bool {
	conn, err := net.Dial("unix", filepath.Join(b.data, "brine.sock"))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// ready asks __heartbeat__ whether events can be stored.
func (b *brine) ready() bool {
	res, err := b.client().Get(b.public + "/__heartbeat__")
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// plain is a client without cookies.
var plain = &http.Client{Timeout: 30 * time.Second}

// client is one without cookies on the same host.
func (b *brine) client() *http.Client {
	if b.host == nil {
		return plain
	}
	return b.host.client
}

// host is a machine of a network that a test made; see network_linux_test.go. Its loopback is its own.
type host struct {
	name, addr string
	client     *http.Client
	enter      func(do func() error) error
}

// do calls it on the host.
func (h *host) do(call func() error) error {
	if h == nil {
		return call()
	}
	return h.enter(call)
}

// dial connects from the host.
func (h *host) dial(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	err = h.do(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// session is a browser that has asked for its context: it has a cookie and a token.
type session struct {
	*http.Client
	url, token string
	rate       float64 // data_sample_rate
}

// session opens a session at the public door.
func (b *brine) session() *session {
	b.tb.Helper()
	s, err := b.trySession()
	if err != nil {
		b.tb.Fatal(err)
	}
	return s
}

// trySession is session for a door that may be gone.
func (b *brine) trySession() (*session, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	s := &session{Client: &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: b.host.dial}}, url: b.public}
	res, err := s.Get(s.url + "/wsapi/session_context")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer struct {
		Token string  `json:"csrf_token"`
		Rate  float64 `json:"data_sample_rate"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, err
	}
	s.token, s.rate = answer.Token, answer.Rate
	return s, nil
}

// reply is what the public door answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send posts blobs, each a JSON text, in one request. The error is of the connection: nobody knows what became of the blobs.
func (s *session) send(blobs ...string) (reply, error) {
	body := fmt.Sprintf(`{"csrf":%q,"data":[%s]}`, s.token, strings.Join(blobs, ","))
	res, err := s.Post(s.url+"/wsapi/interaction_data", "application/json", strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, answer}, err
}

// post is send where the door has to answer.
func (s *session) post(tb testing.TB, blobs ...string) reply {
	tb.Helper()
	r, err := s.send(blobs...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// mustStore posts blobs that have to be stored, all of them.
func (s *session) mustStore(tb testing.TB, blobs ...string) {
	tb.Helper()
	if r := s.post(tb, blobs...); r.status != http.StatusOK {
		tb.Fatalf("%d %s", r.status, r.body)
	}
}

// newID is a fresh id for a blob.
func newID() string { return uuid.NewString() }

// blob is a valid interaction of now with an id.
func blob(id string) string {
	return fmt.Sprintf(`{"id":%q,"timestamp":%d,"event_stream":[["screen.authenticate",732],["picker::signin",2300]],`+
		`"email_type":"secondary","number_emails":3,"new_account":false,"language":"en_US","number_sites_logged_in":1,`+
		`"screen_size":{"width":640,"height":480},"sample_rate":1.0,"user_agent":{"os":"iOS","browser":"Safari","version":"5"}}`,
		id, time.Now().UnixMilli())
}

// event is one row as it was read back, by field.
type event map[string]json.RawMessage

// id is that of an interaction, or of an app's event.
func (e event) id() string {
	var id string
	var meta event
	if json.Unmarshal(e["id"], &id) != nil && json.Unmarshal(e["meta"], &meta) == nil {
		return meta.id()
	}
	return id
}

// readAll waits until all that was acknowledged before now can be read, and then reads all of a
// stream from the private door.
func (b *brine) readAll(stream string) (events []event) {
	b.tb.Helper()
	b.waitFlushed()
	rows := json.NewDecoder(bytes.NewReader(b.get("/api/v1/events/"+stream+"?dataset=raw", "application/x-ndjson")))
	for {
		var e event
		err := rows.Decode(&e)
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			b.tb.Fatal(err)
		}
		events = append(events, e)
	}
}

// get reads a route of the private door whole; it has to answer 200.
func (b *brine) get(route, accept string) []byte {
	b.tb.Helper()
	req, err := http.NewRequest(http.MethodGet, b.private+route, nil)
	if err != nil {
		b.tb.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := b.client().Do(b.identify(req))
	if err != nil {
		b.tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		b.tb.Fatalf("GET %s: %s, %v\n%s", route, res.Status, err, body)
	}
	return body
}

// waitFlushed returns when all that was acknowledged before the call can be read.
func (b *brine) waitFlushed() {
	b.tb.Helper()
	from := time.Now()
	b.eventually(30*time.Second, "what was acknowledged can be read", func() bool {
		return b.status().CompleteTo.After(from)
	})
}

// status is what `brine status --json` and the private door tell.
type status struct {
	Serving    bool
	Ready      bool
	Reason     string
	CompleteTo time.Time `json:"complete_to"`
	Held       []struct {
		Dataset, Stream string
		Files           int
		Rows            int64
	}
	LeftOut  []struct{ Path, Why string } `json:"left_out"`
	Erasures struct{ Accepted, Removed int }
	Canaries []canary.Status
}

func (b *brine) status() (st status) {
	b.tb.Helper()
	if err := json.Unmarshal(b.get("/api/v1/status", "application/json"), &st); err != nil {
		b.tb.Fatal(err)
	}
	return st
}
