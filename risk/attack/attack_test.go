package attack

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"brine/sanitize"
)

// The assignment costs as little as the best of all permutations.
func TestAssign(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		rows := 1 + r.IntN(5)
		columns := rows + r.IntN(3)
		cost := make([][]float64, rows)
		for i := range cost {
			for range columns {
				cost[i] = append(cost[i], float64(r.IntN(20))-5)
			}
		}
		got, used := 0.0, map[int]bool{}
		for i, c := range assign(cost) {
			got += cost[i][c]
			used[c] = true
		}
		if want := cheapest(cost, 0, map[int]bool{}); got != want || len(used) != rows {
			t.Fatalf("%v: costs %g, want %g", cost, got, want)
		}
	}
}

func cheapest(cost [][]float64, row int, taken map[int]bool) float64 {
	if row == len(cost) {
		return 0
	}
	least := math.Inf(1)
	for c := range cost[row] {
		if !taken[c] {
			taken[c] = true
			least = min(least, cost[row][c]+cheapest(cost, row+1, taken))
			delete(taken, c)
		}
	}
	return least
}

// A salt that stays gives nearly all away, a destroyed one does not; rotating sampling and coarser rules lower what is found again, and all of it
// is above chance where something is seen at all. The same seed gives the same.
func TestAttack(t *testing.T) {
	o := Options{Seed: 3, Installs: 150, Rounds: 3}
	result, err := Simulate(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got := map[Case]Outcome{}
	for _, c := range result.Cases {
		got[c.Case] = c
		t.Logf("%+v: %.3f (%.3f to %.3f), chance %.4f, %.0f pseudonyms", c.Case, c.Relinked.Share, c.Relinked.Low, c.Relinked.High, c.Chance, c.Pseudonyms)
	}
	if same := got[Case{"same", "usual", "none"}].Relinked.Share; same < 0.9 {
		t.Errorf("with one salt for both periods only %.2f are found again: this is no attack", same)
	}
	for _, rules := range []string{"fine", "usual", "coarse"} {
		none, fixed, rotating := got[Case{"destroyed", rules, "none"}], got[Case{"destroyed", rules, "fixed"}], got[Case{"destroyed", rules, "rotating"}]
		if rotating.Relinked.Share >= fixed.Relinked.Share {
			t.Errorf("%s rules: %.3f with rotating sampling, %.3f with a fixed sample", rules, rotating.Relinked.Share, fixed.Relinked.Share)
		}
		if rotating.Relinked.Share >= none.Relinked.Share {
			t.Errorf("%s rules: %.3f with rotating sampling, %.3f without sampling", rules, rotating.Relinked.Share, none.Relinked.Share)
		}
		if none.Relinked.Share < 2*none.Chance {
			t.Errorf("%s rules: %.3f are found again, by chance %.3f", rules, none.Relinked.Share, none.Chance)
		}
	}
	if fine, coarse := got[Case{"destroyed", "fine", "none"}], got[Case{"destroyed", "coarse", "none"}]; coarse.Relinked.Share >= 0.8*fine.Relinked.Share {
		t.Errorf("%.3f are found again with coarse rules, %.3f with fine ones", coarse.Relinked.Share, fine.Relinked.Share)
	}
	again, err := Simulate(t.Context(), o)
	if err != nil || !reflect.DeepEqual(again, result) {
		t.Error("the same seed gave another result", err)
	}
}

// The rules are such as brine check takes.
func TestRules(t *testing.T) {
	stream, err := appStream()
	if err != nil {
		t.Fatal(err)
	}
	for name, list := range rules {
		if _, err := sanitize.Compile(stream, sanitize.Parse(name, []byte(list)), sanitize.Options{}); err != nil {
			t.Error(err)
		}
	}
	if _, err := Simulate(t.Context(), Options{Installs: 1}); err == nil {
		t.Error("one install was taken")
	}
}
