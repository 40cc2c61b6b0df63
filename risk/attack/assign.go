package attack

import "math"

// assign gives each row of a matrix of costs a column of its own, so that the sum of costs is least: the shortest augmenting paths of Jonker and
// Volgenant (1987), without their initial heuristics. There are no more rows than columns. It takes the cube of the rows' number, at worst.
//
// It is our own, as gonum has no assignment, and of the modules that have one none could be had.
func assign(cost [][]float64) (columnOf []int) {
	rows, columns := len(cost), 0
	if rows > 0 {
		columns = len(cost[0])
	}
	// Row and column 0 stand for none, so that each augmenting path has a beginning.
	u, v := make([]float64, rows+1), make([]float64, columns+1) // duals
	rowOf, before := make([]int, columns+1), make([]int, columns+1)
	least, used := make([]float64, columns+1), make([]bool, columns+1)
	for row := 1; row <= rows; row++ {
		for c := range least {
			least[c], used[c] = math.Inf(1), false
		}
		rowOf[0] = row
		at := 0
		for rowOf[at] != 0 {
			used[at] = true
			from, next, step := rowOf[at], 0, math.Inf(1)
			for c := 1; c <= columns; c++ {
				if used[c] {
					continue
				}
				if reduced := cost[from-1][c-1] - u[from] - v[c]; reduced < least[c] {
					least[c], before[c] = reduced, at
				}
				if least[c] < step {
					next, step = c, least[c]
				}
			}
			for c := range used {
				if used[c] {
					u[rowOf[c]] += step
					v[c] -= step
				} else {
					least[c] -= step
				}
			}
			at = next
		}
		for at != 0 {
			rowOf[at] = rowOf[before[at]]
			at = before[at]
		}
	}
	columnOf = make([]int, rows)
	for c := 1; c <= columns; c++ {
		if rowOf[c] > 0 {
			columnOf[rowOf[c]-1] = c - 1
		}
	}
	return columnOf
}
