package board

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"

	"brine/access/gate"
	"brine/kpi"
	"brine/lake/duck"
)

// table is an answer as CSV.
type table struct {
	header []string
	rows   [][]string
}

// figureHeader are the columns of a figure, and figureCells what stands in them.
var figureHeader = []string{"value", "low", "high", "interactions", "why"}

func figureCells(f kpi.Figure) []string {
	return []string{number(f.Value), number(f.Low), number(f.High), strconv.FormatInt(f.Interactions, 10), f.Why}
}

// add appends a row of some keys and a figure.
func (t *table) add(f kpi.Figure, keys ...string) {
	t.rows = append(t.rows, append(keys, figureCells(f)...))
}

// number is as exact as it is held; "" where there is none.
func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'g', -1, 64)
}

// formOf gives what writes the form that a request asks for: by ?format=, else by Accept.
func formOf(r *http.Request) (func(w http.ResponseWriter, name string, a answer) error, error) {
	switch r.URL.Query().Get("format") {
	case "json":
		return writeJSON, nil
	case "csv":
		return writeCSV, nil
	case "":
	default:
		return nil, badRequest("format is json or csv")
	}
	switch gate.Prefers(r, "application/json", "text/csv") {
	case 0:
		return writeJSON, nil
	case 1:
		return writeCSV, nil
	}
	return nil, refusal(http.StatusNotAcceptable, "Accept one of application/json, text/csv")
}

func writeJSON(w http.ResponseWriter, _ string, a answer) error {
	text, err := json.Marshal(a.body())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(append(text, '\n'))
	return lost(err)
}

func writeCSV(w http.ResponseWriter, name string, a answer) error {
	w.Header().Set("Content-Type", "text/csv")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180
	t := a.table()
	out.Write(t.header)
	for _, row := range t.rows {
		for i, cell := range row {
			row[i] = string(duck.Plain([]byte(cell)))
		}
		out.Write(row)
	}
	out.Flush()
	return lost(out.Error())
}

// lost is the error of an answer that was begun: only a cut connection tells that some is missing.
func lost(err error) error {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}
