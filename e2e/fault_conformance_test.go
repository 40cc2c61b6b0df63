package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every case of the conformance file is answered as it says, over HTTP, and what was stored reads
// back from the private door as it was sent, but for what the case says.
func TestConformance(t *testing.T) {
	var file struct {
		Cases []struct {
			Name      string
			Data      json.RawMessage
			Status    int
			Path      string
			ReadsBack json.RawMessage `json:"reads_back"`
		}
	}
	decode(t, readShared(t, "conformance/interaction.json"), &file)
	b := startBrine(t)
	s := b.session()
	want := map[string]any{} // by id
	names := map[string]string{}
	for _, c := range file.Cases {
		id, sent := withID(t, withTime(c.Data))
		r := s.post(t, string(sent))
		if r.status != c.Status {
			t.Errorf("%s: answered %d %s, want %d", c.Name, r.status, r.body, c.Status)
		}
		if c.Path != "" {
			checkPath(t, c.Name, r, c.Path)
		}
		if c.Status == http.StatusOK {
			want[id], names[id] = readBack(t, sent, withTime(c.ReadsBack)), c.Name
		}
	}
	for _, e := range b.readAll("interaction") {
		id := e.id()
		checkEvent(t, names[id], e, want[id])
		delete(want, id)
	}
	for id := range want {
		t.Errorf("%s: not read back", names[id])
	}
}

// A real use of a dialog is stored and reads back as it was sent, with the time of now.
func TestRealInteraction(t *testing.T) {
	var file struct{ Data map[string]any }
	decode(t, readShared(t, "realdata/interaction-real.json"), &file)
	id := newID()
	file.Data["id"], file.Data["timestamp"] = id, time.Now().UnixMilli()
	sent, err := json.Marshal(file.Data)
	if err != nil {
		t.Fatal(err)
	}
	b := startBrine(t)
	b.session().mustStore(t, string(sent))
	got := b.readAll("interaction")
	if len(got) != 1 {
		t.Fatalf("%d events", len(got))
	}
	checkEvent(t, "the real one", got[0], readBack(t, sent, withTime([]byte(`{"timestamp":"T"}`))))
}

// readShared reads a file of the folder that lies beside the project. Where the project is alone,
// a small one in testdata stands for it.
func readShared(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../shared", path))
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("NOT the whole file: ../shared/%s is not here, so this runs with the few cases of testdata", path)
		content, err = os.ReadFile(filepath.Join("testdata", filepath.Base(path)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// withTime puts times in for "T" and "T+123456". Everything else stays as it is written.
func withTime(data []byte) []byte {
	const slot = 600_000
	now := time.Now().UnixMilli() / slot * slot
	data = bytes.ReplaceAll(data, []byte(`"T"`), strconv.AppendInt(nil, now, 10))
	return bytes.ReplaceAll(data, []byte(`"T+123456"`), strconv.AppendInt(nil, now+123456, 10))
}

// withID gives the id of a blob; one that has none gets one, and keeps all else as it is written.
func withID(t *testing.T, blob []byte) (id string, with []byte) {
	t.Helper()
	var fields event
	if json.Unmarshal(blob, &fields) != nil || len(fields) == 0 || fields["id"] != nil {
		return fields.id(), blob
	}
	id = newID()
	return id, fmt.Appendf(nil, `{"id":%q,%s`, id, bytes.TrimSpace(blob)[1:])
}

// readBack is what has to be read of an event: what was sent, with the version of the browser
// made coarse, and over it what the case says.
func readBack(t *testing.T, sent, over []byte) any {
	t.Helper()
	var want map[string]any
	decode(t, sent, &want)
	maps.DeleteFunc(want, func(_ string, v any) bool { return v == nil })
	if agent, ok := want["user_agent"].(map[string]any); ok {
		agent["version"], _, _ = strings.Cut(fmt.Sprint(agent["version"]), ".") // the major number
	}
	if len(over) > 0 {
		decode(t, over, &want)
	}
	return want
}

// checkEvent compares what was read. What the server adds is left out where it was not sent.
func checkEvent(t *testing.T, name string, e event, want any) {
	t.Helper()
	row, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	decode(t, row, &got)
	sent, _ := want.(map[string]any)
	for _, added := range []string{"received", "user_agent"} {
		if _, ok := sent[added]; !ok {
			delete(got, added)
		}
	}
	if !reflect.DeepEqual(got, sent) {
		t.Errorf("%s: read back\n%v\nwant\n%v", name, got, sent)
	}
}

func checkPath(t *testing.T, name string, r reply, path string) {
	t.Helper()
	var answer struct{ Errors []struct{ Path string } }
	decode(t, r.body, &answer)
	if len(answer.Errors) != 1 || answer.Errors[0].Path != path {
		t.Errorf("%s: %s, want the path %s", name, r.body, path)
	}
}

func decode(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
