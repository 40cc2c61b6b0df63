package client_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/client"
)

// serverTime is what the door tells as its time: a multiple of 10 minutes.
const serverTime = 1795268400000

// noAnswer stands for a server that closes the connection instead of answering.
const noAnswer = 0

// blob is an interaction as it arrives.
type blob struct {
	ID          string            `json:"id"`
	Timestamp   int64             `json:"timestamp"`
	EventStream [][]any           `json:"event_stream"`
	SampleRate  float64           `json:"sample_rate"`
	Dialog      string            `json:"dialog"`
	Release     string            `json:"release"`
	Experiments map[string]string `json:"experiments"`
	EmailType   string            `json:"email_type"`
	Emails      *int              `json:"number_emails"`
	NewAccount  *bool             `json:"new_account"`
	Language    string            `json:"language"`
}

// door is a small fake of the public door, which answers as it is told and keeps what it got.
type door struct {
	*httptest.Server

	mu      sync.Mutex
	context string           // body of the session context; "" answers 503
	status  int              // of the answers to posts
	token   string           // the token that posts must bear
	got     []string         // bodies of the posts
	taken   []blob           // what was answered with 200
	held    chan struct{}    // where set, answers to posts wait until it is closed
	streams string           // body of /v1/streams
	asked   int              // how often the session context was asked for
	events  []map[string]any // what was posted to /v1/events and answered with 201
	forgets []string         // bodies of the posts to /v1/forget
	choices []string         // bodies of the posts to /privacy/opt-out
}

func openDoor(t *testing.T) *door {
	t.Helper()
	d := &door{status: http.StatusOK, token: "first"}
	d.context = `{"csrf_token":"first","server_time":1795268400000,"data_sample_rate":1,"opted_out":false}`
	mux := http.NewServeMux()
	mux.HandleFunc("GET /wsapi/session_context", d.sessionContext)
	mux.HandleFunc("POST /wsapi/interaction_data", d.interactionData)
	mux.HandleFunc("GET /v1/streams", d.streamRates)
	mux.HandleFunc("POST /v1/events", d.appEvent)
	mux.HandleFunc("POST /v1/forget", d.forget)
	mux.HandleFunc("POST /privacy/opt-out", d.optOut)
	mux.HandleFunc("GET /brine.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write(client.Library())
	})
	mux.HandleFunc("GET /brine.mjs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		http.ServeFile(w, r, "dist/brine.mjs")
	})
	mux.HandleFunc("GET /blank", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><html lang="pt-BR"><title>Blank</title><script src="/brine.js"></script>
			<script>
				var dialog;
				function hide(hidden) {
					Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
					document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
				}
			</script>`)
	})
	mux.Handle("GET /demo/", http.StripPrefix("/demo/", strict(http.FileServerFS(client.Demo()))))
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	return d
}

// strict serves with a policy under which inline scripts and styles do not run.
func strict(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		next.ServeHTTP(w, r)
	})
}

// sessionContext answers as the public door does: with a cookie, unless the person has opted out.
func (d *door) sessionContext(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	context := d.context
	switch _, err := r.Cookie("brine_optout"); {
	case context == "":
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case err == nil || r.Header.Get("Sec-Gpc") == "1" || r.Header.Get("Dnt") == "1" && !strings.Contains(context, `"dnt":false`):
		context = strings.Replace(context, `"opted_out":false`, `"opted_out":true`, 1)
	case !strings.Contains(context, `"opted_out":true`):
		http.SetCookie(w, &http.Cookie{Name: "brine_session", Value: "s", Path: "/wsapi", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	_, _ = io.WriteString(w, context)
}

func (d *door) streamRates(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = io.WriteString(w, d.streams)
}

func (d *door) appEvent(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var event map[string]any
	_, err := r.Cookie("brine_optout")
	switch body, _ := io.ReadAll(r.Body); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case json.Unmarshal(body, &event) != nil:
		w.WriteHeader(http.StatusBadRequest)
	case d.status != http.StatusOK:
		w.WriteHeader(d.status)
	default:
		d.events = append(d.events, event)
		w.WriteHeader(http.StatusCreated)
	}
}

func (d *door) forget(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forgets = append(d.forgets, string(body))
	if d.status != http.StatusOK {
		w.WriteHeader(d.status)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (d *door) optOut(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.choices = append(d.choices, string(body))
	if d.status != http.StatusOK {
		w.WriteHeader(d.status)
		return
	}
	cookie := &http.Cookie{Name: "brine_optout", Value: "1", Path: "/", MaxAge: 34560000}
	if strings.Contains(string(body), "false") {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
	_, _ = io.WriteString(w, `{"success":true}`)
}

// look runs what reads or writes the door's fields.
func (d *door) look(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *door) interactionData(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if held := d.note(string(body)); held != nil {
		<-held
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var post struct {
		CSRF string `json:"csrf"`
		Data blob   `json:"data"`
	}
	switch err := json.Unmarshal(body, &post); {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case d.status == noAnswer:
		panic(http.ErrAbortHandler)
	case d.status != http.StatusOK:
		w.WriteHeader(d.status)
	case post.CSRF != d.token:
		w.WriteHeader(http.StatusForbidden)
	default:
		d.taken = append(d.taken, post.Data)
		_, _ = io.WriteString(w, `{"success":true,"stored":1}`)
	}
}

// note keeps the body of a post, and gives what its answer is to wait for.
func (d *door) note(body string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, body)
	return d.held
}

// hold makes the answers to posts wait until release is called.
func (d *door) hold(t *testing.T) (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := make(chan struct{})
	d.held = held
	release = sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.held = nil
		close(held)
	})
	t.Cleanup(release) // a server closes only when it has answered
	return release
}

// answer sets the status of the answers to posts from now on.
func (d *door) answer(status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.status = status
}

// tell sets the session context from now on.
func (d *door) tell(context string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.context = context
}

// expireToken makes the token that was told worthless, and tells another one.
func (d *door) expireToken() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.context = strings.Replace(d.context, d.token, "second", 1)
	d.token = "second"
}

// posts gives the bodies of all posts so far, answered with success or not.
func (d *door) posts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.got)
}

// stored gives the blobs that were answered with success.
func (d *door) stored() []blob {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.taken)
}

func (d *door) waitForPosts(t *testing.T, n int) {
	t.Helper()
	poll(t, "posts to arrive", func() bool { return len(d.posts()) >= n })
}

// onlyBlob gives the one blob that was stored.
func (d *door) onlyBlob(t *testing.T) blob {
	t.Helper()
	stored := d.stored()
	if len(stored) != 1 {
		t.Fatalf("%d blobs were stored, want 1", len(stored))
	}
	return stored[0]
}

// names gives the names of a blob's events.
func names(b blob) []string {
	var names []string
	for _, entry := range b.EventStream {
		name, _ := entry[0].(string)
		names = append(names, name)
	}
	return names
}

// poll waits until done is true, and fails the test when it is not in time.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for pause := 10 * time.Millisecond; time.Now().Before(deadline); pause = min(pause*5/4, 200*time.Millisecond) { // the page needs the machine
		if done() {
			return
		}
		<-time.After(pause)
	}
	t.Fatalf("waited in vain for %s", what)
}
