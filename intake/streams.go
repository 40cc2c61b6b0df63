package intake

import (
	"encoding/json"
	"net/http"
	"time"

	"brine/event"
)

// Until is the last day on which something of a stream is taken.
type Until interface {
	Passed(now time.Time) bool
	String() string // the day, like 2027-01-01, or never
}

// rate is a stream's sample rate now: 0 also where its collection has ended.
func (s *Server) rate(stream string, now time.Time) float64 {
	if until, ok := s.CollectUntil[stream]; ok && until.Passed(now) {
		return 0
	}
	return s.Sampling.Rate(stream)
}

// rates are the sample rates of all streams now.
func (s *Server) rates(now time.Time) map[string]float64 {
	all := map[string]float64{}
	for stream := range s.Sampling.Rates() {
		all[stream] = s.rate(stream, now)
	}
	return all
}

// A streamInfo is what an app needs to know of a stream before it sends.
type streamInfo struct {
	SampleRate   float64 `json:"sample_rate"`
	Unit         string  `json:"unit,omitempty"` // absent: no install is in the sample or out of it
	Schema       string  `json:"schema"`         // $id of the newest version
	CollectUntil string  `json:"collect_until"`  // the last day, or never
}

// forMinutes lets apps ask again only after 5 minutes. Meanwhile the door judges by the rate in force, and by the epoch
// before for much longer.
var forMinutes = []string{"max-age=300"}

// streamList answers with the streams of apps. It sets no cookie and reads none.
func (s *Server) streamList(w http.ResponseWriter, _ *http.Request) {
	now := s.Now()
	streams := map[string]streamInfo{}
	for name, stream := range s.Streams {
		info := streamInfo{SampleRate: s.rate(name, now), Unit: stream.Unit, Schema: stream.Schemas[0].ID, CollectUntil: "never"}
		if until, ok := s.CollectUntil[name]; ok {
			info.CollectUntil = until.String()
		}
		streams[name] = info
	}
	body, err := json.Marshal(map[string]any{
		"server_time": event.FloorMillis(now.UnixMilli()), "sampling_epoch": s.Epoch(now), "streams": streams,
	})
	if err != nil {
		panic(err) // rates are checked to be finite
	}
	w.Header()["Cache-Control"] = forMinutes
	s.answer(w, http.StatusOK, body)
}
