package intake

import (
	"sync/atomic"
)

// statuses are the answers that are counted; what else there may be is counted as 0.
var statuses = [...]int{0, 200, 201, 202, 204, 207, 303, 304, 400, 403, 404, 405, 413, 415, 429, 503}

// Stats counts what the door did since it opened. Nothing in it tells one client from another.
type Stats struct {
	answers      [len(statuses)]atomic.Uint64
	streams      map[string]*streamStats // made by open and not changed after; "" is of events that name no stream that there is
	refused      [len(codes)]atomic.Uint64
	recorded     atomic.Uint64
	unrecorded   atomic.Uint64
	groups       atomic.Uint64
	groupsFailed atomic.Uint64
	groupBytes   atomic.Uint64
	panics       atomic.Uint64
}

type streamStats struct{ stored, sampledOut, refused atomic.Uint64 }

// open makes room for the counters of streams.
func (s *Stats) open(streams ...string) {
	s.streams = map[string]*streamStats{"": {}}
	for _, name := range streams {
		s.streams[name] = &streamStats{}
	}
}

// StreamSnapshot is what became of the events of one stream.
type StreamSnapshot struct {
	Stored     uint64 // were made durable
	SampledOut uint64 // were not to be kept: out of the sample, or of a stream that is not collected
	Refused    uint64
}

// A Snapshot is the counters of [Stats] at one time.
type Snapshot struct {
	Answers            map[int]uint64            // by HTTP status, all routes
	Stored             uint64                    // events that were made durable
	SampledOut         uint64                    // events of apps that were not to be kept: out of the sample, or of a stream that is not collected
	Refused            map[string]uint64         // events that were refused, by code of [event.Problem]
	Streams            map[string]StreamSnapshot // the same events, by stream; "" is of those that name none that there is
	RejectedRecorded   uint64                    // refused events that the rejected dataset has a row of
	RejectedUnrecorded uint64                    // refused events that are only counted
	Groups             uint64                    // groups that were made durable
	GroupsFailed       uint64                    // groups that were not
	GroupBytes         uint64                    // bytes of the groups that were
	Panics             uint64                    // requests that ended in a panic and were answered 503
}

// Snapshot reads all counters. Those of 0 are left out of the maps.
func (s *Stats) Snapshot() Snapshot {
	snap := Snapshot{
		Answers:            map[int]uint64{},
		Refused:            map[string]uint64{},
		Streams:            map[string]StreamSnapshot{},
		RejectedRecorded:   s.recorded.Load(),
		RejectedUnrecorded: s.unrecorded.Load(),
		Groups:             s.groups.Load(),
		GroupsFailed:       s.groupsFailed.Load(),
		GroupBytes:         s.groupBytes.Load(),
		Panics:             s.panics.Load(),
	}
	for i, status := range statuses {
		if n := s.answers[i].Load(); n > 0 {
			snap.Answers[status] = n
		}
	}
	for i, code := range codes {
		if n := s.refused[i].Load(); n > 0 {
			snap.Refused[code] = n
		}
	}
	for name, c := range s.streams {
		of := StreamSnapshot{c.stored.Load(), c.sampledOut.Load(), c.refused.Load()}
		if of != (StreamSnapshot{}) {
			snap.Streams[name] = of
		}
		snap.Stored += of.Stored
		snap.SampledOut += of.SampledOut
	}
	return snap
}

// took counts the events of a delivery that are stored or left out.
func (s *Stats) took(d *delivery) {
	for _, of := range d.tallies {
		s.streams[of.stream].stored.Add(uint64(of.stored))
		s.streams[of.stream].sampledOut.Add(uint64(of.sampledOut))
	}
}

func (s *Stats) answered(status int) {
	for i := range statuses {
		if statuses[i] == status {
			s.answers[i].Add(1)
			return
		}
	}
	s.answers[0].Add(1)
}

// refuse counts a refused event; stream is "" where it names none that there is.
func (s *Stats) refuse(stream, code string) {
	s.streams[stream].refused.Add(1)
	for i := range codes {
		if codes[i] == code {
			s.refused[i].Add(1)
			return
		}
	}
}
