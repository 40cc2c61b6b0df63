package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// skewVariable is by how many seconds the clock of a skewed binary is off.
const skewVariable = "BRINE_TEST_SKEW"

const skewSource = `package time

import "syscall"

var skew = func() int64 {
	text, _ := syscall.Getenv("` + skewVariable + `")
	n, _ := atoi(text)
	return int64(n)
}()
`

// skewed names the binary whose time of day can be off.
func skewed() string { return binary + "-skewed" }

// buildSkewed builds it, with a package time of its own: what shows other programs another time, in the kernel or in
// their libraries, does not reach those of Go.
func buildSkewed(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(skewed()); err == nil {
		return
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	std := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original, err := os.ReadFile(filepath.Join(std, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(original), now) != 1 {
		t.Fatalf("this Go's time.Now is not what this test changes: it begins otherwise than\n%s", now)
	}
	dir, replace := t.TempDir(), map[string]string{}
	for name, text := range map[string]string{"time.go": strings.Replace(string(original), now, now+"\tsec += skew\n", 1), "skew.go": skewSource} {
		replace[filepath.Join(std, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-overlay", file, "-o", skewed(), "brine/cmd/brine").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}
