package console

import (
	"math"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"brine/access/gate"
	"brine/lake"
)

// The original read API: rows as CouchDB gave them, {"id", "key": timestamp, "value": event}.

func (s *Server) couchQuery(r *http.Request) (q lake.Query, err error) {
	values, err := gate.Parameters(r, "start", "end", gate.PurposeParameter)
	if err != nil {
		return q, err
	}
	if q.Table, err = s.Lake.Table(lake.Raw, "interaction"); err != nil {
		return q, err
	}
	if q.From, err = parseTime(values, "start", math.MinInt64); err != nil {
		return q, err
	}
	if q.To, err = parseTime(values, "end", math.MaxInt64-1); err != nil {
		return q, err
	}
	if q.From > q.To {
		return q, badRequest("start is later than end")
	}
	if q.To < math.MaxInt64 {
		q.To++ // end is inclusive
	}
	return q, nil
}

func appendCouchRow(dst []byte, rows *lake.Rows, i int) []byte {
	k := rows.Key(i)
	dst = append(dst, `{"id":"`...)
	dst = append(dst, uuid.UUID(k.ID).String()...)
	dst = append(dst, `","key":`...)
	dst = strconv.AppendInt(dst, k.Time, 10)
	dst = append(dst, `,"value":`...)
	return append(rows.AppendJSON(dst, i), '}')
}

func (s *Server) couchRows(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	q, err := s.couchQuery(r)
	if err != nil {
		return err
	}
	if err := tellsItsEnd(r); err != nil {
		return err
	}
	s.completeTo(w)
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodHead {
		return nil
	}
	return s.read(r, p, q, func(rows *int64) error { return s.sendCouchRows(w, r, q, rows) })
}

func (s *Server) sendCouchRows(w http.ResponseWriter, r *http.Request, q lake.Query, sent *int64) error {
	first := true
	err := s.stream(&prefixed{w, []byte{'['}}, r, q, sent, func(dst []byte, rows *lake.Rows, i int) []byte {
		if !first {
			dst = append(dst, ',', '\n')
		}
		first = false
		return appendCouchRow(dst, rows, i)
	})
	if err != nil {
		return err
	}
	return send(w, []byte("]\n"))
}

func (s *Server) couchCount(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	q, err := s.couchQuery(r)
	if err != nil {
		return err
	}
	s.completeTo(w)
	return s.read(r, p, q, func(*int64) error { // no row leaves
		n, err := s.Lake.Count(r.Context(), q)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, n)
	})
}

// couchLast answers the newest row, or null where there is none.
func (s *Server) couchLast(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	q, err := s.couchQuery(r)
	if err != nil {
		return err
	}
	q.Descend, q.Limit = true, 1
	s.completeTo(w)
	return s.read(r, p, q, func(sent *int64) error { return s.sendCouchLast(w, r, q, sent) })
}

func (s *Server) sendCouchLast(w http.ResponseWriter, r *http.Request, q lake.Query, sent *int64) error {
	row := []byte("null")
	err := s.Lake.Scan(r.Context(), q, func(rows *lake.Rows) error {
		row, *sent = appendCouchRow(nil, rows, 0), 1
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return send(w, append(row, '\n'))
}
