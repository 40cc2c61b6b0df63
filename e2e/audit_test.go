package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/access/audit"
)

// entries are those that brine audit lists, the newest first.
func (b *brine) entries(args ...string) (all []audit.Entry) {
	b.tb.Helper()
	out, stderr, code := b.command(nil, append([]string{"audit", "--json", "--limit", "0"}, args...)...)
	if code != 0 {
		b.tb.Fatalf("brine audit: exit code %d\n%s", code, stderr)
	}
	for lines := json.NewDecoder(strings.NewReader(out)); lines.More(); {
		var e audit.Entry
		if err := lines.Decode(&e); err != nil {
			b.tb.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// verified wants brine audit verify to find nothing, and gives what is to be noted.
func (b *brine) verified(args ...string) (head string) {
	b.tb.Helper()
	out, stderr, code := b.command(nil, append([]string{"audit", "verify"}, args...)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || !strings.Contains(out, "nothing was changed") {
		b.tb.Fatalf("brine audit verify: exit code %d\n%s%s", code, out, stderr)
	}
	return lines[len(lines)-1]
}

// Who reads on the machine says what for, and is in the audit with how many rows, whether a brine serves or not; what is
// changed in it afterwards is found. No install id is in it, nor a token.
func TestAudit(t *testing.T) {
	b := newAppBrine(t)
	b.start()
	install := newID()
	b.sendOf(install, 30)
	b.waitFlushed()
	token := b.token()
	b.readAll("app_session")
	_, stderr, code := b.command(nil, "read", "app_session", "--dataset", "raw")
	if code != 2 || !strings.Contains(stderr, "--purpose") {
		t.Errorf("without a purpose: exit code %d, %s", code, stderr)
	}
	for n, format := range []string{"ndjson", "csv", "parquet", "json"} {
		if _, stderr, code := b.command(nil, "read", "app_session", "--dataset", "raw", "--format", format, "--purpose", "a test of "+format); code != 0 {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
		e := b.entries("--stream", "app_session", "--action", "read-begin")[0]
		if e.State != audit.Ended || *e.End.Rows != 30 || e.End.Outcome != "ok" || e.Dataset != "raw" || e.Purpose != "a test of "+format ||
			!strings.HasPrefix(e.Who, "os:") || e.Route != "brine read" {
			t.Errorf("the record of a read is %+v with the end %+v", e, e.End)
		}
		if n == 1 {
			b.stop() // from here on nobody serves
		}
	}
	stdout, stderr, code := b.command(strings.NewReader(install), "erase")
	if code != 0 {
		t.Fatalf("brine erase: %s%s", stdout, stderr)
	}
	if e := b.entries("--action", "erasure")[0]; !strings.Contains(stdout, strings.Fields(e.Note)[1][:32]) {
		t.Errorf("the erasure is recorded as %q, and its receipt is %s", e.Note, stdout)
	}
	if made := b.entries("--action", "salt"); len(made) == 0 || made[0].Who != "brine" {
		t.Errorf("of salts are recorded %+v", made)
	}
	b.verified("--head", b.verified())
	b.checkNotInAudit(install, token)
	b.tamper()
}

func (b *brine) auditFiles() (paths []string) {
	paths, err := filepath.Glob(filepath.Join(b.data, "audit", "*"))
	if err != nil || len(paths) < 2 {
		b.tb.Fatalf("%v, %v", paths, err)
	}
	return paths
}

func (b *brine) checkNotInAudit(secrets ...string) {
	b.tb.Helper()
	for _, path := range b.auditFiles() {
		content, err := os.ReadFile(path)
		if err != nil {
			b.tb.Fatal(err)
		}
		for _, s := range secrets {
			if bytes.Contains(content, []byte(s)) {
				b.tb.Errorf("%s holds an id or a token", path)
			}
		}
	}
}

// tamper changes what somebody read for.
func (b *brine) tamper() {
	b.tb.Helper()
	for _, path := range b.auditFiles() {
		content, err := os.ReadFile(path)
		if err != nil {
			b.tb.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(content, []byte("a test of csv"), []byte("a test of CSV")), 0o600); err != nil {
			b.tb.Fatal(err)
		}
	}
	out, _, code := b.command(nil, "audit", "verify")
	if code != 1 || !strings.Contains(out, "was changed") {
		b.tb.Errorf("of a changed audit verify says, with exit code %d: %s", code, out)
	}
}

// Killed at random moments under reads, brine has the beginning of each read of which a row was seen; those without an end are
// cut, and the audit is whole. BRINE_ROUNDS says how often.
func TestKilledWhileReading(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := startBrine(t)
	history := simulated(t, 3, 2000)
	b.importHistory(history, len(history), 0)
	var mu sync.Mutex
	seen := map[string]bool{} // purposes of reads of which a row was seen
	for round := range jobRounds(t) {
		token := b.token()
		var readers sync.WaitGroup
		for reader := range 3 {
			readers.Go(func() {
				for n := 0; ; n++ {
					purpose := fmt.Sprintf("round %d, reader %d, read %d", round, reader, n)
					rows, err := b.readSome(token, purpose)
					mu.Lock()
					seen[purpose] = seen[purpose] || rows
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		<-time.After(200*time.Millisecond + rand.N(300*time.Millisecond))
		b.kill()
		readers.Wait()
		b.verified()
		b.start()
	}
	recorded, cut := map[string]bool{}, 0
	for _, e := range b.entries("--action", "read-begin") {
		recorded[e.Purpose] = true
		switch {
		case e.State == audit.Cut:
			cut++
		case e.State != audit.Ended || e.End.Outcome == "ok" && *e.End.Rows != int64(len(history)):
			t.Errorf("read %d is %s, and its end is %+v", e.Number, e.State, e.End)
		}
	}
	withRows := 0
	for purpose, rows := range seen {
		if rows {
			withRows++
			if !recorded[purpose] {
				t.Errorf("rows were seen of a read that is not recorded: %s", purpose)
			}
		}
	}
	t.Logf("%d reads are recorded, %d of them cut; of %d rows were seen", len(recorded), cut, withRows)
	if withRows == 0 {
		t.Error("this was no load")
	}
	b.verified()
}

// readSome reads everything, and says whether anything of it was seen. The error is of a connection that was cut.
func (b *brine) readSome(token, purpose string) (rows bool, err error) {
	req, err := http.NewRequest(http.MethodGet, b.private+"/api/v1/events/interaction?dataset=raw", nil)
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Purpose", purpose)
	req.Header.Set("Accept", "application/x-ndjson")
	res, err := plain.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		return false, nil // too many at once
	}
	return n > 0, err
}
