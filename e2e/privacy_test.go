package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The whole binary through a session of good and bad requests: nothing that it prints and nothing
// that it keeps tells who sent them, and no file tells closely when.
func TestNothingTellsWhoSomeoneWas(t *testing.T) {
	b := startBrine(t, `
flush: {every: 10m}
public: {trusted_proxies: ["127.0.0.1/32"], rate_limit: {per_second: 0.01, burst: 20}}`)
	s := &secrets{}
	s.visit(t, b)
	if !b.holds(s.ids[0]) {
		t.Error("no file holds an event in plain: looking at bytes tells nothing")
	}
	b.checkPrivacy(s) // with all of it in the log
	b.kill()
	b.configure("flush: {every: 50ms}")
	b.start()
	b.waitFlushed()
	b.checkPrivacy(s)
	s.importHistory(t, b)
	s.visit(t, b)
	b.waitFlushed()
	b.checkPrivacy(s)
	b.restart()
	s.readBadly(t, b)
	b.checkPrivacy(s)
	b.stop()
	b.checkPrivacy(s)
	b.checkWhatReads(s)
}

// secrets are what requests bore: who holds it knows who someone was.
type secrets struct {
	visits int
	never  []string // to be kept or printed nowhere
	ids    []string // of events that were accepted: they are kept in raw, and printed nowhere
	agents []string // user agents whose coarse form is all that may be kept
	told   []byte   // what commands printed
}

// secret makes and notes text that must be found nowhere.
func (s *secrets) secret(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	s.never = append(s.never, text)
	return text
}

func (s *secrets) id() string {
	id := newID()
	s.ids = append(s.ids, id)
	return id
}

// visit is a visit of many people at the public door. Its requests are what people, wrong clients and attackers send.
func (s *secrets) visit(t *testing.T, b *brine) {
	t.Helper()
	s.visits++
	for i, request := range []struct {
		status int // of the answer
		change func(*http.Request)
		body   func(p *person) string
	}{
		{200, nil, func(p *person) string { return p.envelope(p.blob()) }},
		{200, nil, func(p *person) string { return p.envelope(p.blob(), p.blob(), p.blob()) }},
		{200, nil, func(p *person) string { one := p.blob(); return p.envelope(one, one) }},
		{207, nil, func(p *person) string { return p.envelope(p.blob(), p.with(`"language":%q`, p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.with(`%q:1`, p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.with(`"password":%q`, p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.with(`"event_stream":[[%q,5]]`, p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.with(`"event_stream":%q`, p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.with(`"user_agent":{%q:%q}`, p.email(), p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.with(`"experiments":{%q:%q}`, p.email(), p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.with(`"id":%q`, p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.with(`"language":"en","language":%q`, p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(fmt.Sprintf("%q", p.email())) }},
		{400, nil, func(p *person) string { return p.envelope(p.blob() + p.email()) }},
		{400, nil, func(p *person) string { return p.email() }},
		{400, nil, func(p *person) string { return "\xff\xfe" + p.email() }},
		{400, nil, func(p *person) string { return strings.TrimSuffix(p.envelope(p.blob()), "}") }},
		{413, nil, func(p *person) string {
			return p.envelope(p.with(`"language":"pt-BR"%s`, strings.Repeat(" ", 11<<10)))
		}},
		{413, nil, func(p *person) string { return p.envelope(p.email() + strings.Repeat("x", 257<<10)) }},
		{403, nil, func(p *person) string { p.token = p.secret("tell-tale-token-%d", p.n); return p.envelope(p.blob()) }},
		{403, nil, func(p *person) string { p.token = "B" + p.token[1:]; return p.envelope(p.blob()) }},
		{403, header("Cookie", ""), func(p *person) string { return p.envelope(p.blob()) }},
		{403, header("Cookie", s.secret("brine_session=tell-tale-cookie-%d", s.visits)), func(p *person) string { return p.envelope(p.blob()) }},
		{403, header("Origin", s.secret("https://tell-tale-%d.example", s.visits)), func(p *person) string { return p.envelope(p.blob()) }},
		{415, header("Content-Type", s.secret("tell/tale%d", s.visits)), func(p *person) string { return p.envelope(p.blob()) }},
		{204, header("Sec-GPC", "1"), func(p *person) string { return p.envelope(p.blob()) }},
		{204, header("DNT", "1"), func(p *person) string { return p.envelope(p.blob()) }},
		{204, header("Cookie", "brine_optout=1; "+s.secret("other=tell-tale-%d", s.visits)), func(p *person) string { return p.envelope(p.blob()) }},
		{405, func(r *http.Request) { r.Method = "PUT" }, func(p *person) string { return p.envelope(p.blob()) }},
		{403, func(r *http.Request) {
			r.URL.Path = "/privacy/opt-out"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}, func(p *person) string { return "opted_out=true&csrf=" + p.email() }},
		{400, func(r *http.Request) { r.URL.Path = "/privacy/opt-out" }, func(p *person) string { return fmt.Sprintf(`{"opted_out":%q}`, p.email()) }},
		{404, func(r *http.Request) {
			r.Method, r.URL.Path = "GET", "/privacy/history/"+s.secret("tell-tale-day-%d", s.visits)
		}, func(p *person) string { return "" }},
		{200, func(r *http.Request) {
			r.Method, r.URL.Path = "GET", "/privacy"
			r.Header.Set("Accept-Language", s.secret("tell-tale-language-%d", s.visits))
		}, func(p *person) string { return "" }},
		{404, func(r *http.Request) { r.URL.Path = "/" + s.secret("tell-tale-path-%d@example.org", s.visits) }, func(p *person) string { return p.email() }},
		{200, func(r *http.Request) { r.URL.RawQuery = s.secret("who=tell-tale-query-%d@example.org", s.visits) }, func(p *person) string { return p.envelope(p.blob()) }},
	} {
		p := s.arrive(t, b, 100*s.visits+i)
		if status := p.send(t, request.body(p), request.change); status != request.status {
			t.Errorf("request %d is answered %d, want %d", i, status, request.status)
		}
	}
	s.flood(t, b)
	s.speakNoHTTP(t, b)
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// person is someone with an address, a browser and a session of their own.
type person struct {
	*secrets
	n             int
	url           string
	address       string
	agent         string
	token, cookie string
}

// arrive opens a session as a browser behind a proxy would.
func (s *secrets) arrive(t *testing.T, b *brine, n int) *person {
	t.Helper()
	p := &person{secrets: s, n: n, url: b.public}
	p.address = s.secret([]string{"203.0.113.%d", "198.51.100.%d", "2001:db8::7e11:%d"}[n%3], n%250)
	p.agent = s.agentOf(n)
	req, err := http.NewRequest("GET", b.public+"/wsapi/session_context", nil)
	if err != nil {
		t.Fatal(err)
	}
	res := p.do(t, req)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || len(res.Cookies()) != 1 {
		t.Fatalf("%s with %d cookies: %v", res.Status, len(res.Cookies()), err)
	}
	_, rest, _ := strings.Cut(string(body), `"csrf_token":"`)
	p.token, _, _ = strings.Cut(rest, `"`)
	p.cookie = res.Cookies()[0].Value
	s.never = append(s.never, p.token, p.cookie)
	return p
}

// agentOf is the header of an honest browser, or of something odd.
func (s *secrets) agentOf(n int) string {
	odd := []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:%[2]d.0) Gecko/20100101 Firefox/%[2]d.0 TellTale/%[1]d",
		"TellTale/%d; tell.tale@example.org",
		"'); DROP TABLE TellTale%d; --",
		`{"TellTale":%d}`,
		"TellTale%d " + strings.Repeat("9", 5000),
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 Version/17.1 Mobile/TellTale%d Safari/604.1",
	}
	agent := strings.TrimSuffix(fmt.Sprintf(odd[n%len(odd)], n, 100+n%20), fmt.Sprintf("%%!(EXTRA int=%d)", 100+n%20))
	s.agents = append(s.agents, agent)
	return agent
}

func (p *person) email() string { return p.secret("tell-tale-%d-%d@example.org", p.n, len(p.never)) }

// blob is an interaction whose user agent the server has to make of the header.
func (p *person) blob() string { return p.with(`"language":"pt-BR"`) }

func (p *person) with(format string, args ...any) string {
	return fmt.Sprintf(`{"timestamp":%d,%s,"sample_rate":1`, time.Now().UnixMilli(), identified(p.id(), fmt.Sprintf(format, args...))) + "}"
}

// identified puts the fields that a blob needs before those that it has, unless it has them.
func identified(id, fields string) string {
	if !strings.HasPrefix(fields, `"id"`) {
		fields = fmt.Sprintf(`"id":%q,%s`, id, fields)
	}
	if !strings.Contains(fields, `"event_stream"`) {
		fields = `"event_stream":[["screen.authenticate",732]],` + fields
	}
	return fields
}

func (p *person) envelope(blobs ...string) string {
	return fmt.Sprintf(`{"csrf":%q,"data":[%s]}`, p.token, strings.Join(blobs, ","))
}

// send posts a body and gives the status of the answer.
func (p *person) send(t *testing.T, body string, change func(*http.Request)) int {
	t.Helper()
	req, err := http.NewRequest("POST", p.url+"/wsapi/interaction_data", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Cookie", "brine_session="+p.cookie)
	if change != nil {
		change(req)
	}
	res := p.do(t, req)
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func (p *person) do(t *testing.T, req *http.Request) *http.Response {
	t.Helper()
	req.Header.Set("User-Agent", p.agent)
	req.Header.Set("X-Forwarded-For", p.address)
	req.Header.Set("Referer", "https://"+p.secret("tell-tale-referrer-%d.example", p.n))
	res, err := plain.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// flood is one person who does not stop.
func (s *secrets) flood(t *testing.T, b *brine) {
	t.Helper()
	p := s.arrive(t, b, 99*s.visits)
	for range 100 {
		if p.send(t, p.envelope(p.with(`"language":%q`, p.email())), nil) == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("100 requests of one person are let through")
}

// speakNoHTTP says to both doors what net/http itself refuses, and hangs up in the middle of a request.
func (s *secrets) speakNoHTTP(t *testing.T, b *brine) {
	t.Helper()
	who := s.secret("tell-tale-raw-%d", s.visits)
	for _, door := range []string{b.public, b.private} {
		addr := strings.TrimPrefix(door, "http://")
		for _, text := range []string{
			who + "\r\n\r\n",
			"GET /" + who + " HTTP/1.1\r\nHost: a\r\n" + who + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: " + who + "@\r\nUser-Agent: " + who + "\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + strings.Repeat(who, 3000) + "\r\n\r\n",
			"POST /wsapi/interaction_data HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n" + who,
			"POST /wsapi/interaction_data HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + who,
		} {
			hangUp(t, addr, text)
		}
	}
}

// hangUp says something, ends its side, and listens to the end.
func hangUp(t *testing.T, addr, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, text)
	conn.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, conn)
}

// importHistory files events of the past, good ones and others. What is printed of the others names
// their line and field, and no value.
func (s *secrets) importHistory(t *testing.T, b *brine) {
	t.Helper()
	p := &person{secrets: s, n: 7}
	history := strings.Join([]string{p.blob(), p.blob(), p.with(`"language":%q`, p.email()), p.with(`"event_stream":[[%q,5]]`, p.email()), p.email()}, "\n")
	stdout, stderr, code := b.command(strings.NewReader(history), "import", "interaction")
	if code != 1 || !strings.Contains(stdout, "2 stored") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	s.told = append(s.told, stdout+stderr...)
}

// readBadly asks the private door what it must refuse.
func (s *secrets) readBadly(t *testing.T, b *brine) {
	t.Helper()
	who := s.secret("tell-tale-reader@example.org")
	for _, path := range []string{
		"/api/v1/events/interaction?from=" + who, "/api/v1/events/interaction?cursor=" + who, "/api/v1/events/interaction?" + who + "=1",
		"/api/v1/events/" + who, "/api/v1/events/interaction?dataset=" + who, "/wsapi/interaction_data?start=" + who, "/" + who,
	} {
		req, err := http.NewRequest("GET", b.private+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", who)
		req.Header.Set("User-Agent", who)
		res, err := plain.Do(b.identify(req))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode/100 != 4 || res.StatusCode == http.StatusUnauthorized {
			t.Errorf("%s is answered %s", path, res.Status)
		}
	}
	stdout, stderr, _ := b.command(nil, "read", "interaction", "--dataset", "raw", "--from", who, "--purpose", "a test")
	s.told = append(s.told, stdout+stderr...)
}

// checkPrivacy looks at all that was printed, and at every byte and every time in the data folder.
func (b *brine) checkPrivacy(s *secrets) {
	b.tb.Helper()
	printed := append([]byte(b.output()), s.told...)
	for _, addr := range []string{b.public, b.private} { // the doors' own addresses are no client's
		printed = bytes.ReplaceAll(printed, []byte(strings.TrimPrefix(addr, "http://")), nil)
	}
	s.mustNotHold(b.tb, "what was printed", printed, s.never, s.ids, s.agents, telltales, []string{"127.0.0.1"})
	b.eventually(30*time.Second, "all files are there while they are read", func() bool {
		for path, info := range b.files() {
			if !info.Mode().IsRegular() {
				continue
			}
			content, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return false // another is in its place
			}
			if err != nil {
				b.tb.Fatal(err)
			}
			s.mustNotHold(b.tb, path, content, s.never, s.agents, telltales)
		}
		return true
	})
	b.checkModes()
	b.eventually(30*time.Second, "no file's time is finer than its hour: "+strings.Join(b.fineTimes(), ", "),
		func() bool { return len(b.fineTimes()) == 0 })
}

// telltales are in all secrets, in one spelling or another.
var telltales = []string{"telltale", "tell-tale", "tell.tale", "@example.org"}

func (s *secrets) mustNotHold(tb testing.TB, where string, content []byte, lists ...[]string) {
	tb.Helper()
	content = bytes.ToLower(content)
	for _, text := range slices.Concat(lists...) {
		for _, spelling := range []string{text, strings.ReplaceAll(text, "-", "")} {
			at := bytes.Index(content, []byte(strings.ToLower(spelling)))
			if at >= 0 {
				tb.Fatalf("%s holds %q: …%s…", where, spelling, content[max(0, at-200):min(len(content), at+200)])
			}
		}
	}
}

// files is all that is in the data folder, and itself.
func (b *brine) files() map[string]fs.FileInfo {
	b.tb.Helper()
	files := map[string]fs.FileInfo{}
	err := filepath.WalkDir(b.data, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // swept meanwhile
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if os.IsNotExist(err) {
			return nil
		}
		files[path] = info
		return err
	})
	if err != nil {
		b.tb.Fatal(err)
	}
	return files
}

// holds says whether the bytes of some file in the data folder have a text.
func (b *brine) holds(text string) bool {
	for path := range b.files() {
		if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}

func (b *brine) checkModes() {
	b.tb.Helper()
	for path, info := range b.files() {
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			b.tb.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
}

// fineTimes are the files and folders whose time is finer than the hour, but for those of the log.
func (b *brine) fineTimes() (names []string) {
	b.tb.Helper()
	for path, info := range b.files() {
		name, err := filepath.Rel(b.data, path)
		if err != nil {
			b.tb.Fatal(err)
		}
		inLog := name == "log" || strings.HasPrefix(name, "log"+string(filepath.Separator))
		if !inLog && !info.ModTime().Equal(info.ModTime().Truncate(time.Hour)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkWhatReads looks at every column of every dataset: the bytes of its files are compressed.
func (b *brine) checkWhatReads(s *secrets) {
	b.tb.Helper()
	read := func(dataset, stream string) []byte {
		stdout, stderr, code := b.command(nil, "read", stream, "--dataset", dataset, "--purpose", "a test")
		if code != 0 {
			b.tb.Fatalf("exit code %d: %s", code, stderr)
		}
		return []byte(stdout)
	}
	raw, rejected, quarantine := read("raw", "interaction"), read("rejected", "interaction"), read("quarantine", "lines")
	if !bytes.Contains(raw, []byte(s.ids[0])) || !bytes.Contains(raw, []byte(`"browser":"Firefox"`)) || !bytes.Contains(rejected, []byte(`"shape":`)) {
		b.tb.Errorf("%d bytes of raw and %d of rejected rows are not those of this session", len(raw), len(rejected))
	}
	s.mustNotHold(b.tb, "raw", raw, s.never, s.agents, telltales)
	s.mustNotHold(b.tb, "rejected", rejected, s.never, s.ids, s.agents, telltales)
	if len(quarantine) > 0 {
		b.tb.Errorf("the flush could not read %s", quarantine)
	}
}
