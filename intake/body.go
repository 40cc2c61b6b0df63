package intake

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

const (
	maxBody = 256 << 10 // bytes of a request
	maxBlob = 10 << 10  // bytes of one event
)

var errBodyTooLarge = errors.New("the body is larger than 256 kB: send fewer blobs in one request")

// appendBody appends the request's body to buf. The buffer grows with what has arrived, not
// with what was announced, and never over maxBody.
func appendBody(buf []byte, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return buf, errBodyTooLarge
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Body.Read(buf[len(buf):min(cap(buf), maxBody+1)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > maxBody:
			return buf, errBodyTooLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// checkHeader tells what is wrong with how the body is announced, "" if nothing is.
func checkHeader(h http.Header) string {
	if c := h["Content-Encoding"]; len(c) > 1 || len(c) == 1 && !strings.EqualFold(c[0], "identity") {
		return "compressed bodies are not read here: send it without Content-Encoding"
	}
	if c := h["Content-Type"]; len(c) != 1 || !isJSON(c[0]) {
		return "send JSON, with Content-Type: application/json"
	}
	return ""
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	mediaType, params, err := mime.ParseMediaType(contentType)
	charset, set := params["charset"]
	return err == nil && mediaType == "application/json" && (!set || strings.EqualFold(charset, "utf-8"))
}
