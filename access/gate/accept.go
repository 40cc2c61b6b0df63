package gate

import (
	"net/http"
	"strconv"
	"strings"
)

// accepted is one media range of an Accept header.
type accepted struct {
	pattern string // in lower case; "" is anything
	quality float64
}

// parseAccept reads an Accept header (RFC 9110, 12.5.1). A quality that is none counts as 0.
func parseAccept(header string) (all []accepted) {
	for part := range strings.SplitSeq(header, ",") {
		pattern, parameters, _ := strings.Cut(part, ";")
		a := accepted{strings.ToLower(strings.TrimSpace(pattern)), 1}
		for p := range strings.SplitSeq(parameters, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(name, "q") {
				a.quality = parseQuality(value)
			}
		}
		all = append(all, a)
	}
	return all
}

func parseQuality(text string) float64 {
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// specificity is 0 where the range does not cover the media type, else more the closer it names it.
func (a accepted) specificity(mediaType string) int {
	kind, _, _ := strings.Cut(mediaType, "/")
	switch a.pattern {
	case mediaType:
		return 3
	case kind + "/*":
		return 2
	case "*/*", "":
		return 1
	}
	return 0
}

// Prefers gives which of some media types a request's Accept header likes best: of two that it likes the same, the one
// that it covers first, and then the one that stands first. It gives -1 where it wants none.
func Prefers(r *http.Request, mediaTypes ...string) int {
	all := parseAccept(strings.Join(r.Header.Values("Accept"), ","))
	best, quality, place := -1, 0.0, 0
	for i, mediaType := range mediaTypes {
		q, at := rank(all, mediaType)
		if q > quality || q == quality && q > 0 && at < place {
			best, quality, place = i, q, at
		}
	}
	return best
}

// rank gives the quality and the place of the closest range that covers the media type.
func rank(all []accepted, mediaType string) (quality float64, place int) {
	closest := 0
	for i, a := range all {
		if s := a.specificity(mediaType); s > closest {
			closest, quality, place = s, a.quality, i
		}
	}
	return quality, place
}
