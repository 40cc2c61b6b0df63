package event

import "brine/event/scan"

// AppEvent is an event of an app as it was read: it is JSON that Brine can hold, and no more is known.
// The stream that it names checks the rest. Its zero value is ready, and can be used for one event after the other.
type AppEvent struct{ tree }

// Read reads the one JSON object that src begins with, whose memory it goes on using. It refuses what
// encoding/json would let pass: repeated keys, lone surrogates, numbers that no column holds.
//
// n is how many bytes were read, also of an event that is refused; -1 where src is no JSON.
func (e *AppEvent) Read(src []byte) (n int, p *Problem) { return e.read(src) }

var streamPath = []string{"meta", "stream"}

// Stream is the stream that the event names in meta.stream. It is valid until the next Read.
func (e *AppEvent) Stream() (name []byte, p *Problem) {
	const path = "/meta/stream"
	at, ok := e.at(streamPath)
	switch {
	case !ok:
		return nil, missing(path)
	case e.nodes[at].typ != scan.String:
		return nil, refuse(CodeType, path, "the name of a stream was expected")
	}
	return e.nodes[at].value, nil
}

// UnknownStream is the problem of an event that names a stream which is none of the known ones.
func UnknownStream(name string, known []string) *Problem {
	if name == Interaction {
		return refuse(CodeValue, "/meta/stream", "the stream of an app was expected: interactions go to POST /wsapi/interaction_data")
	}
	return refuse(CodeValue, "/meta/stream", "the name of a stream that the server has was expected"+inBrackets(LikelyFix(name, known)))
}
