package main

import (
	"fmt"
	"time"
)

// connections is how many keep-alive connections a load has.
const connections = 64

// doorRounds is how often the bare handler and the durable door are measured in turn.
const doorRounds = 5

// door compares the durable POST with a bare handler, in a closed loop, under two loads: Go's HTTP
// client, and raw connections, which leave more of the processor to the servers and so show more
// of what lies between them.
func (s *suite) door() (figures []figure, err error) {
	bare, err := startBare()
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	brine, err := s.serveBrine("door")
	if err != nil {
		return nil, err
	}
	defer brine.stop()
	for _, l := range []load{{}, {raw: true}} {
		f, err := compareDoors(bare, brine, l)
		if err != nil {
			return nil, err
		}
		figures = append(figures, f)
	}
	return figures, nil
}

func compareDoors(bare, brine *process, l load) (f figure, err error) {
	rate, limit, ratio, err := measureDoors(bare, brine, l)
	if err != nil {
		return f, err
	}
	by := "Go's client"
	if l.raw {
		by = "raw connections"
	}
	return figure{
		name: "durable POST, closed loop, 64 connections, " + by, measured: fmt.Sprintf("%.0f/s", rate),
		limit: fmt.Sprintf("%.0f/s bare net/http", limit), ratio: fmt.Sprintf("%.2f", ratio), target: "ratio at least 0.60", met: ratio >= 0.6,
	}, nil
}

// measureDoors gives the median rates of the durable door and of the bare one, measured in turn, and the median of their ratio.
func measureDoors(bare, brine *process, l load) (rate, limit, ratio float64, err error) {
	var ratios, limits, rates []float64
	l.connections = connections
	for range doorRounds {
		l.addr, l.duration = bare.public, 4*time.Second
		a, err := l.run()
		if err != nil {
			return 0, 0, 0, err
		}
		l.addr, l.duration = brine.public, 11*time.Second // two flushes are in it
		b, err := l.run()
		if err != nil {
			return 0, 0, 0, err
		}
		if b.errors > 0 {
			return 0, 0, 0, fmt.Errorf("%d of %d durable posts were not answered with success", b.errors, b.requests)
		}
		ratios, limits, rates = append(ratios, b.perSecond()/a.perSecond()), append(limits, a.perSecond()), append(rates, b.perSecond())
	}
	return median(rates), median(limits), median(ratios), nil
}

// appEvents compares the durable POST of an app's event with the bare handler.
func (s *suite) appEvents() ([]figure, error) {
	bare, err := startBare()
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	brine, err := s.serveBrine("events")
	if err != nil {
		return nil, err
	}
	defer brine.stop()
	rate, limit, ratio, err := measureDoors(bare, brine, load{raw: true, events: true})
	if err != nil {
		return nil, err
	}
	return []figure{{
		name: "durable POST /v1/events, one event each, raw connections", measured: fmt.Sprintf("%.0f/s", rate),
		limit: fmt.Sprintf("%.0f/s bare net/http", limit), ratio: fmt.Sprintf("%.2f", ratio), target: "at least 20,000/s", met: rate >= 20_000,
	}}, nil
}

// hold sends 15,000 requests a second for a while.
func (s *suite) hold() ([]figure, error) {
	const rate = 15_000
	brine, err := s.serveBrine("hold")
	if err != nil {
		return nil, err
	}
	defer brine.stop()
	r, err := load{addr: brine.public, connections: connections, rate: rate, duration: s.seconds, raw: true}.run()
	if err != nil {
		return nil, err
	}
	errors, p99, peak := float64(r.errors)/float64(r.requests), r.percentile(0.99), brine.rss("VmHWM")
	name := fmt.Sprintf("15,000 posts/s held for %s", s.seconds)
	return []figure{
		{name: name + ": rate", measured: fmt.Sprintf("%.0f/s", r.perSecond()), limit: "15000/s offered", ratio: fmt.Sprintf("%.3f", r.perSecond()/rate), target: "at least 0.99", met: r.perSecond() >= 0.99*rate},
		{name: name + ": errors", measured: fmt.Sprintf("%.3f %%", 100*errors), limit: "0", target: "at most 0.1 %", met: errors <= 0.001},
		{name: name + ": p99", measured: r.latencies99(), limit: fmt.Sprintf("p50 %s", r.percentile(0.5).Round(10*time.Microsecond)), target: "at most 50 ms", met: p99 <= 50*time.Millisecond},
		{name: name + ": peak memory (RSS)", measured: megabytes(peak), limit: "", target: "at most 500 MB", met: peak <= 500<<20},
	}, nil
}

func (r result) latencies99() string { return r.percentile(0.99).Round(10 * time.Microsecond).String() }

func megabytes(n int64) string { return fmt.Sprintf("%d MB", n>>20) }
