package intake

import (
	"encoding/json"
	"net/http"
	"runtime"
	"runtime/debug"
)

// heartbeat tells whether events can be stored now: 200, or 503. Why they cannot names folders and
// settings, which is nothing for the public: the operator finds it in the log and in brine status.
// What else is out of order is a warning: events are taken as ever.
func (s *Server) heartbeat(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Cache-Control"] = noStore
	if s.Ready() != nil {
		w.Header()["Retry-After"] = tryLater
		s.answer(w, http.StatusServiceUnavailable, mustJSON(map[string]any{
			"success": false, "status": "error", "reason": "events cannot be stored now",
			"checks": map[string]string{"storage": "error"},
		}))
		return
	}
	status, checks := "ok", map[string]string{"storage": "ok"}
	for name, check := range s.Checks {
		if checks[name] = "ok"; check() != nil {
			status, checks[name] = "warn", "error"
		}
	}
	s.answer(w, http.StatusOK, mustJSON(map[string]any{"success": true, "status": status, "checks": checks}))
}

// alive tells a load balancer that the process answers.
func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Cache-Control"] = noStore
	s.answer(w, http.StatusOK, []byte(`{"success":true,"status":"ok"}`))
}

func (s *Server) versionInfo(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Cache-Control"] = noStore
	s.answer(w, http.StatusOK, s.version)
}

// versionJSON is what /__version__ gives: the version, the commit that was built ("" where the
// build does not tell) and what it was built with.
func versionJSON(version string) []byte {
	v := map[string]string{
		"name": "brine", "version": version, "commit": "",
		"build": runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				v["commit"] = setting.Value
			}
		}
	}
	return mustJSON(v)
}

// mustJSON is for values that are strings and maps of them, which always encode.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
