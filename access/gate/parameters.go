package gate

import (
	"net/http"
	"net/url"
	"strings"
)

// Parameters reads the query string strictly: an unknown or repeated name is refused.
func Parameters(r *http.Request, known ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, malformed("the query string is malformed")
	}
	left := len(values)
	for _, name := range known {
		if len(values[name]) > 1 {
			return nil, malformed(name + " is given more than once")
		}
		if values.Has(name) {
			left--
		}
	}
	switch {
	case left > 0 && len(known) == 0:
		return nil, malformed("this takes no query parameters: leave out all behind the ?")
	case left > 0:
		return nil, malformed("an unknown query parameter; known are " + strings.Join(known, ", "))
	}
	return values, nil
}

func malformed(reason string) error { return &Error{Status: http.StatusBadRequest, Reason: reason} }
