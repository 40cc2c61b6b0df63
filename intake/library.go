package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"brine/door"
)

// library serves the browser library, to pages of any origin: it holds no secret and reads no cookie.
func (s *Server) library(w http.ResponseWriter, r *http.Request) {
	if len(s.Library) == 0 {
		s.refuse(w, http.StatusNotFound, "this server was built without the browser library")
		return
	}
	h := w.Header()
	h.Set("ETag", s.libraryID)
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	door.NoSniff(h)
	h.Set("SourceMap", "/brine.js.map")
	if strings.Contains(r.Header.Get("If-None-Match"), s.libraryID) {
		s.stats.answered(http.StatusNotModified)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	s.stats.answered(http.StatusOK)
	w.Write(s.Library)
}

// libraryMap serves the library's source map, for those who debug a page.
func (s *Server) libraryMap(w http.ResponseWriter, _ *http.Request) {
	if len(s.LibraryMap) == 0 {
		s.refuse(w, http.StatusNotFound, "this server was built without the library's source map")
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	s.answer(w, http.StatusOK, s.LibraryMap)
}

func etag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}
