package lake

import (
	"cmp"
	"slices"
)

// window is a range of event time and the files that may hold rows of it.
type window struct {
	from, to int64
	files    []*File
}

// windowRows is about how many rows one bounded query gives.
const windowRows = 250_000

// sortedAnyway is how many rows are sorted without a thought, to save a query.
const sortedAnyway = 20_000

// makeWindows cuts a range where files begin and end, and joins neighbours until a window holds
// about the wanted number of rows. Ranges that no file overlaps are left out. Where files follow
// one another without overlap their rows lie in order already; such windows are joined with
// others only while there is little to sort. A single file that holds more than that is read as
// it streams, so that it needs no cut.
func makeWindows(files []*File, from, to int64, rows int, descend bool) []window {
	if from >= to {
		return nil // a cursor beyond the range
	}
	var windows []window
	for _, piece := range cut(overlapTime(files, from, to), from, to) {
		if n := len(windows); n > 0 {
			joined := window{windows[n-1].from, piece.to, union(windows[n-1].files, piece.files)}
			limit := rows
			if !joined.inOrder() && (windows[n-1].inOrder() || piece.inOrder()) {
				limit = min(rows, sortedAnyway)
			}
			if joined.expected() <= float64(limit) {
				windows[n-1] = joined
				continue
			}
		}
		windows = append(windows, piece)
	}
	if descend {
		slices.Reverse(windows)
	}
	return windows
}

// inOrder says whether reading the files one after the other gives the window's rows in order.
func (w window) inOrder() bool {
	for i := 1; i < len(w.files); i++ {
		if w.files[i].Min <= w.files[i-1].Max {
			return false
		}
	}
	return true
}

// cut gives the pieces between all edges of files within a range.
func cut(files []*File, from, to int64) (pieces []window) {
	edges := []int64{from, to}
	for _, f := range files {
		edges = append(edges, max(from, f.Min), min(to, f.Max+1))
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	byStart := slices.SortedFunc(slices.Values(files), func(a, b *File) int { return cmp.Compare(a.Min, b.Min) })
	var open []*File
	for i := 1; i < len(edges); i++ {
		start, end := edges[i-1], edges[i]
		open = slices.DeleteFunc(open, func(f *File) bool { return f.Max < start })
		for len(byStart) > 0 && byStart[0].Min <= start {
			open, byStart = append(open, byStart[0]), byStart[1:]
		}
		if len(open) > 0 {
			pieces = append(pieces, window{start, end, slices.Clone(open)})
		}
	}
	return pieces
}

// expected guesses the rows of a window, as if each file's lay evenly.
func (w window) expected() (rows float64) {
	for _, f := range w.files {
		whole := float64(f.Max - f.Min + 1)
		part := float64(min(w.to, f.Max+1) - max(w.from, f.Min))
		rows += float64(f.Rows) * part / whole
	}
	return rows
}

// union gives the files of both, by their first event.
func union(a, b []*File) []*File {
	all := slices.Clone(a)
	for _, f := range b {
		if !slices.Contains(a, f) {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b *File) int { return cmp.Compare(a.Min, b.Min) })
	return all
}
