package kpi

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// digested is the definitions with the digest that they come to.
func (d *Definitions) digested() *Definitions {
	d.Digest = d.digest()
	return d
}

// digest is the SHA-256 of all that facts and cells hang on.
func (d *Definitions) digest() string {
	bare := struct {
		Meaning  int // raised when the same definitions come to mean other facts
		Zone     string
		Segments []Segment
		Flows    []Flow
		KPIs     []KPI
	}{1, d.Zone.String(), nil, nil, nil}
	for _, s := range d.Segments {
		s.Title, s.Order = "", nil
		bare.Segments = append(bare.Segments, s)
	}
	for _, f := range d.Flows {
		f.Title, f.Steps = "", append([]Step(nil), f.Steps...)
		for i := range f.Steps {
			f.Steps[i].Title = ""
		}
		bare.Flows = append(bare.Flows, f)
	}
	for _, k := range d.KPIs {
		k.Title, k.MoreBetter, k.Smallest, k.Percentile = "", false, 0, 0
		bare.KPIs = append(bare.KPIs, k)
	}
	text, err := json.Marshal(bare)
	if err != nil {
		panic(err) // texts and finite numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
