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
	d, err := measureDoors(bare, brine, l)
	if err != nil {
		return f, err
	}
	by := "Go's client"
	if l.raw {
		by = "raw connections"
	}
	return figure{
		name: "durable POST, closed loop, 64 connections, " + by, measured: d.measured(), limit: d.limit(),
		ratio: fmt.Sprintf("%.2f", d.ratio), target: "ratio at least 0.60", met: d.ratio >= 0.6,
	}, nil
}

// doorFigures are medians over the rounds: of the rates, of their ratio, and of the processor time that the servers took for
// each request, which hangs less on what else the machine does.
type doorFigures struct {
	rate, bareRate, ratio float64
	cpu, bareCPU          time.Duration
}

func (d doorFigures) measured() string { return fmt.Sprintf("%.0f/s, %s of CPU each", d.rate, d.cpu) }

func (d doorFigures) limit() string {
	return fmt.Sprintf("%.0f/s, %s bare net/http", d.bareRate, d.bareCPU)
}

// measureDoors measures the bare door and the durable one in turn.
func measureDoors(bare, brine *process, l load) (d doorFigures, err error) {
	var ratios, limits, rates []float64
	var costs, bareCosts []time.Duration
	l.connections = connections
	for range doorRounds {
		l.duration = 4 * time.Second
		a, cost, err := l.against(bare)
		if err != nil {
			return d, err
		}
		bareCosts = append(bareCosts, cost)
		l.duration = 11 * time.Second // two flushes are in it
		b, cost, err := l.against(brine)
		if err != nil {
			return d, err
		}
		costs = append(costs, cost)
		if b.errors > 0 {
			return d, fmt.Errorf("%d of %d durable posts were not answered with success", b.errors, b.requests)
		}
		ratios, limits, rates = append(ratios, b.perSecond()/a.perSecond()), append(limits, a.perSecond()), append(rates, b.perSecond())
	}
	return doorFigures{median(rates), median(limits), median(ratios), median(costs), median(bareCosts)}, nil
}

// against runs the load against a server, and tells the processor time that this took for each request.
func (l load) against(p *process) (r result, cost time.Duration, err error) {
	l.addr = p.public
	before := p.cpu()
	if r, err = l.run(); err == nil && r.requests > 0 {
		cost = ((p.cpu() - before) / time.Duration(r.requests)).Round(100 * time.Nanosecond)
	}
	return r, cost, err
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
	d, err := measureDoors(bare, brine, load{raw: true, events: true})
	if err != nil {
		return nil, err
	}
	return []figure{{
		name: "durable POST /v1/events, one event each, raw connections", measured: d.measured(), limit: d.limit(),
		ratio: fmt.Sprintf("%.2f", d.ratio), target: "at least 20,000/s", met: d.rate >= 20_000,
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
