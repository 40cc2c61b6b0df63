package intake_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"brine/event"
	"brine/intake"
)

const aRecord = "raw interaction 1795268400000 3f2504e04f8941d39a0c0305e82c3301 {\"timestamp\":1795268400000}\n"

// receiptOf is an open receipt door whose log is these groups.
func receiptOf(t *testing.T, groups *[]string) *intake.Receipt {
	t.Helper()
	d := &intake.Receipt{
		Append: func(_ context.Context, _ uuid.UUID, group []byte) error {
			*groups = append(*groups, string(group))
			return nil
		},
		Forget: func(string) error { return nil },
		Ready:  func() error { return nil },
		Known: func(dataset, stream string) bool {
			return (dataset == "raw" || dataset == "rejected") && stream == "interaction"
		},
		Collector: func(token string) (string, error) {
			if token != "good" {
				return "", intake.ErrNoCollector
			}
			return "web1", nil
		},
	}
	if err := d.Open(); err != nil {
		t.Fatal(err)
	}
	return d
}

func packed(t *testing.T, body string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll([]byte(body), nil)
}

func put(d *intake.Receipt, path, token string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPut, path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Encoding", "zstd")
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, r)
	return w
}

// A group with one id is appended once, and answered each time.
func TestReceiptStoresOnce(t *testing.T) {
	var groups []string
	d := receiptOf(t, &groups)
	path := "/v1/groups/" + uuid.NewString()
	for range 2 {
		if w := put(d, path, "good", packed(t, aRecord)); w.Code != http.StatusOK {
			t.Fatalf("answered %d %s", w.Code, w.Body)
		}
	}
	if len(groups) != 1 || groups[0] != aRecord {
		t.Errorf("appended %q, want the group once", groups)
	}
}

// Who may not send a record is told so, and nothing of the group is appended; the credential is the token's collector.
func TestReceiptAdmits(t *testing.T) {
	var groups []string
	d := receiptOf(t, &groups)
	d.Admits = func(by func() string, r event.Record) error {
		if by() != "token web1" || r.Stream != "interaction" {
			t.Errorf("%s sends %s", by(), r.Stream)
		}
		if string(r.Row) == "{}" {
			return errors.New("not this one")
		}
		return nil
	}
	bad := strings.Replace(aRecord, `{"timestamp":1795268400000}`, "{}", 1)
	if w := put(d, "/v1/groups/"+uuid.NewString(), "good", packed(t, aRecord+bad)); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "record 2: not this one") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if w := put(d, "/v1/groups/"+uuid.NewString(), "good", packed(t, aRecord)); w.Code != http.StatusOK || len(groups) != 1 {
		t.Errorf("answered %d %s, and %d groups are appended", w.Code, w.Body, len(groups))
	}
}

// What no collector sends is refused, by name, and never appended.
func TestReceiptRefuses(t *testing.T) {
	id := uuid.NewString()
	for name, c := range map[string]struct {
		path, token string
		body        []byte
		status      int
		reason      string
	}{
		"a wrong token":     {"/v1/groups/" + id, "bad", packed(t, aRecord), 401, "no collector has this token"},
		"no token":          {"/v1/groups/" + id, "", packed(t, aRecord), 401, "show a collector's token"},
		"no id":             {"/v1/groups/7", "good", packed(t, aRecord), 400, "UUID of version 4"},
		"no zstd":           {"/v1/groups/" + id, "good", []byte(aRecord), 400, "not zstd"},
		"a bomb":            {"/v1/groups/" + id, "good", packed(t, strings.Repeat("a", 64<<20)), 413, "unpacked"},
		"too large":         {"/v1/groups/" + id, "good", make([]byte, 5<<20), 413, "4 MiB"},
		"nothing":           {"/v1/groups/" + id, "good", packed(t, ""), 422, "expected records"},
		"no record":         {"/v1/groups/" + id, "good", packed(t, "hello\n"), 422, "record 1"},
		"an unknown stream": {"/v1/groups/" + id, "good", packed(t, aRecord+strings.Replace(aRecord, "interaction", "other", 1)), 422, "record 2 is of a dataset or stream"},
		"another dataset":   {"/v1/groups/" + id, "good", packed(t, strings.Replace(aRecord, "raw", "sanitized", 1)), 422, "record 1 is of a dataset"},
		"a row of no JSON":  {"/v1/groups/" + id, "good", packed(t, strings.TrimSuffix(aRecord, "}\n")+"\n"), 422, "not JSON"},
		"a lone surrogate":  {"/v1/groups/" + id, "good", packed(t, strings.Replace(aRecord, "1795268400000}", `"\ud800"}`, 1)), 422, "not JSON in UTF-8"},
		"two values":        {"/v1/groups/" + id, "good", packed(t, strings.Replace(aRecord, "}", "}{}", 1)), 422, "not JSON"},
		"a forget of none":  {"/v1/forgets/" + id, "good", packed(t, ""), 422, "install id"},
	} {
		var groups []string
		w := put(receiptOf(t, &groups), c.path, c.token, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.reason) {
			t.Errorf("%s: answered %d %s, want %d with %q", name, w.Code, w.Body, c.status, c.reason)
		}
		if len(groups) > 0 {
			t.Errorf("%s: it was appended", name)
		}
	}
}

// What cannot be stored is answered 503, and stored when it comes again.
func TestReceiptCannotStore(t *testing.T) {
	var groups []string
	d := receiptOf(t, &groups)
	works := d.Append
	d.Append = func(context.Context, uuid.UUID, []byte) error { return errors.New("the disk is full") }
	path := "/v1/groups/" + uuid.NewString()
	if w := put(d, path, "good", packed(t, aRecord)); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d, want 503 with Retry-After", w.Code)
	}
	d.Append = works
	if w := put(d, path, "good", packed(t, aRecord)); w.Code != http.StatusOK || len(groups) != 1 {
		t.Errorf("answered %d with %d groups appended, want 200 with one", w.Code, len(groups))
	}
}

// A collector can write, and read nothing.
func TestReceiptServesNothingElse(t *testing.T) {
	var groups []string
	d := receiptOf(t, &groups)
	for _, path := range []string{"/", "/v1/groups/" + uuid.NewString(), "/v1/events", "/v1/data/interaction", "/privacy", "/metrics"} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		d.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: answered %d", path, w.Code)
		}
	}
}
