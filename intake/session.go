package intake

import (
	"encoding/json"
	"net/http"
	"time"

	"brine/event"
)

// schemaVersion is that of the interaction schema, for clients to know what they may send.
const schemaVersion = 1

// A sessionContext is what a client needs before it records.
type sessionContext struct {
	CSRFToken     *string            `json:"csrf_token"`       // null for who has opted out: nothing is to be sent
	ServerTime    int64              `json:"server_time"`      // ms, floored to 10 minutes
	SampleRate    float64            `json:"data_sample_rate"` // of interactions
	SampleRates   map[string]float64 `json:"sample_rates"`     // of all streams
	SamplingEpoch string             `json:"sampling_epoch"`
	SchemaVersion int                `json:"schema_version"`
	OptedOut      bool               `json:"opted_out"`
	Consent       string             `json:"consent"` // what silence means: opt-out or opt-in
	DNT           bool               `json:"dnt"`     // whether "DNT: 1" counts as a no
}

// sessionContext answers with the session's context and, where there is none yet, its cookie.
func (s *Server) sessionContext(w http.ResponseWriter, r *http.Request) {
	now := s.Now()
	c := sessionContext{
		ServerTime:    event.FloorMillis(now.UnixMilli()),
		SampleRate:    s.rate(event.Interaction, now),
		SampleRates:   s.rates(now),
		SamplingEpoch: s.Epoch(now),
		SchemaVersion: schemaVersion,
		OptedOut:      s.optedOut(r),
		Consent:       s.Consent,
		DNT:           s.DNT,
	}
	if !c.OptedOut {
		token := s.signer.Load().token(s.session(w, r), now)
		c.CSRFToken = &token
	}
	body, err := json.Marshal(c)
	if err != nil {
		panic(err) // rates are checked to be finite
	}
	w.Header()["Cache-Control"] = noStore
	s.answer(w, http.StatusOK, body)
}

// session returns the request's session; where it has none it begins one that ends with the browser's.
func (s *Server) session(w http.ResponseWriter, r *http.Request) string {
	if session := cookie(r.Header, sessionCookie); validSession(session) {
		return session
	}
	session := newSession()
	http.SetCookie(w, &http.Cookie{
		Name:     sessionCookie,
		Value:    session,
		Path:     sessionPath,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
		Secure:   s.TrustedProxies.OverTLS(r),
	})
	return session
}

// CalendarQuarter names the start of the calendar quarter (UTC) that a time lies in, YYYYMMDDHH:
// the sampling epoch where salts last for a calendar quarter.
func CalendarQuarter(now time.Time) string {
	year, month, _ := now.UTC().Date()
	first := month - (month-1)%3
	return time.Date(year, first, 1, 0, 0, 0, 0, time.UTC).Format("2006010215")
}
