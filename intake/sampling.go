package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// minRate is the smallest rate but 0: a count weighted by its inverse still means something.
	minRate = 0.0001
	// rateMemory is how long a rate is accepted after it was changed: events may be 7 days
	// old, and their client may have asked for the rate a day before.
	rateMemory = 8 * 24 * time.Hour
)

// Sampling knows the sample rate of each stream: the one in force now, which can be set at any
// time and is 0 where nothing is to be collected, and those that were in force in the last 8
// days, by which events are still weighted. Reading takes no lock.
type Sampling struct {
	path  string
	mu    sync.Mutex // held to change state
	state atomic.Pointer[samplingState]
}

// samplingState is never changed, only replaced.
type samplingState struct {
	rates    map[string]float64    // in force now
	history  map[string][]pastRate // in force before, newest last
	accepted map[string][]float64  // both, without 0 and without what was too long ago
	lapses   time.Time             // when one of accepted is to be forgotten
}

// A pastRate is a rate that was in force until a time, which is floored to the hour.
type pastRate struct {
	Rate  float64   `json:"rate"`
	Until time.Time `json:"until"`
}

// lapses is when the rate is no longer accepted: as Until is floored, up to an hour late.
func (p pastRate) lapses() time.Time { return p.Until.Add(time.Hour + rateMemory) }

// samplingFile is what the history file holds: the rates last set and those before.
type samplingFile struct {
	Rates   map[string]float64    `json:"rates"`
	History map[string][]pastRate `json:"history"`
}

// OpenSampling reads the history at path, where there is one, and puts rates in force. Streams
// that rates does not name have the rate 0. Errors: rates outside 0.0001..1 that are not 0, and
// a history that cannot be read or written.
func OpenSampling(path string, rates map[string]float64, now time.Time) (*Sampling, error) {
	s := &Sampling{path: path}
	old, err := readSampling(path)
	if err != nil {
		return nil, err
	}
	s.state.Store(newSamplingState(old.Rates, old.History, now))
	return s, s.Set(rates, now)
}

func readSampling(path string) (f samplingFile, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &f)
	}
	if err != nil {
		return f, fmt.Errorf("the sampling history %s: %w (without the file Brine starts, and refuses events sampled at rates that were in force before)", path, err)
	}
	return f, nil
}

// Set puts rates in force at once, and remembers those before. An error of the rates changes
// nothing; an error of the file leaves the new rates in force, for 0 must work on a full disk.
func (s *Sampling) Set(rates map[string]float64, now time.Time) error {
	for stream, rate := range rates {
		if rate != 0 && !(minRate <= rate && rate <= 1) {
			return fmt.Errorf("sampling.%s: %v is no sample rate, want 0 or %v to 1", stream, rate, minRate)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.state.Load()
	if maps.Equal(old.rates, rates) {
		return nil
	}
	history := maps.Clone(old.history)
	for stream, rate := range old.rates {
		if rates[stream] != rate && rate != 0 {
			past := pastRate{Rate: rate, Until: now.UTC().Truncate(time.Hour)}
			history[stream] = appendPast(history[stream], past)
		}
	}
	state := newSamplingState(maps.Clone(rates), history, now)
	s.state.Store(state)
	if err := s.save(state, now); err != nil {
		return fmt.Errorf("the new sample rates are in force, but their history is not stored: %w", err)
	}
	return nil
}

// appendPast returns a new slice in which each rate is once, with when it was last in force.
func appendPast(history []pastRate, past pastRate) []pastRate {
	same := func(p pastRate) bool { return p.Rate == past.Rate }
	return append(slices.DeleteFunc(slices.Clone(history), same), past)
}

func (s *Sampling) save(state *samplingState, now time.Time) error {
	content, err := json.Marshal(samplingFile{Rates: state.rates, History: state.history})
	if err != nil {
		return err
	}
	return replaceFile(s.path, append(content, '\n'), now)
}

// Rate is the stream's rate in force now, 0 for a stream that is not known.
func (s *Sampling) Rate(stream string) float64 { return s.state.Load().rates[stream] }

// Rates are all rates in force now. The map is shared: it is only to be read.
func (s *Sampling) Rates() map[string]float64 { return s.state.Load().rates }

// Accepted are the rates that the stream's events may bear: the one in force now, and those that were
// in the last 8 days. The slice is shared: it is only to be read.
func (s *Sampling) Accepted(stream string, now time.Time) []float64 {
	state := s.state.Load()
	if now.After(state.lapses) {
		state = s.forget(now)
	}
	return state.accepted[stream]
}

func (s *Sampling) forget(now time.Time) *samplingState {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.state.Load()
	state := newSamplingState(old.rates, old.history, now)
	s.state.Store(state)
	return state
}

func newSamplingState(rates map[string]float64, history map[string][]pastRate, now time.Time) *samplingState {
	state := &samplingState{
		rates:    rates,
		history:  map[string][]pastRate{},
		accepted: map[string][]float64{},
		lapses:   now.Add(rateMemory),
	}
	for stream, rate := range rates {
		state.accept(stream, rate)
	}
	for stream, past := range history {
		for _, p := range past {
			if p.lapses().Before(now) {
				continue
			}
			state.history[stream] = append(state.history[stream], p)
			state.accept(stream, p.Rate)
			if p.lapses().Before(state.lapses) {
				state.lapses = p.lapses()
			}
		}
	}
	return state
}

func (s *samplingState) accept(stream string, rate float64) {
	if rate != 0 && !slices.Contains(s.accepted[stream], rate) {
		s.accepted[stream] = append(s.accepted[stream], rate)
	}
}
