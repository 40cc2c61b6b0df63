// Package metrics is what a Brine tells Prometheus of itself: every metric's name and labels, and the handler that a scrape asks.
//
// It imports nothing of the house. Sources, which cmd/brine makes of the same figures that brine status shows, are asked at each scrape;
// samples go out. Labels are names from the config and words from lists, so there are few of them, and none tells of a person.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Put adds a sample to a scrape. labels are the values of the family's labels, in their order.
type Put func(f *Family, value float64, labels ...string)

// A Source puts the samples of one part of the house, as of now. With an error the scrape has what was put before it.
type Source func(ctx context.Context, put Put) error

// Registry gathers what one process exports. Its methods before [Registry.Handler] are not for several goroutines.
type Registry struct {
	all     *prometheus.Registry
	sources []namedSource
}

type namedSource struct {
	name string
	Source
}

// New makes a registry that has Go's own metrics, the process's, and the version.
func New(version string) *Registry {
	r := &Registry{all: prometheus.NewRegistry()}
	r.all.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), r)
	r.Add("build", func(_ context.Context, put Put) error {
		put(BuildInfo, 1, version)
		return nil
	})
	return r
}

// Add has a source asked at each scrape. The name is the label of [SourceOK], and no other source's.
func (r *Registry) Add(name string, s Source) { r.sources = append(r.sources, namedSource{name, s}) }

// Histogram makes the one histogram of a family, in seconds.
func (r *Registry) Histogram(f *Family) func(took time.Duration) {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: f.Name, Help: f.Help, Buckets: buckets})
	r.all.MustRegister(h)
	return func(took time.Duration) { h.Observe(took.Seconds()) }
}

// buckets are coarse: they tell an SSD from a slow disk, and both from a time-out.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

// Gatherer is for tests.
func (r *Registry) Gatherer() prometheus.Gatherer { return r.all }

// Handler answers a scrape, in Prometheus's text format or as OpenMetrics. Who comes while two are being answered gets 503.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 2, EnableOpenMetrics: true})
}

// Describe implements [prometheus.Collector].
func (r *Registry) Describe(to chan<- *prometheus.Desc) {
	for _, f := range Families() {
		if f.Kind != Histogram {
			to <- f.desc
		}
	}
}

// patience is how long the sources of one scrape may take together. Prometheus waits 10 seconds by default.
const patience = 8 * time.Second

// Collect implements [prometheus.Collector].
func (r *Registry) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	put := func(f *Family, value float64, labels ...string) {
		m, err := prometheus.NewConstMetric(f.desc, f.valueType(), value, labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(f.desc, err)
		}
		to <- m
	}
	for _, s := range r.sources {
		err := s.Source(ctx, put)
		put(SourceOK, Bool(err == nil), s.name)
	}
}

// Bool is 1 for true and 0 for false.
func Bool(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Time puts a moment in seconds since 1970, and nothing where there is none.
func (put Put) Time(f *Family, t time.Time, labels ...string) {
	if !t.IsZero() {
		put(f, float64(t.UnixMilli())/1000, labels...)
	}
}
