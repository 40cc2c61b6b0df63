package intake

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"brine/event"
	"brine/event/scan"
)

// events takes events of apps: one object or an array of them, each with $schema and meta.stream.
// It reads no cookie but that of a no, and so needs no token: what a foreign page could make a browser send is JSON
// that bears nothing of the person.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if s.optedOut(r) {
		s.nothingKept(w)
		return
	}
	now := s.Now()
	if s.turnAway(w, r, now) {
		return
	}
	if reason := checkHeader(r.Header); reason != "" {
		s.refuse(w, http.StatusUnsupportedMediaType, reason)
		return
	}
	if s.Ready() != nil {
		s.unavailable(w)
		return
	}
	d := newDelivery()
	defer d.release()
	d.arrival.Now = now
	var err error
	if d.body, err = appendBody(d.body, r); err != nil {
		s.refuseBody(w, err)
		return
	}
	if bad := s.readEvents(d); bad != nil {
		s.noteRejected(d)
		s.failWhole(w, bad)
		return
	}
	s.deliverEvents(w, d, r.URL.RawQuery != "" && r.URL.Query().Get("hasty") == "true")
}

// readEvents reads the body in one pass: an event, or an array of them. Those to be kept are
// written anew as they are met.
func (s *Server) readEvents(d *delivery) *fault {
	const send = `send one event or an array of events, each with "$schema" and "meta":{"stream":…}`
	in := scan.Scanner{Src: d.body}
	switch in.Peek() {
	case scan.End:
		return &fault{reason: "the body is empty: " + send, index: -1}
	case scan.Object:
		if f := s.readEvent(d, &in); f != nil {
			return f
		}
	case scan.Array:
		if f := s.readArray(d, &in); f != nil {
			return f
		}
	default:
		return &fault{reason: "the body is neither a JSON object nor an array: " + send, index: -1}
	}
	if err := in.Close(); err != nil {
		return &fault{reason: "something follows the JSON: send one object or one array and nothing after it", index: -1}
	}
	if d.blobs == 0 {
		return &fault{reason: "the array is empty: " + send, index: -1}
	}
	return nil
}

func (s *Server) readArray(d *delivery, in *scan.Scanner) *fault {
	in.Pos++
	for n := 0; ; n++ {
		more, err := in.More(n, ']')
		if err != nil {
			return malformed(err, n)
		}
		if !more {
			return nil
		}
		if f := s.readEvent(d, in); f != nil {
			return f
		}
	}
}

// readEvent writes one event anew into the records, or notes why it is refused or out of the sample.
func (s *Server) readEvent(d *delivery, in *scan.Scanner) *fault {
	in.Space()
	from := in.Pos
	e := &d.app
	n, problem := readBounded(e, in.Src[from:])
	if n < 0 {
		d.refuse(refusal{problem: problem, from: from, to: len(in.Src)})
		return malformed(nil, d.blobs-1)
	}
	in.Pos += n
	var stream *event.Stream
	if problem == nil {
		stream, problem = s.streamOf(d, e)
	}
	if problem == nil {
		problem = s.takeEvent(d, stream, e)
	}
	if problem != nil {
		r := refusal{problem: problem, from: from, to: in.Pos}
		if stream != nil {
			r.stream, r.columns = stream.Name, stream.Columns
		}
		d.refuse(r)
	}
	return nil
}

// readBounded reads an event, but for one that is too large: that is passed over. What is returned is as of [event.AppEvent.Read].
func readBounded(e *event.AppEvent, src []byte) (n int, problem *event.Problem) {
	if len(src) > maxBlob {
		whole := scan.Scanner{Src: src}
		if whole.Skip() == nil && whole.Pos > maxBlob {
			return whole.Pos, tooLarge
		}
	}
	return e.Read(src)
}

// streamOf is the stream that an event names.
func (s *Server) streamOf(d *delivery, e *event.AppEvent) (*event.Stream, *event.Problem) {
	name, problem := e.Stream()
	if problem != nil {
		return nil, problem
	}
	if stream, ok := s.Streams[string(name)]; ok {
		return stream, nil
	}
	if len(d.refused) == maxRefusals { // it is not told, so it need not be worded
		return nil, unknownStream
	}
	return nil, event.UnknownStream(string(name), slices.Collect(maps.Keys(s.Streams)))
}

var unknownStream = event.UnknownStream("", nil)

// takeEvent checks an event of a stream and, where it is in the sample, appends it to the records.
func (s *Server) takeEvent(d *delivery, stream *event.Stream, e *event.AppEvent) *event.Problem {
	rate := s.rate(stream.Name, d.arrival.Now)
	if rate == 0 {
		d.leaveOut(stream.Name)
		return nil
	}
	row, key, problem := stream.AppendEvent(d.row[:0], e, &d.arrival)
	if problem != nil {
		return problem
	}
	d.row = row
	if stream.Unit != "" && !s.inSample(stream.UnitOf(e), key.Time, rate) {
		d.leaveOut(stream.Name)
		return nil
	}
	d.keep(stream.Name, key, row)
	return nil
}

// deliverEvents makes the accepted events durable and answers. A hasty client learns only how many
// were stored.
func (s *Server) deliverEvents(w http.ResponseWriter, d *delivery, hasty bool) {
	if !s.store(w, d) {
		return
	}
	refused := d.refusedCount()
	f := failure{Stored: d.stored, SampledOut: d.sampledOut, Errors: d.errors(), LeftOut: d.leftOut}
	switch {
	case d.loneTooLarge():
		f.Reason = loneTooLarge
		s.fail(w, http.StatusRequestEntityTooLarge, f)
	case refused == 0 && d.stored == 0:
		s.nothingKept(w)
	case hasty:
		s.answer(w, http.StatusAccepted, append(appendCounts([]byte("{"), d), '}'))
	case refused == 0:
		s.answer(w, http.StatusCreated, append(appendCounts([]byte(`{"success":true,`), d), '}'))
	case refused == d.blobs:
		f.Reason = noneValid
		s.fail(w, http.StatusBadRequest, f)
	default:
		f.Reason = fmt.Sprintf(someRefused, refused, d.blobs)
		s.fail(w, http.StatusMultiStatus, f)
	}
}

// appendCounts appends how many events were stored and, where there are some, left out of the sample.
func appendCounts(b []byte, d *delivery) []byte {
	b = strconv.AppendInt(append(b, `"stored":`...), int64(d.stored), 10)
	if d.sampledOut > 0 {
		b = strconv.AppendInt(append(b, `,"sampled_out":`...), int64(d.sampledOut), 10)
	}
	return b
}
