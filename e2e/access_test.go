package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// addUser adds somebody to the users file.
func (b *brine) addUser(name string, roles ...string) {
	b.tb.Helper()
	args := []string{"user", "add", name}
	for _, role := range roles {
		args = append(args, "--role", role)
	}
	if stdout, stderr, code := b.command(strings.NewReader(passwordOf(name)+"\n"), args...); code != 0 {
		b.tb.Fatalf("brine user add: %s%s", stdout, stderr)
	}
}

func passwordOf(name string) string { return name + " likes long passwords" }

// makeToken gives a token of the users file's people, which outlives a restart.
func (b *brine) makeToken(owner, role string) string {
	b.tb.Helper()
	stdout, stderr, code := b.command(nil, "token", "create", "--owner", owner, "--role", role, "--expires", "1d", "--note", "end-to-end tests")
	if code != 0 {
		b.tb.Fatalf("brine token create: %s", stderr)
	}
	return strings.TrimSpace(stdout)
}

// read asks the private door with a token and a purpose.
func (b *brine) read(token, purpose, route string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, b.private+route, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/x-ndjson")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Purpose", purpose)
	return plain.Do(req)
}

func (b *brine) wantStatus(token, route string, want int) {
	b.tb.Helper()
	res, err := b.read(token, "a test", route)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != want {
		b.tb.Errorf("%s is answered %d, want %d: %.300s", route, res.StatusCode, want, body)
	}
}

// auditRecord is what the tests look at of a record.
type auditRecord struct {
	Number                                   uint64
	Action, Who, Via, Purpose, Note, Outcome string
	Read                                     uint64
	Rows                                     int64
}

// records is all that the audit holds, oldest first. A last line that a kill cut short is none.
func (b *brine) records() (all []auditRecord) {
	b.tb.Helper()
	files, err := filepath.Glob(filepath.Join(b.data, "audit", "*.ndjson"))
	if err != nil {
		b.tb.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			b.tb.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var r auditRecord
			if json.Unmarshal(line, &r) == nil {
				all = append(all, r)
			}
		}
	}
	return all
}

const allRaw = "/api/v1/events/interaction?dataset=raw"

// importDays files simulated interactions in a data folder that nobody serves, and gives their number.
func (b *brine) importDays(days, perDay int) (rows int64) {
	b.tb.Helper()
	history, stderr, code := runBrine(b.tb, nil, "simulate", "--days", strconv.Itoa(days), "--per-day", strconv.Itoa(perDay))
	if code != 0 {
		b.tb.Fatal(stderr)
	}
	if stdout, stderr, code := b.command(strings.NewReader(history), "import", "interaction"); code != 0 {
		b.tb.Fatalf("brine import: %s%s", stdout, stderr)
	}
	return int64(strings.Count(history, "\n"))
}

// Whoever was not named reads nothing; a token is for its owner's roles, while they have them, and can be revoked beside a running brine.
func TestTokens(t *testing.T) {
	b := startBrine(t)
	guest := b.token()
	b.wantStatus(guest, allRaw, http.StatusOK)
	b.wantStatus("", allRaw, http.StatusUnauthorized)
	if _, stderr, code := b.command(nil, "token", "create", "--owner", "mira", "--role", "raw"); code != 1 || !strings.Contains(stderr, "brine user add") {
		t.Errorf("a token without people: %d %s", code, stderr)
	}

	b.addUser("mira", "analyst")
	b.wantStatus(guest, allRaw, http.StatusUnauthorized) // there are people now, so there are no guests
	if _, stderr, code := b.command(nil, "token", "setup"); code != 1 || !strings.Contains(stderr, "access is set up") {
		t.Errorf("%d %s", code, stderr)
	}
	if _, stderr, code := b.command(nil, "token", "create", "--owner", "mira", "--role", "raw"); code != 1 || !strings.Contains(stderr, "has not the role raw") {
		t.Errorf("a token of more than its owner has: %d %s", code, stderr)
	}
	token := b.makeToken("mira", "analyst")
	b.wantStatus(token, "/api/v1/status", http.StatusOK)
	b.wantStatus(token, allRaw, http.StatusForbidden)
	b.restart()
	b.wantStatus(token, "/api/v1/status", http.StatusOK)
	list, stderr, code := b.command(nil, "token", "list")
	if code != 0 || !strings.Contains(list, "end-to-end tests") || !strings.Contains(list, time.Now().UTC().Format(time.DateOnly)) || strings.Contains(list, token) {
		t.Errorf("%d %s%s", code, list, stderr)
	}
	if _, stderr, code := b.command(nil, "token", "revoke", "1"); code != 0 {
		t.Error(stderr)
	}
	b.wantStatus(token, "/api/v1/status", http.StatusUnauthorized)

	for _, secret := range []string{token, guest, passwordOf("mira")} {
		if strings.Contains(b.output(), secret) {
			t.Error("something that lets in is in the log")
		}
		for path, info := range b.files() {
			if content, err := os.ReadFile(path); info.Mode().IsRegular() && (err != nil || bytes.Contains(content, []byte(secret))) {
				t.Errorf("something that lets in is in %s (%v)", path, err)
			}
		}
	}
}

// A read of many rows leaves one beginning and one end with their number.
func TestReadIsRecorded(t *testing.T) {
	b := newBrine(t)
	rows := b.importDays(2, 50_000)
	b.start()
	b.addUser("rosa", "raw")
	token := b.makeToken("rosa", "raw")
	res, err := b.read(token, "count them", allRaw)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n := countLines(res.Body); n != rows {
		t.Fatalf("%d of %d rows", n, rows)
	}
	var begin, end auditRecord
	b.eventually(10*time.Second, "the read has an end", func() bool {
		n := 0
		for _, r := range b.records() {
			if r.Purpose == "count them" && r.Action == "read-begin" {
				begin, n = r, n+1
			}
			if r.Action == "read-end" && r.Read == begin.Number {
				end, n = r, n+1
			}
		}
		return n == 2
	})
	if begin.Who != "rosa" || begin.Via != "token 1" || end.Rows != rows || end.Outcome != "ok" {
		t.Errorf("%+v, %+v", begin, end)
	}
}

func countLines(r io.Reader) (n int64) {
	lines := bufio.NewReader(r)
	for {
		if _, err := lines.ReadSlice('\n'); err == nil {
			n++
		} else if err != bufio.ErrBufferFull {
			return n
		}
	}
}

// Killed at random moments of a read, brine never has sent a row of which no beginning is on the disk.
func TestKilledWhileReading(t *testing.T) {
	b := newBrine(t)
	b.importDays(2, 50_000)
	b.addUser("rosa", "raw")
	token := b.makeToken("rosa", "raw")
	sentSome := 0
	for round := range rounds(t) {
		b.start()
		purpose := "round " + strconv.Itoa(round)
		got := make(chan int64, 1)
		go func() {
			res, err := b.read(token, purpose, allRaw)
			if err != nil {
				got <- 0
				return
			}
			defer res.Body.Close()
			got <- countLines(res.Body)
		}()
		<-time.After(rand.N(250 * time.Millisecond))
		b.kill()
		n, begins := <-got, 0
		for _, r := range b.records() {
			if r.Action == "read-begin" && r.Purpose == purpose {
				begins++
			}
		}
		if n > 0 {
			sentSome++
		}
		if n > 0 && begins != 1 {
			t.Errorf("round %d: %d rows came, with %d beginnings", round, n, begins)
		}
	}
	t.Logf("rows had come in %d rounds", sentSome)
}
