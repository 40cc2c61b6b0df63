package risk_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/lake"
	"brine/risk"
	"brine/sanitize"
)

// The reference: the same figures by plain loops over rows as JSON, as a reader gets them.

// plainRow is a sanitized row: what it has of each partial identifier, as text, and its pseudonym.
type plainRow struct {
	unit   string
	values map[string]string
}

// plainRows reads a stream. units are the fields that are pseudonyms.
func (h *house) plainRows(plan *sanitize.Plan, unit string, from, to time.Time) (rows []plainRow) {
	h.tb.Helper()
	q := lake.Query{Table: sanitize.Table(plan), From: from.UnixMilli(), To: to.UnixMilli()}
	if err := h.lake.Scan(h.tb.Context(), q, func(r *lake.Rows) error {
		for i := range r.Len() {
			var fields map[string]any
			if err := json.Unmarshal(r.AppendJSON(nil, i), &fields); err != nil {
				return err
			}
			row := plainRow{values: map[string]string{}}
			row.unit, _ = fields[unit].(string)
			for _, rule := range plan.Rules() {
				if rule.Rule != "hash" && rule.Rule != "hash_per_stream" {
					row.values[plan.Stream+"."+strings.Join(rule.Path, ".")] = plainText(h.tb, plainValue(fields, rule.Path))
				}
			}
			rows = append(rows, row)
		}
		return nil
	}); err != nil {
		h.tb.Fatal(err)
	}
	return rows
}

// plainValue follows a path, through arrays too.
func plainValue(value any, path []string) any {
	switch v := value.(type) {
	case map[string]any:
		if len(path) > 0 {
			return plainValue(v[path[0]], path[1:])
		}
	case []any:
		if len(path) > 0 {
			all := []any{}
			for _, element := range v {
				all = append(all, plainValue(element, path))
			}
			return all
		}
	}
	return value
}

// plainText is a value as text: of an array its different elements, of tuples their first ones.
func plainText(tb testing.TB, value any) string {
	if list, ok := value.([]any); ok {
		var texts []string
		for _, element := range list {
			if tuple, ok := element.([]any); ok {
				element = tuple[0]
			}
			if element != nil {
				texts = append(texts, plainText(tb, element))
			}
		}
		slices.Sort(texts)
		return "[" + strings.Join(slices.Compact(texts), ",") + "]"
	}
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// plainInstall is an install: the different values of each field, and its rows.
type plainInstall struct {
	values map[string]map[string]bool
	rows   int64
}

func plainInstalls(rows ...[]plainRow) map[string]*plainInstall {
	all := map[string]*plainInstall{}
	for _, stream := range rows {
		for _, r := range stream {
			if r.unit == "" {
				continue
			}
			in := all[r.unit]
			if in == nil {
				in = &plainInstall{values: map[string]map[string]bool{}}
				all[r.unit] = in
			}
			in.rows++
			for name, value := range r.values {
				if in.values[name] == nil {
					in.values[name] = map[string]bool{}
				}
				in.values[name][value] = true
			}
		}
	}
	return all
}

// key is what an install has of some fields.
func (in *plainInstall) key(fields []string) string {
	var key []string
	for _, name := range fields {
		var values []string
		for v := range in.values[name] {
			values = append(values, v)
		}
		slices.Sort(values)
		key = append(key, name+"="+strings.Join(values, "|"))
	}
	return strings.Join(key, "\n")
}

// plainCount counts by keys; weight is what each adds to the count, while keys tell how many are alike.
func plainCount(keys []string, weights []int64) (c risk.Count) {
	alike := map[string]int64{}
	for _, k := range keys {
		alike[k]++
	}
	for i, k := range keys {
		w := int64(1)
		if weights != nil {
			w = weights[i]
		}
		c.All += w
		for under, to := range map[int64]*int64{2: &c.Unique, 5: &c.Under5, 10: &c.Under10, 50: &c.Under50} {
			if alike[k] < under {
				*to += w
			}
		}
	}
	return c
}

// plainPart is a part by the reference; only some fields count.
func plainPart(fields []string, rows ...[]plainRow) (installs, rowsByInstall, rowsAlone risk.Count) {
	var keys []string
	var weights []int64
	for _, in := range plainInstalls(rows...) {
		keys, weights = append(keys, in.key(fields)), append(weights, in.rows)
	}
	installs, rowsByInstall = plainCount(keys, nil), plainCount(keys, weights)
	keys = nil
	for _, stream := range rows {
		for _, r := range stream {
			var key []string
			for _, name := range fields {
				key = append(key, name+"="+r.values[name])
			}
			keys = append(keys, strings.Join(key, "\n"))
		}
	}
	return installs, rowsByInstall, plainCount(keys, nil)
}

// wantPart compares a part with the reference.
func (h *house) wantPart(got risk.Part, from, to time.Time) {
	h.tb.Helper()
	plans, err := h.plans()
	if err != nil {
		h.tb.Fatal(err)
	}
	var rows [][]plainRow
	var fields []string
	for _, name := range got.Streams {
		rows = append(rows, h.plainRows(plans[name], h.streams[name].Unit, from, to))
		for _, rule := range plans[name].Rules() {
			if rule.Rule != "hash" && rule.Rule != "hash_per_stream" {
				fields = append(fields, name+"."+strings.Join(rule.Path, "."))
			}
		}
	}
	of := func(fields []string) (risk.Count, risk.Count) {
		installs, byInstall, alone := plainPart(fields, rows...)
		switch {
		case got.Installs == nil:
			return alone, alone
		case len(got.Streams) > 1:
			return installs, byInstall
		}
		return installs, alone
	}
	if installs, inRows := of(fields); got.Figure() != installs || got.Rows != inRows {
		h.tb.Errorf("%v: got %+v and rows %+v, want %+v and %+v", got.Streams, got.Figure(), got.Rows, installs, inRows)
	}
	if len(got.Fields) != len(fields) {
		h.tb.Fatalf("%v: got %d fields, want %v", got.Streams, len(got.Fields), fields)
	}
	least := int64(math.MaxInt64)
	for _, f := range got.Fields {
		alone, _ := of([]string{f.Name})
		without, _ := of(slices.DeleteFunc(slices.Clone(fields), func(name string) bool { return name == f.Name }))
		if f.Alone != alone.Unique || f.Without != without.Unique {
			h.tb.Errorf("%s: got %d alone and %d without, want %d and %d", f.Name, f.Alone, f.Without, alone.Unique, without.Unique)
		}
		if f.Alone > least {
			h.tb.Errorf("%s comes after a field that tells less", f.Name)
		}
		least = f.Alone
	}
}
