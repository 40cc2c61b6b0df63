package kpi

import "slices"

// changes are those of the definitions and those that were added, in the order of their moments. A change of the definitions
// hides one of the same name.
func (b *Board) changes(d *Definitions) []Change {
	all := slices.Clone(d.Changes)
	if b.Added == nil {
		return all
	}
	for _, c := range b.Added() {
		if !slices.ContainsFunc(d.Changes, func(o Change) bool { return o.Name == c.Name }) {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, byMoment)
	return all
}
