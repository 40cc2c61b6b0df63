package intake_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"brine/intake"
)

// A quietWriter takes an answer and allocates nothing.
type quietWriter struct {
	header http.Header
	status int
}

func (w *quietWriter) Header() http.Header         { return w.header }
func (w *quietWriter) WriteHeader(status int)      { w.status = status }
func (w *quietWriter) Write(p []byte) (int, error) { return len(p), nil }

// A poster sends the same request again and again, without net/http around it.
type poster struct {
	handler http.Handler
	request *http.Request
	body    *bytes.Reader
	writer  quietWriter
}

func newPoster(d *door, data string) *poster {
	r := d.request("", "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0")
	return posterOf(d, r, d.envelope(data))
}

// newEventPoster sends an event of an app.
func newEventPoster(d *door, data string) *poster {
	r := httptest.NewRequest("POST", "/v1/events", nil)
	r.Header.Set("Content-Type", "application/json")
	return posterOf(d, r, data)
}

func posterOf(d *door, r *http.Request, text string) *poster {
	body := bytes.NewReader([]byte(text))
	r.Body, r.ContentLength = io.NopCloser(body), body.Size()
	return &poster{handler: d.handler, request: r, body: body, writer: quietWriter{header: http.Header{}}}
}

func (p *poster) post(b *testing.B) {
	p.body.Seek(0, io.SeekStart)
	clear(p.writer.header)
	p.handler.ServeHTTP(&p.writer, p.request)
	if p.writer.status != 200 && p.writer.status != 201 {
		b.Fatal("status", p.writer.status)
	}
}

// BenchmarkInteractionData is the cost of one sample blob but for net/http and the log.
func BenchmarkInteractionData(b *testing.B) {
	limits := func(s *intake.Server) {
		s.Append = func(context.Context, []byte) error { return nil }
		s.RateLimit, s.RateBurst = 1e9, 1e6
	}
	b.Run("alone", func(b *testing.B) {
		p := newPoster(openDoor(b, limits), blob(nil))
		b.ReportAllocs()
		for b.Loop() {
			p.post(b)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		d := openDoor(b, limits)
		b.ReportAllocs()
		b.SetParallelism(32)
		before := cpuTime()
		b.RunParallel(func(pb *testing.PB) {
			p := newPoster(d, blob(nil))
			for pb.Next() {
				p.post(b)
			}
		})
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
	})
}

// BenchmarkEvents is the cost of one event of an app but for net/http and the log.
func BenchmarkEvents(b *testing.B) {
	d := openAppDoor(b, func(s *intake.Server) {
		s.Append = func(context.Context, []byte) error { return nil }
		s.RateLimit, s.RateBurst = 1e9, 1e6
	})
	if err := d.Sampling.Set(map[string]float64{"session": 0.999999}, time.Now()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(32)
	before := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		p := newEventPoster(d, appEvent(nil))
		for pb.Next() {
			p.post(b)
		}
	})
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is what the process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGroupCommit tells how many of 64 clients share a group while one takes 200 µs, as
// one fsync does: the more, the fewer groups for the same requests.
func BenchmarkGroupCommit(b *testing.B) {
	const clients = 64
	d := openDoor(b, func(s *intake.Server) {
		s.Append = func(context.Context, []byte) error {
			time.Sleep(200 * time.Microsecond)
			return nil
		}
	})
	posters := make([]*poster, clients)
	for i := range posters {
		posters[i] = newPoster(d, blob(nil))
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	for _, p := range posters {
		wg.Go(func() {
			for range b.N {
				p.post(b)
			}
		})
	}
	wg.Wait()
	stats := d.Stats()
	b.ReportMetric(float64(stats.Stored)/float64(stats.Groups), "events/group")
	b.ReportMetric(float64(stats.Stored)/b.Elapsed().Seconds(), "events/s")
}
