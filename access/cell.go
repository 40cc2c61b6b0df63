package access

// Cell is the fewest interactions that a figure may rest on, for one person. Whatever gives figures takes one, and tells
// counts by [Cell.Of] alone.
type Cell int64

// CellOf is 1 for an analyst, who may read each event anyway, and else minCell, of the config.
func CellOf(roles Roles, minCell int) Cell {
	if roles.Has(Analyst) {
		return 1
	}
	return Cell(minCell)
}

// Whole says whether nothing is held back.
func (c Cell) Whole() bool { return c == 1 }

// Of is a count as the person may know it: in steps of the cell, rounded down, so that neither few interactions
// nor one more of many are told. 0 is fewer than the cell. A cell below 1 is a mistake, and tells nothing.
func (c Cell) Of(n int64) int64 {
	if c < 1 || n < 0 {
		return 0
	}
	return n - n%int64(c)
}
