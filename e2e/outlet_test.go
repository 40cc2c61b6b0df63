package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/door/doortest"
)

// startPouch starts a PouchDB Server in memory, which ends with the test.
func startPouch(tb testing.TB, addr string) *exec.Cmd {
	tb.Helper()
	server, err := filepath.Abs("../outlet/couchdb/node_modules/.bin/pouchdb-server")
	if err != nil {
		tb.Fatal(err)
	}
	host, port, _ := strings.Cut(addr, ":")
	cmd := exec.Command(server, "--in-memory", "--host", host, "--port", port, "--no-stdout-logs")
	cmd.Dir = tb.TempDir()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err, "(run make test-needs)")
	}
	tb.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

// rowsAt is how many documents the peer has beside the mark and the view.
func rowsAt(addr string) int {
	res, err := http.Get("http://" + addr + "/brine/_all_docs")
	if err != nil {
		return -1
	}
	defer res.Body.Close()
	var all struct{ Rows []struct{ ID string } }
	if body, err := io.ReadAll(res.Body); err != nil || json.Unmarshal(body, &all) != nil {
		return -1
	}
	n := 0
	for _, row := range all.Rows {
		if strings.HasPrefix(row.ID, "raw:") {
			n++
		}
	}
	return n
}

// Brine is killed while it copies, and the peer forgets all: in the end it has each event once. While it is away, that is told by name.
func TestOutletKilled(t *testing.T) {
	t.Parallel()
	addr := doortest.FreeAddr(t)
	b := newBrine(t, fmt.Sprintf(`outlets: {couchdb: {url: "http://%s/brine", dataset: raw}}`, addr))
	b.importClosed(4)
	want := strings.Count(b.everything("interaction", "raw"), "\n")
	pouch := startPouch(t, addr)
	for round := range 5 {
		b.start()
		<-time.After(rand.N(600 * time.Millisecond)) // any moment will do
		if round == 2 {
			pouch.Process.Kill()
			pouch.Wait()
			pouch = startPouch(t, addr)
		}
		b.kill()
	}
	b.start()
	b.eventually(time.Minute, "the peer has every event", func() bool { return rowsAt(addr) == want })
	pouch.Process.Kill()
	pouch.Wait()
	b.eventually(time.Minute, "the heartbeat tells of the outlet", func() bool {
		res, err := plain.Get(b.public + "/__heartbeat__")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return err == nil && strings.Contains(string(body), `"outlet couchdb":"error"`)
	})
	out, _, _ := b.command(nil, "status")
	if !strings.Contains(out, "OUTLET couchdb DOES NOT GET ON") {
		t.Errorf("brine status says\n%s", out)
	}
	startPouch(t, addr)
	b.eventually(2*time.Minute, "a peer that forgot all has every event", func() bool { return rowsAt(addr) == want })
}
