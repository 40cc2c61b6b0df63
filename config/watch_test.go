package config

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/event"
)

// heard is what a watch has told, in its order.
type heard struct {
	configs chan *Config
	errors  chan error
}

// mustWatch watches the file until the test ends.
func mustWatch(t *testing.T, c *Config) heard {
	t.Helper()
	h := heard{make(chan *Config, 100), make(chan error, 100)}
	stop, err := c.Watch(func(c *Config) { h.configs <- c }, func(err error) { h.errors <- err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return h
}

func next[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing heard for 10 s")
		panic("unreachable")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	path := mustWrite(t, "sampling: {interaction: 1}")
	h := mustWatch(t, mustLoad(t, path))

	write(t, path, "sampling: {interaction: 0.5}")
	if got := next(t, h.configs).Rate(event.Interaction); got != 0.5 {
		t.Errorf("written in place: rate %v", got)
	}

	aside := path + ".new"
	write(t, aside, "sampling: {interaction: 0.25}")
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
	if got := next(t, h.configs).Rate(event.Interaction); got != 0.25 {
		t.Errorf("renamed into place: rate %v", got)
	}

	write(t, path, "sampling: {interaction: lots}")
	if err := next(t, h.errors); !strings.Contains(err.Error(), "brine.yaml:1: sampling.interaction: ") {
		t.Error(err)
	}
	write(t, path, "sampling: {interaction: 0}")
	if got := next(t, h.configs).Rate(event.Interaction); got != 0 {
		t.Errorf("mended: rate %v", got)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := next(t, h.errors); !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
	if len(h.configs)+len(h.errors) > 0 {
		t.Error("something was told twice")
	}
}

// An allowlist or a file of KPIs is told of once at the start, as it may have changed since it was read, and when it changes.
func TestWatchOtherFiles(t *testing.T) {
	for _, name := range []string{"allowlist.yaml", "kpi.yaml"} {
		t.Run(name, func(t *testing.T) {
			path := mustWrite(t, "sampling: {interaction: 0.5}")
			file := filepath.Join(filepath.Dir(path), name)
			write(t, file, "a: b")
			h := mustWatch(t, mustLoad(t, path))
			next(t, h.configs)
			write(t, file, "a: c")
			if got := next(t, h.configs); got.Allowlist+got.KPI != file || got.Rate(event.Interaction) != 0.5 {
				t.Errorf("the config is %+v", got)
			}
			if len(h.configs)+len(h.errors) > 0 {
				t.Error("something was told twice")
			}
		})
	}
}

// The KPIs are followed to another folder, and a file of them that is there by default is waited for where it is away.
func TestWatchKPIsElsewhere(t *testing.T) {
	path := mustWrite(t, "")
	kpis := filepath.Join(filepath.Dir(path), "kpi.yaml")
	write(t, kpis, "a: b")
	h := mustWatch(t, mustLoad(t, path))
	next(t, h.configs)
	if err := os.Rename(kpis, kpis+".away"); err != nil {
		t.Fatal(err)
	}
	if got := next(t, h.configs).KPI; got != kpis {
		t.Errorf("while it is away the KPIs are %q", got)
	}
	if err := os.Rename(kpis+".away", kpis); err != nil {
		t.Fatal(err)
	}
	next(t, h.configs)

	other := filepath.Join(t.TempDir(), "other.yaml")
	write(t, other, "a: c")
	write(t, path, "kpi: "+other)
	if got := next(t, h.configs).KPI; got != other {
		t.Errorf("the KPIs are %q", got)
	}
	write(t, other, "a: d")
	next(t, h.configs)
}

// A key that others may read is refused until chmod mends it: that is a change too, although no file's content is another one.
func TestWatchModeOfKey(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"door.pem", "door.key"} {
		write(t, filepath.Join(folder, name), "as "+name)
	}
	key := filepath.Join(folder, "door.key")
	h := mustWatch(t, mustLoad(t, mustWrite(t, "public: {tls: {cert: "+filepath.Join(folder, "door.pem")+", key: "+key+"}}")))
	next(t, h.configs)
	for _, mode := range []os.FileMode{0o640, 0o600} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		next(t, h.configs)
	}
}

// Kubernetes changes a file by turning a link in its folder.
func TestWatchLinkedFolder(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"a": "sampling: {interaction: 1}", "b": "sampling: {interaction: 0.5}"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, name, "brine.yaml"), content)
	}
	path, link := filepath.Join(folder, "brine.yaml"), filepath.Join(folder, "..data")
	mustLink(t, "a", link)
	mustLink(t, "..data/brine.yaml", path)
	h := mustWatch(t, mustLoad(t, path))
	mustLink(t, "b", link+"_tmp")
	if err := os.Rename(link+"_tmp", link); err != nil {
		t.Fatal(err)
	}
	if got := next(t, h.configs).Rate(event.Interaction); got != 0.5 {
		t.Errorf("rate %v", got)
	}
}

func mustLink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func TestWatchChangeBeforeWatch(t *testing.T) {
	path := mustWrite(t, "sampling: {interaction: 1}")
	c := mustLoad(t, path)
	write(t, path, "sampling: {interaction: 0.5}")
	if got := next(t, mustWatch(t, c).configs).Rate(event.Interaction); got != 0.5 {
		t.Errorf("rate %v", got)
	}
}

func TestWatchHangup(t *testing.T) {
	h := mustWatch(t, mustLoad(t, mustWrite(t, "sampling: {interaction: 0.5}")))
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if got := next(t, h.configs).Rate(event.Interaction); got != 0.5 {
		t.Errorf("rate %v", got)
	}
}
