package docs_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"brine/event"
	"brine/intake"
	"brine/kpi"
)

// The receipt door answers as openapi.yaml says.
func TestReceiptDoor(t *testing.T) {
	doc := mustDescription(t)
	var broken error
	door := &intake.Receipt{
		Append: func(context.Context, uuid.UUID, []byte) error { return broken },
		Forget: func(string) error { return broken },
		Ready:  func() error { return nil },
		Known:  func(dataset, stream string) bool { return dataset == event.DatasetRaw && stream == event.Interaction },
		Collector: func(token string) (string, error) {
			if token != "good" {
				return "", intake.ErrNoCollector
			}
			return "web1", nil
		},
		Logger: slog.New(slog.DiscardHandler),
	}
	if err := door.Open(); err != nil {
		t.Fatal(err)
	}
	packer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	pack := func(text string) string { return string(packer.EncodeAll([]byte(text), nil)) }
	group := pack(string(event.AppendRecord(nil, event.Record{Dataset: event.DatasetRaw, Stream: event.Interaction, Row: []byte(`{}`)})))
	good := map[string]string{"Authorization": "Bearer good", "Content-Encoding": "zstd"}
	var samples []sample
	for path, body := range map[string]string{"/v1/groups/": group, "/v1/forgets/": pack("an-install-id")} {
		add := func(status int, s sample) {
			s.route, s.status = "PUT "+path+"{id}", status
			if s.path == "" {
				s.path = path + uuid.NewString()
			}
			if s.body == "" {
				s.body = body
			}
			if s.header == nil {
				s.header = good
			}
			samples = append(samples, s)
		}
		add(200, sample{})
		add(400, sample{path: path + "1"})
		add(401, sample{header: map[string]string{"Authorization": "Bearer bad"}})
		add(413, sample{body: pack(strings.Repeat("x", intake.MaxGroup+1))})
		add(415, sample{header: map[string]string{"Authorization": "Bearer good"}})
		add(422, sample{body: pack("")})
		add(503, sample{before: func() { broken = errors.New("no disk") }, after: func() { broken = nil }})
	}
	totals := publishedTotals(t, t.TempDir())
	door.Totals = totals.ServeEdition
	tag := httptest.NewRecorder()
	totals.ServeEdition(tag, httptest.NewRequest("GET", "/v1/published", nil))
	defs := totals.Definitions
	const published = "GET /v1/published"
	samples = append(samples, sample{route: published, status: 200}, sample{route: published, status: 304, header: map[string]string{"If-None-Match": tag.Header().Get("ETag")}},
		sample{route: published, status: 404, before: func() { totals.Definitions = kpi.None }, after: func() { totals.Definitions = defs }})
	hold(t, doc, operations(doc, "receipt"), door.Handler(), samples)
}
