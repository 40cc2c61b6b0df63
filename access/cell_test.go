package access

import "testing"

// A viewer learns counts in steps of the cell, whoever may read events the exact ones.
func TestCell(t *testing.T) {
	viewer, analyst := CellOf(RolesOf(Viewer), 10), CellOf(RolesOf(Raw), 10)
	for n, want := range map[int64]int64{0: 0, 1: 0, 9: 0, 10: 10, 11: 10, 19: 10, 20: 20, -1: 0} {
		if got := viewer.Of(n); got != want {
			t.Errorf("a viewer sees %d of %d, want %d", got, n, want)
		}
		if got := analyst.Of(n); got != max(n, 0) {
			t.Errorf("an analyst sees %d of %d", got, n)
		}
	}
	if viewer.Whole() || !analyst.Whole() || CellOf(RolesOf(Privacy), 10).Whole() {
		t.Error("something is held back from the wrong people")
	}
	if unset := CellOf(RolesOf(Viewer), 0); unset.Whole() || unset.Of(1000) != 0 {
		t.Error("without a least cell a figure is told")
	}
}
