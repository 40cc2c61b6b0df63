package console

import (
	_ "embed"
	"html/template"
	"net/http"

	"brine/access"
	"brine/access/gate"
)

// start is a route as the start page shows it.
type start struct {
	Need access.Role
	Path string // "" where it takes more than a click
	Text string
}

var starts = []start{
	{access.Viewer, "/api/v1/status", "How things stand"},
	{access.Analyst, "/api/v1/events/interaction", "Sanitized interactions, a page"},
	{access.Raw, "", "/api/v1/events/{stream}?dataset=raw, rejected or quarantine, and /wsapi/interaction_data: with X-Purpose"},
	{access.Privacy, "/privacy-board", "What is held, and who read what"},
	{access.Privacy, "/api/v1/audit", "Who did what"},
	{access.Privacy, "", "POST /api/v1/erasures"},
}

const startText = `Brine, the private door.

  GET /api/v1/events/{stream}?dataset=&from=&to=      sanitized by default (analyst); raw, rejected, quarantine (raw, with X-Purpose: why)
                                                      from inclusive, to exclusive: RFC 3339 or ms
      Accept: application/x-ndjson                    all of it, streamed; neither limit nor cursor
      Accept: application/json                        pages: &limit=1000&cursor=
      Accept: text/csv
      Accept: application/vnd.apache.parquet
  GET /wsapi/interaction_data?start=&end=             rows as {id, key, value}, ms, both inclusive (raw, with X-Purpose: why)
  GET /wsapi/interaction_data/count
  GET /wsapi/interaction_data/last
  GET /api/v1/kpi/overview|funnel|segments|arrivals   figures, as JSON or CSV (viewer): ?from=2026-11-01&to=2026-11-29&only=browser:Firefox
  GET /api/v1/kpi/changes, /api/v1/kpi/changes/{name} whether a change helped (viewer)
  GET /openapi.yaml                                   all of this for programs
  GET /api/v1/status                                  (viewer)
  GET /api/v1/audit?who=&action=&from=&to=            (privacy)
  POST /api/v1/erasures                               {"unit": install id} (privacy)
  GET /api/v1/erasures/{receipt}                      (privacy)
`

var (
	//go:embed start.html
	startHTML string

	startPage = template.Must(template.New("start").Parse(startHTML))
)

// index shows the dashboard to whoever may see it, other people what they may do, and a program what there is.
func (s *Server) index(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	if !gate.WantsHTML(r) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		return send(w, []byte(startText))
	}
	if s.Board != nil && p.Has(access.Viewer) {
		return s.Board.Overview(w, r, p)
	}
	var may []start
	for _, one := range starts {
		if p.Has(one.Need) {
			may = append(may, one)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	return startPage.Execute(w, map[string]any{"Name": p.Name, "Roles": p.Roles.String(), "May": may, "Token": s.Gate.FormToken(p)})
}
