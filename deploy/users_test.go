package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/door/doortest"
)

// host is the root folder of a machine that systemd's own tools have made users and folders in.
type host struct {
	root string
	uids map[string]uint32 // by the name of the user
}

func newHost(t *testing.T) *host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test becomes one user and then another, so it has to run as root")
	}
	h := &host{t.TempDir(), map[string]uint32{}}
	for dir := h.root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // the host's users have to get in
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(h.root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"sysusers", "tmpfiles"} {
		folder := filepath.Join(h.root, "usr/lib", tool+".d")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, filepath.Join(folder, "brine.conf"), mustRead(t, tool+".d/brine.conf"))
	}
	h.tool(t, "systemd-sysusers")
	for line := range strings.Lines(mustRead(t, filepath.Join(h.root, "etc/passwd"))) {
		fields := strings.Split(line, ":")
		var uid uint32
		if _, err := fmt.Sscan(fields[2], &uid); err != nil {
			t.Fatal(line, err)
		}
		h.uids[fields[0]] = uid
		if strings.HasPrefix(line, "brine") && strings.TrimSpace(fields[6]) != "/usr/sbin/nologin" {
			t.Errorf("somebody can log in: %s", line)
		}
	}
	h.tool(t, "systemd-tmpfiles", "--create", "--prefix=/var/lib", "--prefix=/etc/brine")
	return h
}

func (h *host) tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, errs, code := runs(t, name, append([]string{"--root=" + h.root}, args...)...); code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", name, code, out, errs)
	}
}

func (h *host) path(elements ...string) string {
	return filepath.Join(append([]string{h.root}, elements...)...)
}

// as makes a command that a user of the host runs, with the umask of the units.
func (h *host) as(t *testing.T, user string, args ...string) *exec.Cmd {
	t.Helper()
	uid, ok := h.uids[user]
	if !ok {
		t.Fatalf("there is no user %s", user)
	}
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `umask 077; exec "$@"`, "sh"}, args...)...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

func (h *host) run(t *testing.T, user, stdin string, args ...string) (out string) {
	t.Helper()
	cmd := h.as(t, user, args...)
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %v\n%s", user, args, err, text)
	}
	return string(text)
}

// readable are the files below a folder that a user may read.
func (h *host) readable(t *testing.T, user, folder string) []string {
	t.Helper()
	out, err := h.as(t, user, "find", folder, "-type", "f", "-readable").Output()
	if _, refused := err.(*exec.ExitError); err != nil && !refused { // find fails where it may not look
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// filled is a host whose storage server holds events and salts, and whose collector has its keys.
func filled(t *testing.T) *host {
	h := newHost(t)
	brine := h.path("brine")
	if err := os.Link(binary, brine); err != nil { // where every user gets at it
		text, err := os.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(brine, text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range []string{"collect", "store"} {
		config := h.path("etc/brine", role+".yaml")
		mustWrite(t, config, "data: "+h.path("var/lib/brine-"+role)+"\n")
		if err := os.Chmod(config, 0o644); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, h.path("etc/brine", role, "tls.key"), role+"'s key")
		if err := os.Chmod(h.path("etc/brine", role, "tls.key"), 0o644); err != nil { // as careless as it may be
			t.Fatal(err)
		}
	}
	h.tool(t, "systemd-tmpfiles", "--create", "--prefix=/etc/brine")
	store := func(stdin string, args ...string) string {
		return h.run(t, "brine-store", stdin, append(append([]string{brine}, args...), "--config", h.path("etc/brine/store.yaml"))...)
	}
	end := time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)
	history := h.run(t, "brine-store", "", brine, "simulate", "--days=2", "--per-day=50", "--end", end)
	store(history, "import", "interaction")
	store("", "salt", "rotate")
	store("", "sanitize")
	store("a password for tests\n", "user", "add", "mira", "--role", "raw")
	return h
}

// The users are apart: each reads its own files, and not one of the other's, whether events, salts, keys or tokens.
func TestUsersAreApart(t *testing.T) {
	h := filled(t)
	folders := map[string][]string{}
	for _, role := range []string{"collect", "store"} {
		folders["brine-"+role] = []string{h.path("var/lib/brine-" + role), h.path("etc/brine", role)}
	}
	if err := os.WriteFile(h.path("var/lib/brine-collect/csrf.key"), []byte(strings.Repeat("k", 64)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(h.path("var/lib/brine-collect/csrf.key"), int(h.uids["brine-collect"]), int(h.uids["brine-collect"])); err != nil {
		t.Fatal(err)
	}
	for user, mine := range folders {
		for owner, theirs := range folders {
			for _, folder := range theirs {
				read := h.readable(t, user, folder)
				if user == owner && len(read) == 0 {
					t.Errorf("%s reads nothing of its own %s, %v", user, folder, mine)
				}
				if user != owner && len(read) > 0 {
					t.Errorf("%s reads %v", user, read)
				}
			}
		}
		if read := h.readable(t, "brine", mine[0]); len(read) > 0 {
			t.Errorf("the user brine reads %v", read)
		}
	}
	held := h.readable(t, "brine-store", h.path("var/lib/brine-store"))
	for _, kind := range []string{"/salts/", "/lake/raw/", "/lake/sanitized/", "/users"} {
		if !strings.Contains(strings.Join(held, "\n"), kind) {
			t.Errorf("the storage server has no %s, so that nobody reads it says nothing", kind)
		}
	}
}

// The collector's own user cannot even see which salts and hours there are, nor put anything among them.
func TestCollectorSeesNothingOfTheStore(t *testing.T) {
	h := filled(t)
	data := h.path("var/lib/brine-store")
	for _, args := range [][]string{
		{"ls", data}, {"ls", data + "/salts"}, {"touch", data + "/new"}, {"cat", data + "/users"}, {"mv", data, data + ".away"}, {"rm", "-r", data + "/lake"},
		{h.path("brine"), "read", "interaction", "--config", h.path("etc/brine/store.yaml")}, {h.path("brine"), "salt", "status", "--config", h.path("etc/brine/store.yaml")},
	} {
		if out, err := h.as(t, "brine-collect", args...).CombinedOutput(); err == nil {
			t.Errorf("%v works:\n%s", args, out)
		}
	}
	if out := h.run(t, "brine-store", "", h.path("brine"), "read", "interaction", "--config", h.path("etc/brine/store.yaml")); !strings.Contains(out, "event_stream") {
		t.Errorf("the store's own user reads no event, so that the collector's does not says nothing:\n%s", out)
	}
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// What a unit takes out of its user's sight is the other's data, and keys, where the other unit has them.
func TestUnitsHideTheOtherRole(t *testing.T) {
	for role, other := range map[string]string{"collect": "store", "store": "collect"} {
		text := mustRead(t, "systemd/brine-"+role+".service")
		theirs := mustRead(t, "systemd/brine-"+other+".service")
		for _, line := range []string{"User=brine-" + role, "Group=brine-" + role, "ExecStart=/usr/bin/brine " + role + " --config /etc/brine/" + role + ".yaml", "ReadWritePaths=/var/lib/brine-" + role, "StateDirectory=brine-" + role} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("brine-%s.service has no line %s", role, line)
			}
		}
		for _, path := range []string{"/var/lib/brine-" + other, "/etc/brine/" + other} {
			if !strings.Contains(text, " -"+path) && !strings.Contains(text, "=-"+path) {
				t.Errorf("brine-%s.service does not hide %s", role, path)
			}
		}
		if !strings.Contains(theirs, "ReadWritePaths=/var/lib/brine-"+other+"\n") {
			t.Errorf("brine-%s.service does not write what the other hides", other)
		}
	}
}

// Each role works as its own user: an event goes through the collector to the store, which the collector's user cannot read.
func TestRolesWorkAsTheirUsers(t *testing.T) {
	h := filled(t)
	public, receipt, private := doortest.FreeAddr(t), doortest.FreeAddr(t), doortest.FreeAddr(t)
	of := func(role, text string) string {
		config := h.path("etc/brine", role+".yaml")
		mustWrite(t, config, "data: "+h.path("var/lib/brine-"+role)+"\n"+text)
		return config
	}
	store := of("store", fmt.Sprintf("flush: {every: 100ms}\nprivate: {addr: %q}\nstore: {addr: %q, collectors_file: %s}\n", private, receipt, h.path("var/lib/brine-store/collectors")))
	token := h.run(t, "brine-store", "", h.path("brine"), "collector", "add", "web1", "--config", store)
	h.run(t, "brine-collect", token, "sh", "-c", "cat > "+h.path("var/lib/brine-collect/store.token"))
	collect := of("collect", fmt.Sprintf("public: {addr: %q}\nforward: {to: [\"http://%s\"], token_file: %s}\n", public, receipt, h.path("var/lib/brine-collect/store.token")))
	before := strings.Count(h.run(t, "brine-store", "", h.path("brine"), "read", "interaction", "--dataset", "raw", "--purpose", "a test", "--config", store), "\n")
	h.start(t, "brine-store", h.path("brine"), "store", "--config", store)
	h.start(t, "brine-collect", h.path("brine"), "collect", "--config", collect)
	eventually(t, "an event is taken", func() bool { return send("http://"+public) == http.StatusOK })
	eventually(t, "the event is stored", func() bool {
		out := h.run(t, "brine-store", "", h.path("brine"), "read", "interaction", "--dataset", "raw", "--purpose", "a test", "--config", store)
		return strings.Count(out, "\n") == before+1
	})
	if read := h.readable(t, "brine-collect", h.path("var/lib/brine-store")); len(read) > 0 {
		t.Errorf("the collector's user reads %v", read)
	}
}

// start runs a program of a user until the test ends.
func (h *host) start(t *testing.T, user string, args ...string) {
	t.Helper()
	cmd := h.as(t, user, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Wait() // the test's context has ended
		if t.Failed() {
			t.Logf("%s %v:\n%s", user, args, said.String())
		}
	})
}

// send sends one interaction to a public door and gives the status, 0 where it could not.
func send(door string) int {
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Timeout: 15 * time.Second}
	res, err := client.Get(door + "/wsapi/session_context")
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	var session struct {
		CSRF string `json:"csrf_token"`
		Time int64  `json:"server_time"`
	}
	if json.NewDecoder(res.Body).Decode(&session) != nil {
		return 0
	}
	body := fmt.Sprintf(`{"csrf":%q,"data":{"timestamp":%d,"event_stream":[["screen.rp_info",10]],"sample_rate":1}}`, session.CSRF, session.Time)
	res, err = client.Post(door+"/wsapi/interaction_data", "application/json", strings.NewReader(body))
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
