package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"brine/simulate"
)

// process is a server that the bench started.
type process struct {
	cmd    *exec.Cmd
	public string
	reads  string // the private door; "" for the bare handler
	token  string // lets the bench read there; or
	cookie string // of somebody who logged in
	ready  time.Duration
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start runs a command and waits until its heartbeat is well.
func start(cmd *exec.Cmd, public, reads string) (*process, error) {
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, public: public, reads: reads}
	for time.Since(began) < 20*time.Second {
		res, err := http.Get("http://" + public + "/__heartbeat__")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				p.ready = time.Since(began)
				return p, nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s is not ready after 20 s", cmd.Path)
}

func (p *process) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM) // what a shell started in the background ignores interrupts
	return p.cmd.Wait()
}

// rss is the resident memory in bytes, peak or now.
func (p *process) rss(field string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// cpu is what the process has used of the processors, in the kernel's ticks of 10 ms.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before may hold anything
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// serveBrine starts brine with the data folder of that name, with a token for its private door.
func (s *suite) serveBrine(data string) (*process, error) {
	p, err := s.startBrine(data)
	if err != nil {
		return nil, err
	}
	if p.token, err = s.setupToken(s.configOf(data)); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (s *suite) startBrine(data string) (*process, error) {
	public, err := freeAddr()
	if err != nil {
		return nil, err
	}
	private, err := freeAddr()
	if err != nil {
		return nil, err
	}
	config, err := s.config(data, public, private)
	if err != nil {
		return nil, err
	}
	return start(exec.Command(s.brine, "serve", "--config", config), public, private)
}

// benchPassword is that of everybody who logs in.
const benchPassword = "a password of the bench"

// loginBrine starts brine with the data folder of that name, for somebody who has a role and logged in.
func (s *suite) loginBrine(data, role string) (*process, error) {
	p, err := s.startBrine(data)
	if err != nil {
		return nil, err
	}
	add := exec.Command(s.brine, "user", "add", role, "--role", role, "--config", s.configOf(data))
	add.Stdin = strings.NewReader(benchPassword)
	if out, err := add.CombinedOutput(); err != nil && !strings.Contains(string(out), "is there already") {
		return nil, errors.Join(fmt.Errorf("brine user add: %w: %s", err, out), p.stop())
	}
	if err := p.login(role); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

var formToken = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

// login is that of a browser.
func (p *process) login(name string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	door := "http://" + p.reads + "/login"
	page, err := browser.Get(door)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(page.Body)
	page.Body.Close()
	token := formToken.FindSubmatch(body)
	if err != nil || token == nil {
		return errors.Join(err, errors.New("the page to log in has no form"))
	}
	res, err := browser.PostForm(door, url.Values{"csrf": {string(token[1])}, "name": {name}, "password": {benchPassword}})
	if err != nil {
		return err
	}
	res.Body.Close()
	for _, c := range jar.Cookies(res.Request.URL) {
		p.cookie += c.Name + "=" + c.Value + "; "
	}
	if res.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("the login of %s: %s", name, res.Status)
	}
	return nil
}

// setupToken asks the brine that serves for the token of who sits at its machine.
func (s *suite) setupToken(config string) (string, error) {
	out, err := exec.Command(s.brine, "token", "setup", "--json", "--config", config).Output()
	if err != nil {
		return "", fmt.Errorf("brine token setup: %w", err)
	}
	var setup struct{ Token string }
	return setup.Token, json.Unmarshal(out, &setup)
}

// read asks the private door.
func (p *process) read(route, accept string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+p.reads+route, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	req.Header.Set("Cookie", p.cookie)
	req.Header.Set("X-Purpose", "bench")
	res, err := http.DefaultClient.Do(req)
	if err == nil && res.StatusCode != http.StatusOK {
		reason, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		res.Body.Close()
		err = fmt.Errorf("GET %s: %s: %s", route, res.Status, reason)
		if res.StatusCode == http.StatusServiceUnavailable {
			err = errors.Join(errLater, err)
		}
	}
	return res, err
}

// errLater is an answer that says to ask again.
var errLater = errors.New("not yet")

// appRate is the sample rate of app_session: below 1, so that each event is judged, but as good as all.
const appRate = 0.999999

func (s *suite) configOf(data string) string { return filepath.Join(s.folder, data+".yaml") }

func (s *suite) config(data, public, private string) (string, error) {
	path := s.configOf(data)
	schemas := filepath.Join(s.folder, "schemas")
	if err := os.MkdirAll(schemas, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(schemas, "app_session.yaml"), simulate.AppSchema, 0o600); err != nil {
		return "", err
	}
	text := fmt.Sprintf("data: ./%s\npublic: {addr: %q, rate_limit: {per_second: 0}}\nprivate: {addr: %q}\nschemas: ./schemas\n"+
		"streams: {app_session: {schema: %s, unit: app_install_id, sample_rate: %v}}\n", data, public, private, simulate.AppSchemaID, appRate)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func startBare() (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(exec.Command(self, "-bare", addr), addr, "")
}

// serveBare is the limit of the public door: net/http, which reads the body and answers.
func serveBare(addr string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /__heartbeat__", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /wsapi/session_context", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "brine_session", Value: strings.Repeat("A", 22)})
		io.WriteString(w, `{"csrf_token":"`+strings.Repeat("a", 56)+`"}`)
	})
	mux.HandleFunc("POST /wsapi/interaction_data", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"success":true,"stored":1}`)
	})
	mux.HandleFunc("POST /v1/events", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"success":true,"stored":1}`)
	})
	return http.ListenAndServe(addr, mux)
}
