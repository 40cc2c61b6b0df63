package event

// AppEvent is an event of an app as it was read: it is JSON that Brine can hold, and no more is known.
// The stream that it names checks the rest.
type AppEvent struct{ fields map[string]any }

// ReadAppEvent reads the one JSON object that src begins with. It refuses what encoding/json would
// let pass: repeated keys, lone surrogates, numbers that no column holds.
//
// n is how many bytes were read, also of an event that is refused; -1 where src is no JSON.
func ReadAppEvent(src []byte) (e AppEvent, n int, p *Problem) {
	e.fields, n, p = decodeEvent(src)
	return e, n, p
}

// Stream is the stream that the event names in meta.stream.
func (e AppEvent) Stream() (name string, p *Problem) {
	const path = "/meta/stream"
	switch name := valueAt(e.fields, "meta.stream").(type) {
	case nil:
		return "", missing(path)
	case string:
		return name, nil
	}
	return "", refuse(CodeType, path, "the name of a stream was expected")
}

// UnknownStream is the problem of an event that names a stream which is none of the known ones.
func UnknownStream(name string, known []string) *Problem {
	if name == Interaction {
		return refuse(CodeValue, "/meta/stream", "the stream of an app was expected: interactions go to POST /wsapi/interaction_data")
	}
	return refuse(CodeValue, "/meta/stream", "the name of a stream that the server has was expected"+inBrackets(LikelyFix(name, known)))
}
