package console

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"brine/access/audit"
	"brine/access/gate"
)

// What the role privacy sees and does: the audit, and erasures.

// audit answers a page of the audit, the newest first. That it was read is recorded as any read.
func (s *Server) audit(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	values, err := gate.Parameters(r, "who", "action", "dataset", "stream", "from", "to", "read", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := parseLimit(values.Get("limit"))
	if err != nil {
		return err
	}
	f := audit.Filter{Who: values.Get("who"), Action: audit.Action(values.Get("action")), Dataset: values.Get("dataset"), Stream: values.Get("stream")}
	if text := values.Get("read"); text != "" {
		if f.Read, err = strconv.ParseUint(text, 10, 64); err != nil {
			return badRequest("read is not the number of a record")
		}
	}
	for name, at := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		ms, err := parseTime(values, name, noTime)
		if err != nil {
			return err
		}
		if *at = recordTime(ms); at.IsZero() && ms != noTime {
			return badRequest(name + " lies beyond the years 1 to 9999")
		}
	}
	if !f.From.IsZero() && !f.To.IsZero() && f.From.After(f.To) {
		return badRequest("from lies after to")
	}
	if f.Action != "" && !f.Action.Known() {
		return badRequest("no such action: there are " + audit.Actions())
	}
	rec := audit.Record{Who: p.Name, Via: p.Via, Route: r.Pattern, Dataset: "audit", From: f.From, To: f.To}
	return s.recorded(r, rec, func(sent *int64) error {
		page, err := s.Audit(r.Context(), f, values.Get("cursor"), limit)
		if errors.Is(err, audit.ErrCursor) {
			return badRequest(err.Error())
		}
		if err != nil {
			return err
		}
		*sent = int64(len(page.Entries))
		return writeJSON(w, http.StatusOK, page)
	})
}

// noTime is before every time that can be told.
const noTime = -1 << 63

// maxErasure is the size of the body that asks for one.
const maxErasure = 16 << 10

// erase hands on a request to erase, after it is recorded that somebody asked. What is to be erased is in no record.
func (s *Server) erase(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return refusal(http.StatusUnsupportedMediaType, `send {"unit": install id} as application/json`)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxErasure))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return refusal(http.StatusRequestEntityTooLarge, "the body is over 16 kB")
	}
	if err != nil {
		return badRequest("the body broke off")
	}
	take, err := s.Erase(body)
	if err != nil {
		return err
	}
	rec := audit.Record{Action: audit.Erasure, Who: p.Name, Via: p.Via, Route: r.Pattern, Outcome: "asked for"}
	if _, err := s.Gate.Audit.Append(rec); err != nil {
		s.Logger.Error("an erasure could not be recorded, so it is refused", "err", err)
		return refusal(http.StatusServiceUnavailable, "the erasure cannot be recorded, so it is refused: tell whoever runs Brine")
	}
	number, receipt, err := take()
	if err != nil {
		return err
	}
	rec.Outcome, rec.Note = "taken", "receipt "+number
	if _, err := s.Gate.Audit.Append(rec); err != nil { // it is taken all the same, and recorded again when it is complete
		s.Logger.Error("the receipt of an erasure could not be recorded", "err", err)
	}
	return writeJSON(w, http.StatusAccepted, receipt)
}

func (s *Server) receipt(w http.ResponseWriter, r *http.Request, _ gate.Person) error {
	receipt, err := s.Receipt(r.PathValue("receipt"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, receipt)
}
