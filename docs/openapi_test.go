package docs_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"brine/config"
	"brine/docs"
)

// mustDescription is openapi.yaml, itself in order: its examples too are as its schemas say.
func mustDescription(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(docs.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// operations are those of a door: "GET /v1/streams".
func operations(doc *openapi3.T, tag string) map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if slices.Contains(op.Tags, tag) {
				all[method+" "+path] = op
			}
		}
	}
	return all
}

// sample is a request that gets a status.
type sample struct {
	route  string // as in operations
	status int
	path   string // where it is not the route's
	body   string
	header map[string]string // Content-Type is application/json where there is a body and it says nothing else
	old    bool              // over HTTP/1.0
	before func()            // what is broken for it
	after  func()            // mended again
}

func (c sample) request() *http.Request {
	method, path, _ := strings.Cut(c.route, " ")
	if c.path != "" {
		path = c.path
	}
	r := httptest.NewRequest(method, "http://localhost"+path, strings.NewReader(c.body))
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	if c.old {
		r.Proto, r.ProtoMinor = "HTTP/1.0", 0
	}
	return r
}

// hold sends each sample and wants the answer that the description has for it, and a sample for each status of each operation.
func hold(t *testing.T, doc *openapi3.T, ops map[string]*openapi3.Operation, handler http.Handler, samples []sample) {
	t.Helper()
	shown := map[string]bool{}
	for _, c := range samples {
		name := fmt.Sprint(c.route, " ", c.status)
		shown[name] = true
		t.Run(name, func(t *testing.T) {
			if c.before != nil {
				c.before()
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, c.request())
			if c.after != nil {
				c.after()
			}
			if w.Code != c.status {
				t.Fatalf("status %d, %s", w.Code, w.Body)
			}
			op := ops[c.route]
			if op == nil {
				t.Fatal("no such operation in openapi.yaml")
			}
			described := op.Responses.Value(fmt.Sprint(c.status))
			if described == nil {
				t.Fatal("openapi.yaml does not have this status")
			}
			if err := matches(doc, described.Value, w); err != nil {
				t.Error(err)
			}
		})
	}
	for route, op := range ops {
		for status, response := range op.Responses.Map() {
			if !shown[route+" "+status] {
				t.Errorf("%s %s: no request shows it", route, status)
			}
			for media, content := range response.Value.Content {
				if content.Example == nil {
					t.Errorf("%s %s: %s has no example", route, status, media)
				}
			}
		}
	}
}

// matches wants the headers, the media type and the body that a response describes.
func matches(doc *openapi3.T, response *openapi3.Response, w *httptest.ResponseRecorder) error {
	for name, h := range response.Headers {
		if h.Value.Required && w.Header().Get(name) == "" {
			return fmt.Errorf("no header %s", name)
		}
	}
	if len(response.Content) == 0 {
		if media := w.Header().Get("Content-Type"); strings.Contains(media, "json") {
			return fmt.Errorf("a body of %s, and none is described", media)
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if err != nil {
		return err
	}
	content := response.Content[media]
	if content == nil {
		return fmt.Errorf("the answer is %s, which is not described", media)
	}
	if media != "application/json" {
		return nil
	}
	var body any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		return err
	}
	return doc.ValidateSchemaJSON(content.Schema.Value, body)
}

func wantRoutes(t *testing.T, described map[string]*openapi3.Operation, real []string) {
	t.Helper()
	var names []string
	for name := range described {
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Sort(real)
	if !slices.Equal(names, real) {
		t.Errorf("openapi.yaml has\n%s\nand the door\n%s", strings.Join(names, "\n"), strings.Join(real, "\n"))
	}
}

// An operation is asked for at its own door: the default addresses of the config.
func TestServers(t *testing.T) {
	doc := mustDescription(t)
	defaults := config.Default()
	for tag, addr := range map[string]string{"public": defaults.Public.Addr, "private": defaults.Private.Addr} {
		for route, op := range operations(doc, tag) {
			servers := doc.Servers
			if op.Servers != nil {
				servers = *op.Servers
			}
			if len(servers) != 1 || servers[0].URL != "http://"+addr {
				t.Errorf("%s is said to be at %v, and is at %s", route, servers, addr)
			}
		}
	}
}

// A description that is wrong is found out: the tests can fail.
func TestDescriptionCanFail(t *testing.T) {
	doc := mustDescription(t)
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteString(`{"success":true,"stored":1,"user":"ada"}`)
	if err := matches(doc, doc.Components.Responses["Stored"].Value, w); err == nil {
		t.Error("a field that is not described is taken")
	}
}

// only are the operations with these statuses alone, and without those that have none of them.
func only(ops map[string]*openapi3.Operation, statuses ...string) map[string]*openapi3.Operation {
	return filtered(ops, func(status string) bool { return slices.Contains(statuses, status) })
}

// without are the operations but for these statuses.
func without(ops map[string]*openapi3.Operation, statuses ...string) map[string]*openapi3.Operation {
	return filtered(ops, func(status string) bool { return !slices.Contains(statuses, status) })
}

func filtered(ops map[string]*openapi3.Operation, keep func(status string) bool) map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for route, op := range ops {
		left := *op
		left.Responses = openapi3.NewResponsesWithCapacity(0)
		for status, response := range op.Responses.Map() {
			if keep(status) {
				left.Responses.Set(status, response)
			}
		}
		all[route] = &left
	}
	return all
}
