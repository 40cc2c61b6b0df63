package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxUnit is how many bytes of an install id are taken: no event is larger.
const maxUnit = maxBlob

var (
	forgotten    = []byte(`{"success":true}`)
	cannotForget = []byte(`{"success":false,"reason":"the request could not be kept: send it again later"}`)
)

// forget takes the request of whoever holds an install id to erase it. The answer is the same whatever
// there is of that install. No cookie is read, and no signal of a person keeps it from being heard.
func (s *Server) forget(w http.ResponseWriter, r *http.Request) {
	if s.turnAway(w, r, s.Now()) {
		return
	}
	if reason := checkHeader(r.Header); reason != "" {
		s.refuse(w, http.StatusUnsupportedMediaType, reason)
		return
	}
	body, err := appendBody(nil, r)
	if err != nil {
		s.refuseBody(w, err)
		return
	}
	unit, err := ReadUnit(body)
	switch {
	case err != nil:
		s.refuse(w, http.StatusBadRequest, err.Error())
	case len(unit) > maxUnit:
		s.refuse(w, http.StatusRequestEntityTooLarge, "the install id has more than 10 kB: no event could hold it")
	case s.Forget(unit) != nil:
		s.cannotForget(w)
	default:
		w.Header()["Cache-Control"] = noStore
		s.answer(w, http.StatusAccepted, forgotten)
	}
}

func (s *Server) cannotForget(w http.ResponseWriter) {
	w.Header()["Retry-After"] = tryLater
	w.Header()["Cache-Control"] = noStore
	s.answer(w, http.StatusServiceUnavailable, cannotForget)
}

var errForget = errors.New(`send {"unit": install id}, a string or an integer, and nothing else`)

// ReadUnit reads {"unit": install id}, and nothing that could be read in two ways: what is erased does not come back. An id that
// is an integer is its decimal text.
func ReadUnit(body []byte) (string, error) {
	in := json.NewDecoder(bytes.NewReader(body))
	in.UseNumber()
	var all [4]json.Token // { unit value }
	for i := range all {
		var err error
		if all[i], err = in.Token(); err != nil || !utf8.Valid(body) {
			return "", errForget
		}
	}
	if all[0] != json.Delim('{') || all[1] != "unit" || all[3] != json.Delim('}') {
		return "", errForget
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return "", errForget
	}
	switch unit := all[2].(type) {
	case string:
		if strings.TrimSpace(unit) != "" {
			return unit, nil
		}
	case json.Number:
		if !strings.ContainsAny(unit.String(), ".eE") {
			return unit.String(), nil
		}
	}
	return "", errForget
}
