package console

import (
	"errors"
	"net/http"
	"time"

	"brine/access/audit"
	"brine/access/gate"
	"brine/lake"
)

// read does a read between its two records: the beginning is durable before do may send a row, and the end says how many it sent.
func (s *Server) read(r *http.Request, p gate.Person, q lake.Query, do func(sent *int64) error) (err error) {
	return s.recorded(r, readOf(r, p, q), do)
}

func (s *Server) recorded(r *http.Request, rec audit.Record, do func(sent *int64) error) (err error) {
	if s.Begin == nil { // [Server.Local]
		return do(new(int64))
	}
	end, err := s.Begin(rec)
	if err != nil {
		s.Logger.Error("a read could not be recorded, so it is refused", "route", r.Pattern, "err", err)
		return refusal(http.StatusServiceUnavailable, "the read cannot be recorded, so it is refused: tell whoever runs Brine")
	}
	var sent int64
	outcome := "failed" // also of a panic
	defer func() {
		if err := end(sent, outcome); err != nil {
			s.Logger.Error("the end of a read could not be recorded", "route", r.Pattern, "err", err)
		}
	}()
	err = do(&sent)
	var lost *gate.Lost
	switch {
	case errors.As(err, &lost):
		outcome = "cut: " + lost.Error()
	case err == nil:
		outcome = "ok"
	case r.Context().Err() != nil:
		outcome = "cut"
	}
	return err
}

func readOf(r *http.Request, p gate.Person, q lake.Query) audit.Record {
	return audit.Record{
		Who: p.Name, Via: p.Via, Route: r.Pattern, Purpose: p.Purpose,
		Dataset: q.Table.Dataset, Stream: q.Table.Stream, From: recordTime(q.From), To: recordTime(q.To),
	}
}

// recordTime is a bound of a range, none where it is no time that JSON can tell: then it bounds nothing either.
func recordTime(ms int64) time.Time {
	t := time.UnixMilli(ms).UTC()
	if y := t.Year(); y < 1 || y > 9999 {
		return time.Time{}
	}
	return t
}
