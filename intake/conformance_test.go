package intake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"brine/event"
)

// A browser is a client with cookies, over a real connection.
type browser struct {
	*http.Client
	url, token string
}

func openBrowser(t *testing.T, d *door) *browser {
	t.Helper()
	server := httptest.NewServer(d.Handler())
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{Client: server.Client(), url: server.URL}
	b.Jar = jar
	res, err := b.Get(b.url + "/wsapi/session_context")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var context struct {
		Token string `json:"csrf_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&context); err != nil {
		t.Fatal(err)
	}
	b.token = context.Token
	return b
}

func (b *browser) post(t *testing.T, data string) (int, answer) {
	t.Helper()
	body := `{"csrf":"` + b.token + `","data":` + data + `}`
	res, err := b.Post(b.url+"/wsapi/interaction_data", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode, decode(t, res.Body)
}

func readShared(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile("../../shared/" + path)
	if os.IsNotExist(err) {
		t.Skip("skipped: ../shared/" + path + " is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestConformance(t *testing.T) {
	var file struct {
		Cases []struct {
			Name   string
			Data   json.RawMessage
			Status int
			Path   string
		}
	}
	if err := json.Unmarshal(readShared(t, "conformance/interaction.json"), &file); err != nil {
		t.Fatal(err)
	}
	d := openDoor(t)
	b := openBrowser(t, d)
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			status, a := b.post(t, withTime(c.Data))
			if status != c.Status {
				t.Fatalf("status %d, want %d: %+v", status, c.Status, a)
			}
			if c.Path != "" && (len(a.Errors) != 1 || a.Errors[0].Path != c.Path) {
				t.Errorf("errors %+v, want the path %s", a.Errors, c.Path)
			}
		})
	}
}

// withTime puts times in for "T" and "T+123456". Everything else stays as it is written.
func withTime(data []byte) string {
	t := event.FloorMillis(time.Now().UnixMilli())
	data = bytes.ReplaceAll(data, []byte(`"T"`), strconv.AppendInt(nil, t, 10))
	return string(bytes.ReplaceAll(data, []byte(`"T+123456"`), strconv.AppendInt(nil, t+123456, 10)))
}

func TestRealInteraction(t *testing.T) {
	var file struct{ Data map[string]json.RawMessage }
	if err := json.Unmarshal(readShared(t, "realdata/interaction-real.json"), &file); err != nil {
		t.Fatal(err)
	}
	file.Data["timestamp"] = mustJSON(t, time.Now().UnixMilli())
	d := openDoor(t)
	if status, a := openBrowser(t, d).post(t, string(mustJSON(t, file.Data))); status != 200 {
		t.Fatalf("status %d: %+v", status, a)
	}
	var row map[string]json.RawMessage
	if err := json.Unmarshal(d.log.records(t, event.DatasetRaw)[0].Row, &row); err != nil {
		t.Fatal(err)
	}
	if got, want := string(row["event_stream"]), string(file.Data["event_stream"]); got != want {
		t.Errorf("event_stream\ngot  %s\nwant %s", got, want)
	}
}

// TestHead has HEAD give the headers of GET, over a real connection.
func TestHead(t *testing.T) {
	b := openBrowser(t, openDoor(t))
	res, err := b.Head(b.url + "/__lbheartbeat__")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || len(body) != 0 {
		t.Errorf("%d, %d bytes", res.StatusCode, len(body))
	}
}
