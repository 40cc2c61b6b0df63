package e2e

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"brine/access/audit"
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

const allRaw = "/api/v1/events/interaction?dataset=raw"

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
	b.addUser("rosa", "raw")
	token := b.makeToken("rosa", "raw")
	b.start()
	history := simulated(t, 20, 50_000)
	b.importHistory(history, len(history), 0)
	res, err := b.read(token, "count them", allRaw)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n := countLines(res.Body); n != int64(len(history)) {
		t.Fatalf("%d of %d rows", n, len(history))
	}
	var all []audit.Entry
	b.eventually(10*time.Second, "the read has an end", func() bool {
		all = b.entries("--who", "rosa", "--action", "read-begin")
		return len(all) == 1 && all[0].State == audit.Ended
	})
	e := all[0]
	if e.Purpose != "count them" || e.Via != "token 1" || *e.End.Rows != int64(len(history)) || e.End.Outcome != "ok" {
		t.Errorf("%+v, %+v", e, e.End)
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
