package deploy

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/door/doortest"
)

// nginx is where Debian puts it: not in everybody's PATH.
func nginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no nginx: make test-needs installs it")
	return ""
}

// proxy is an nginx that includes both files, beside a page of the dialog whose requests are logged.
type proxy struct{ dir, url string }

// proxyConfig is its config. The page / is a control: what is logged of it is looked for of Brine's.
const proxyConfig = `daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log info;
events {}
http {
    access_log %[1]s/access.log;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    include %[1]s/brine-upstream.conf;
    server {
        listen %[2]s;
        location / { return 200 "the dialog"; }
        include %[1]s/brine-locations.conf;
    }
}
`

func newProxy(t *testing.T, brine string) *proxy {
	t.Helper()
	addr := doortest.FreeAddr(t)
	p := &proxy{t.TempDir(), "http://" + addr}
	for name, text := range map[string]string{
		"brine-upstream.conf":  strings.Replace(mustRead(t, "nginx/brine-upstream.conf"), "127.0.0.1:8080", brine, 1),
		"brine-locations.conf": mustRead(t, "nginx/brine-locations.conf"),
		"nginx.conf":           fmt.Sprintf(proxyConfig, p.dir, addr),
	} {
		mustWrite(t, filepath.Join(p.dir, name), text)
	}
	return p
}

func (p *proxy) args(more ...string) []string {
	return append([]string{"-p", p.dir, "-e", p.dir + "/error.log", "-c", p.dir + "/nginx.conf"}, more...)
}

// started runs a program until the test ends, and waits until the url answers.
func started(t *testing.T, url string, cmd *exec.Cmd) {
	t.Helper()
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	t.Cleanup(func() { stop(t, cmd, gone) })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(url)
		if err == nil {
			answer.Body.Close()
			return
		}
		select {
		case err := <-gone:
			t.Fatalf("%s ended: %v\n%s", cmd.Path, err, out)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", url, err)
		}
	}
}

func stop(t *testing.T, cmd *exec.Cmd, gone chan error) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-gone:
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Errorf("%s does not end", cmd.Path)
	}
}

// serveBrine runs a brine whose public door trusts a proxy on this machine.
func serveBrine(t *testing.T) (public string, cmd *exec.Cmd) {
	t.Helper()
	dir := t.TempDir()
	public = doortest.FreeAddr(t)
	mustWrite(t, filepath.Join(dir, "brine.yaml"), fmt.Sprintf("data: data\npublic: {addr: %q, trusted_proxies: [127.0.0.1], rate_limit: {per_second: 0.01, burst: 10}}\nprivate: {addr: %q}\n", public, doortest.FreeAddr(t)))
	cmd = exec.Command(binary, "serve", "--config", filepath.Join(dir, "brine.yaml"))
	started(t, "http://"+public+"/__lbheartbeat__", cmd)
	return public, cmd
}

// ask sends a request as a client of nginx, with a value that is to be seen nowhere.
func (p *proxy) ask(t *testing.T, method, path, body string) (status int, header http.Header, text string) {
	t.Helper()
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "Spyglass/66")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Forwarded-For", "203.0.113.77")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(content)
}

// written is all that nginx has in its folder, but for its config.
func (p *proxy) written(t *testing.T) (all string) {
	t.Helper()
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && filepath.Ext(path) != ".conf" {
			all += mustRead(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The public door behind nginx on the dialog's own origin: requests pass, private paths do not, and nothing is written of either, also where
// Brine does not answer.
func TestNginx(t *testing.T) {
	t.Parallel()
	public, brine := serveBrine(t)
	p := newProxy(t, public)
	if out, errs, code := runs(t, nginx(t), p.args("-t")...); code != 0 || strings.Contains(errs, "[warn]") {
		t.Fatalf("nginx -t: exit code %d\n%s%s", code, out, errs)
	}
	started(t, p.url+"/", exec.Command(nginx(t), p.args()...))

	if status, header, body := p.ask(t, "GET", "/wsapi/session_context", ""); status != 200 || !strings.Contains(body, "csrf_token") || header.Get("Set-Cookie") == "" {
		t.Errorf("session_context: %d %s", status, body)
	}
	for path, want := range map[string]int{"/brine.js": 200, "/privacy": 200, "/privacy.json": 200, "/v1/streams": 200} {
		if status, _, _ := p.ask(t, "GET", path, ""); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, body := p.ask(t, "POST", "/wsapi/interaction_data", "{}"); status != 403 || !strings.Contains(body, "no session cookie") {
		t.Errorf("interaction_data: %d %s", status, body)
	}
	if status, _, body := p.ask(t, "POST", "/wsapi/interaction_data", strings.Repeat(" ", 300_000)); status != 413 {
		t.Errorf("a body too large: %d %s", status, body)
	}
	for _, path := range []string{"/__heartbeat__", "/wsapi/interaction_data/count", "/metrics", "/nowhere"} { // those are not for the public
		if _, _, body := p.ask(t, "GET", path, ""); body != "the dialog" {
			t.Errorf("%s gets to Brine: %s", path, body)
		}
	}
	many := 0 // the limit counts the address that nginx sees, whatever the client says of its own
	for range 20 {
		if status, _, _ := p.ask(t, "POST", "/v1/events", "{}"); status == http.StatusTooManyRequests {
			many++
		}
	}
	if many == 0 {
		t.Error("no request is one too many")
	}
	if err := brine.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if status, _, _ := p.ask(t, "GET", "/wsapi/session_context", ""); status == http.StatusBadGateway {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a brine that was killed goes on answering")
		}
	}
	p.wantSilence(t)
}

func (p *proxy) wantSilence(t *testing.T) {
	t.Helper()
	all := p.written(t)
	if !strings.Contains(all, "GET /nowhere") || !strings.Contains(all, "Spyglass") {
		t.Errorf("the dialog's own requests are not logged, so that Brine's are not says nothing:\n%s", all)
	}
	for line := range strings.Lines(all) {
		for _, hidden := range []string{"wsapi/session_context", "POST", "/v1/", "/privacy", "brine.js", "upstream"} {
			if strings.Contains(line, hidden) {
				t.Errorf("nginx writes down %s", line)
			}
		}
	}
	if _, err := os.Stat(p.dir + "/body"); err == nil {
		if files, _ := os.ReadDir(p.dir + "/body"); len(files) > 0 {
			t.Errorf("bodies lie in files: %v", files)
		}
	}
}
