// Package deploy tests what an operator takes from here: units of systemd, and a module of Puppet.
//
// It holds tests only, with the real tools and the real binary; nothing but a temporary folder is changed.
package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"brine/cmd/brine/brinetest"
)

// binary is the brine that the tests run. TestMain builds it.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv(shutEnv) != "" {
		becomeBrine()
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "brine-deploy-")
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

// runs runs a program and gives what it printed, and its exit code.
func runs(t *testing.T, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("%s: %v\n%s", name, err, errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// verify has systemd read units, with the tests' own binary in them.
func verify(t *testing.T, units ...string) {
	t.Helper()
	dir := t.TempDir()
	var copies []string
	for _, unit := range units {
		path := filepath.Join(dir, filepath.Base(unit))
		mustWrite(t, path, strings.ReplaceAll(mustRead(t, unit), "/usr/bin/brine", binary))
		copies = append(copies, path)
	}
	if out, errs, code := runs(t, "systemd-analyze", append([]string{"verify", "--man=no"}, copies...)...); code != 0 || out+errs != "" {
		t.Errorf("systemd-analyze verify: exit code %d\n%s%s", code, out, errs)
	}
}

func TestUnits(t *testing.T) {
	units, err := filepath.Glob("systemd/*.*")
	if err != nil || len(units) < 9 {
		t.Fatal(units, err)
	}
	verify(t, units...)
}

// What a service does not need it does not get: systemd's own measure, from 0 (shut) to 10, is at most 1.5 for what listens
// and 0.8 for what does not. Each keeps its files for its user, who is not root.
func TestUnitsAreHardened(t *testing.T) {
	units, err := filepath.Glob("systemd/*.service")
	if err != nil || len(units) < 6 {
		t.Fatal(units, err)
	}
	for _, unit := range units {
		threshold := "8"
		if name := filepath.Base(unit); name == "brine.service" || name == "brine-collect.service" || name == "brine-store.service" {
			threshold = "15"
		}
		if out, errs, code := runs(t, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold="+threshold, unit); code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", unit, code, out, errs)
		}
		for _, line := range []string{"User=brine", "UMask=0077", "StateDirectoryMode=0700", "NoNewPrivileges=yes", "CapabilityBoundingSet=\n", "ProtectSystem=strict",
			"PrivateTmp=yes", "SystemCallFilter=@system-service", "MemoryDenyWriteExecute=yes", "LimitCORE=0"} {
			if !strings.Contains(mustRead(t, unit), line) {
				t.Errorf("%s has no %s", unit, line)
			}
		}
	}
}

// Nothing in brine, DuckDB least of all, needs memory that it can both write and run, which the units deny it. Linux before 6.3
// cannot deny it to one process: there the commands run as ever.
func TestRunsWithoutWritableCode(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	t.Setenv("BRINE_TEST_BINARY", binary)
	t.Setenv(shutEnv, "1")
	for _, line := range []string{
		"simulate --days 2 --per-day 200 | $0 import interaction --data $1",
		"sanitize --data $1",
		"read interaction --data $1 --dataset raw --purpose test --format parquet >/dev/null",
	} {
		line = strings.ReplaceAll(line, "$0", os.Args[0])
		if out, errs, code := runs(t, "sh", "-e", "-c", os.Args[0]+" "+line, os.Args[0], data); code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", line, code, out, errs)
		}
	}
}

// shutEnv makes the test's own binary become brine, without memory that it can write and run.
const shutEnv = "BRINE_TEST_SHUT"

func becomeBrine() {
	const setMDWE, refuseExecGain = 65, 1 // prctl(2): PR_SET_MDWE
	if err := unix.Prctl(setMDWE, refuseExecGain, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		fmt.Fprintln(os.Stderr, "prctl:", err)
		os.Exit(1)
	}
	path := os.Getenv("BRINE_TEST_BINARY")
	fmt.Fprintln(os.Stderr, unix.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ()))
	os.Exit(1)
}

// A unit with a mistake is found out: the test above can fail.
func TestUnitsMistake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "brine.service")
	mustWrite(t, path, mustRead(t, "systemd/brine.service")+"\n[Service]\nProtectSytem=strict\n")
	if _, errs, _ := runs(t, "systemd-analyze", "verify", "--man=no", path); !strings.Contains(errs, "ProtectSytem") {
		t.Error(errs)
	}
}

// site is a host that Puppet is applied to: a folder.
type site struct {
	t    *testing.T
	dir  string
	data string
}

func newSite(t *testing.T, config string) *site {
	t.Helper()
	s := &site{t, t.TempDir(), ""}
	s.data = filepath.Join(s.dir, "data")
	for _, dir := range []string{s.data, filepath.Join(s.dir, "units"), filepath.Join(s.dir, "cron")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(t, filepath.Join(s.dir, "brine.yaml"), "data: "+s.data+"\n"+config)
	return s
}

// puppet applies the class with these parameters, and wants an exit code of --detailed-exitcodes:
// 0 nothing had to be changed, 2 something was.
func (s *site) puppet(code int, params string, args ...string) (out string) {
	s.t.Helper()
	me, err := user.Current()
	if err != nil {
		s.t.Fatal(err)
	}
	manifest := filepath.Join(s.dir, "site.pp")
	mustWrite(s.t, manifest, fmt.Sprintf("class { 'brine::salts': binary => '%s', config => '%s/brine.yaml', data => '%s', owner => '%s', group => '%s', unit_dir => '%s/units', cron_dir => '%s/cron', %s }",
		binary, s.dir, s.data, me.Uid, me.Gid, s.dir, s.dir, params))
	out, errs, got := runs(s.t, "puppet", append([]string{"apply", "--modulepath", "puppet", "--confdir", filepath.Join(s.dir, "conf"),
		"--vardir", filepath.Join(s.dir, "var"), "--detailed-exitcodes", "--color", "false", manifest}, args...)...)
	if got != code {
		s.t.Fatalf("puppet apply %v: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	return out
}

// salts are how the salts stand, as brine says it.
func (s *site) salts() (states map[string]string, faults []string) {
	s.t.Helper()
	out, errs, _ := runs(s.t, binary, "salt", "status", "--json", "--config", filepath.Join(s.dir, "brine.yaml"))
	var st struct {
		Salts  []struct{ Salt, State string }
		Faults []string
	}
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		s.t.Fatalf("%v\n%s%s", err, out, errs)
	}
	states = map[string]string{}
	for _, salt := range st.Salts {
		states[salt.Salt] = salt.State
	}
	return states, st.Faults
}

// wantModes wants a folder of 0700 with files of 0600 in it.
func (s *site) wantModes() {
	s.t.Helper()
	err := filepath.WalkDir(filepath.Join(s.data, "salts"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = fs.ModeDir | 0o700
		}
		if i, err := d.Info(); err != nil || i.Mode() != want {
			s.t.Errorf("%s is %v, want %v", path, i.Mode(), want)
		}
		return nil
	})
	if err != nil {
		s.t.Error(err)
	}
}

func (s *site) wantInForce(states map[string]string, faults []string) {
	s.t.Helper()
	for _, state := range states {
		if state == "in force" && len(faults) == 0 {
			return
		}
	}
	s.t.Errorf("no salt is in force: %v, %q", states, faults)
}

// Each run of Puppet rotates; a second one finds nothing to change, and a dry run changes nothing.
func TestPuppetRotates(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.puppet(0, "scheduler => 'puppet'", "--noop")
	if _, err := os.Lstat(filepath.Join(s.data, "salts")); err == nil {
		t.Error("a run with --noop made the folder")
	}
	s.puppet(2, "scheduler => 'puppet'")
	states, faults := s.salts()
	s.wantInForce(states, faults)
	s.wantModes()
	if err := os.Chmod(filepath.Join(s.data, "salts"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.puppet(2, "scheduler => 'puppet'")
	s.puppet(0, "scheduler => 'puppet'")
	s.wantModes()
}

// The timer's unit is one that systemd takes, and what it starts rotates.
func TestPuppetTimer(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.puppet(2, "start => false")
	unit := filepath.Join(s.dir, "units", "brine-salt-rotate.service")
	verify(t, unit, filepath.Join(s.dir, "units", "brine-salt-rotate.timer"))
	start := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(mustRead(t, unit))
	if start == nil {
		t.Fatal("the unit starts nothing")
	}
	command := strings.Fields(start[1])
	for range 2 {
		if _, errs, code := runs(t, command[0], command[1:]...); code != 0 {
			t.Errorf("%s: exit code %d, %s", start[1], code, errs)
		}
	}
	states, faults := s.salts()
	s.wantInForce(states, faults)
}

func TestPuppetCron(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.puppet(2, "scheduler => 'cron'")
	want := binary + " salt rotate --config " + s.dir + "/brine.yaml"
	if got := mustRead(t, filepath.Join(s.dir, "cron", "brine-salts")); !strings.Contains(got, "0 * * * * ") || !strings.Contains(got, want) {
		t.Error(got)
	}
}

// The module's units, with its defaults, are those of systemd/: there is one way to rotate by timer.
func TestPuppetUnitsAreThoseOfSystemd(t *testing.T) {
	t.Parallel()
	const templates = "puppet/brine/templates/"
	out, errs, code := runs(t, "puppet", "epp", "render", templates+"brine-salt-rotate.service.epp", "--values",
		"{owner => 'brine', group => 'brine', rotate => '/usr/bin/brine salt rotate --config /etc/brine/brine.yaml', data => '/var/lib/brine', writes => '/var/lib/brine'}")
	if want := mustRead(t, "systemd/brine-salt-rotate.service"); code != 0 || strings.TrimSpace(out) != strings.TrimSpace(want) {
		t.Errorf("exit code %d, %s\n%s", code, errs, out)
	}
	if mustRead(t, templates+"brine-salt-rotate.timer.epp") != mustRead(t, "systemd/brine-salt-rotate.timer") {
		t.Error("the timers differ")
	}
}

// Salts that Puppet places are read by Brine; those it is not given any more are gone, from its own backups too.
func TestPuppetExternal(t *testing.T) {
	t.Parallel()
	s := newSite(t, "salts: {manage: external}")
	start := time.Now().UTC().Truncate(24 * time.Hour)
	name := func(from, to int) string {
		end := start.AddDate(0, 0, to)
		return start.AddDate(0, 0, from).Format("2006010215") + "_" + end.Format("2006010215") + "_" + end.AddDate(0, 0, 2).Format("2006010215")
	}
	old, now, next := name(-30, 0), name(0, 30), name(30, 60)
	secret := func(seed string) string { return strings.Repeat(seed, 8) + "-no-salt-for-use" }
	params := func(names ...string) string {
		var salts []string
		for _, n := range names {
			salts = append(salts, fmt.Sprintf("'%s' => Sensitive('%s')", n, secret(n[:4]+n[6:8])))
		}
		return "manage => 'external', salts => {" + strings.Join(salts, ", ") + "}"
	}
	out := s.puppet(2, params(old, now))
	s.puppet(0, params(old, now))
	states, faults := s.salts()
	s.wantInForce(states, faults)
	if states[old] != "grace" {
		t.Errorf("%v", states)
	}
	s.wantModes()
	out += s.puppet(2, params(now, next))
	states, faults = s.salts()
	if len(states) != 2 || states[next] != "waiting" || len(faults) > 0 {
		t.Errorf("%v, %q", states, faults)
	}
	gone := secret(old[:4] + old[6:8])
	if strings.Contains(out, gone) {
		t.Error("Puppet prints a salt")
	}
	s.wantNowhere(gone)
}

func (s *site) wantNowhere(salt string) {
	s.t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(mustRead(s.t, path), salt) {
			s.t.Errorf("%s holds a salt that is gone", path)
		}
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
}

// seen runs what a unit starts on a data folder, with the paths out of sight that the unit takes away, and without what root may more than others.
func seen(t *testing.T, unit, data string, args ...string) (stdout string) {
	t.Helper()
	text := mustRead(t, filepath.Join("systemd", unit))
	start := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/brine (.*) --config /etc/brine/brine\.yaml$`).FindStringSubmatch(text)
	hidden := regexp.MustCompile(`(?m)^InaccessiblePaths=(.*)$`).FindStringSubmatch(text)
	if start == nil || hidden == nil {
		t.Fatalf("%s starts no command, or hides nothing", unit)
	}
	nothing := filepath.Join(t.TempDir(), "nothing")
	if err := os.Mkdir(nothing, 0); err != nil {
		t.Fatal(err)
	}
	script := ""
	for _, path := range strings.Fields(hidden[1]) {
		path = data + strings.TrimPrefix(path, "-/var/lib/brine")
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			script += fmt.Sprintf("mount --bind %s %s\n", nothing, path)
		} else if err == nil {
			script += fmt.Sprintf("touch %[1]s.file; chmod 0 %[1]s.file; mount --bind %[1]s.file %[2]s\n", nothing, path)
		}
	}
	script += `exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"`
	command := append([]string{binary}, strings.Fields(start[1])...)
	command = append(append(command, "--config", filepath.Join(filepath.Dir(data), "brine.yaml")), args...)
	out, errs, code := runs(t, "unshare", append([]string{"--user", "--map-root-user", "--mount", "sh", "-e", "-c", script, "sh"}, command...)...)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", unit, code, out, errs)
	}
	return out
}

// Each job does its work with what its unit shows it of the data: a purge without the salts, a rotation without the events.
func TestJobsSeeWhatTheyNeed(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	mustWrite(t, filepath.Join(dir, "brine.yaml"), "data: "+data+"\n")
	must := func(stdin io.Reader, args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, args...)
		cmd.Dir, cmd.Stdin = dir, stdin
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	must(strings.NewReader("a password for tests\n"), "user", "add", "mira", "--role", "viewer")
	end := time.Now().Add(-2 * time.Hour).UTC().Format(time.RFC3339)
	history := must(nil, "simulate", "--days=2", "--per-day=50", "--end", end)
	must(strings.NewReader(history), "import", "interaction")

	if out := seen(t, "brine-salt-rotate.service", data); !strings.Contains(out, "make ") {
		t.Errorf("a rotation that sees no event says %s", out)
	}
	if out := seen(t, "brine-sanitize.service", data); strings.Contains(out, "0 hours with 0 events") || !strings.Contains(out, "sanitized") {
		t.Errorf("sanitizing says %s", out)
	}
	later := []string{"--yes", "--json", "--dry-run", "--now", time.Now().AddDate(0, 0, 91).UTC().Format(time.RFC3339)}
	want := must(nil, append([]string{"purge"}, later...)...)
	if got := seen(t, "brine-purge.service", data, later...); got != want || !strings.Contains(got, `"interaction"`) {
		t.Errorf("a purge that sees no salt would drop\n%s\nand one that sees all\n%s", got, want)
	}
}
