// Package attack measures how many installs could be found again after their salt was destroyed, by what they do: a matcher gets the sanitized
// rows of two salt periods, and pairs the pseudonyms of the one with those of the other.
//
// It imports event, lake/duck, sanitize, intake for who is in a sample, and simulate. A seed goes in, installs are simulated whose truth is known, their
// events pass the real rules, and a [Result] goes out. It reads nothing of the house's data: on these the truth is not known, and to look for it
// is what salts are destroyed against.
//
// # The matcher
//
// What it knows of a pseudonym is how many rows it has, and how these are divided among the hours of the day, the days of the week and the
// values of each partial identifier. For each pair it weighs whether both come from one install or from two of the population: the logarithm
// of the Bayes factor, of Dirichlet-multinomials for what is divided and of Poisson counts with gamma rates for how many. Their parameters are
// estimated from the rows themselves. The negative of it is a distance, and the pairs are those of the assignment with the least sum of them
// (after Naini, Unnikrishnan, Thiran and Vetterli 2016, who match histograms so). An equal pseudonym is one more value.
package attack

import (
	"context"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Options say how much is simulated. The zero value is what docs/privacy.md shows.
type Options struct {
	Seed     uint64             // default 1
	Installs int                // of each population; default 400
	Rounds   int                // populations, at least 2; default 6
	Progress func(done, of int) // called after each round; default: nothing
}

// The simulated world: two salt periods of four weeks, and installs that are used on most days.
const (
	periodDays = 28
	perInstall = 0.7 // sessions a day, in the mean
	sampleRate = 0.5
	tenths     = 10
)

var boundary = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

func (o *Options) defaults() error {
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Installs == 0 {
		o.Installs = 400
	}
	if o.Rounds == 0 {
		o.Rounds = 6
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	if o.Installs < 20 || o.Rounds < 2 {
		return fmt.Errorf("%d installs in %d rounds: at least 20 and 2", o.Installs, o.Rounds)
	}
	return nil
}

// Result is what was measured.
type Result struct {
	Seed     uint64    `json:"seed"`
	Installs int       `json:"installs"`
	Rounds   int       `json:"rounds"`
	Days     int       `json:"days"`        // of each period
	Rate     float64   `json:"sample_rate"` // where there is sampling
	Cases    []Outcome `json:"cases"`
}

// Case is what an attack has to do with.
type Case struct {
	Salt     string `json:"salt"`     // same: that of the first period is used in the second, too; or destroyed
	Rules    string `json:"rules"`    // fine, usual or coarse
	Sampling string `json:"sampling"` // none; fixed: the same installs in both periods; rotating: drawn anew
}

// Outcome is how an attack went: the share of the first period's pseudonyms that were paired with their own in the second, over all rounds.
type Outcome struct {
	Case
	Pseudonyms float64    `json:"pseudonyms"` // of the first period, in the mean
	Relinked   Estimate   `json:"relinked"`
	Chance     float64    `json:"chance"` // the same share where pairs are drawn by lot
	Tenths     []Estimate `json:"tenths"` // of the first period's pseudonyms, by how many rows they have: the least active first
	Rows       []float64  `json:"rows"`   // that a pseudonym of each tenth has, in the mean
}

// Estimate is a mean of rounds with its 95 % interval, by Student's t.
type Estimate struct {
	Share float64 `json:"share"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// cases are measured in this order.
func cases() (all []Case) {
	all = append(all, Case{"same", "usual", "none"})
	for _, sampling := range []string{"none", "fixed", "rotating"} {
		for _, rules := range []string{"fine", "usual", "coarse"} {
			all = append(all, Case{"destroyed", rules, sampling})
		}
	}
	return all
}

// Simulate measures. It takes some seconds, and the same options give the same result.
func Simulate(ctx context.Context, o Options) (Result, error) {
	if err := o.defaults(); err != nil {
		return Result{}, err
	}
	tried := map[Case][]tally{}
	for round := range o.Rounds {
		p, err := newPopulation(ctx, o.Seed+uint64(round)*0x9e3779b97f4a7c15, o.Installs)
		if err != nil {
			return Result{}, err
		}
		for _, c := range cases() {
			if err := ctx.Err(); err != nil {
				return Result{}, err
			}
			tried[c] = append(tried[c], p.attack(c))
		}
		o.Progress(round+1, o.Rounds)
	}
	result := Result{Seed: o.Seed, Installs: o.Installs, Rounds: o.Rounds, Days: periodDays, Rate: sampleRate}
	for _, c := range cases() {
		result.Cases = append(result.Cases, outcome(c, tried[c]))
	}
	return result, nil
}

// tally is one attack.
type tally struct {
	pseudonyms int
	relinked   float64 // share
	chance     float64
	tenths     [tenths]float64 // shares
	rows       [tenths]float64 // means
}

func outcome(c Case, all []tally) Outcome {
	o := Outcome{Case: c}
	of := func(value func(tally) float64) []float64 {
		values := make([]float64, len(all))
		for i, t := range all {
			values[i] = value(t)
		}
		return values
	}
	mean := func(value func(tally) float64) float64 { return stat.Mean(of(value), nil) }
	o.Pseudonyms, o.Chance = mean(func(t tally) float64 { return float64(t.pseudonyms) }), mean(func(t tally) float64 { return t.chance })
	o.Relinked = estimate(of(func(t tally) float64 { return t.relinked }))
	for i := range tenths {
		o.Tenths = append(o.Tenths, estimate(of(func(t tally) float64 { return t.tenths[i] })))
		o.Rows = append(o.Rows, mean(func(t tally) float64 { return t.rows[i] }))
	}
	return o
}

func estimate(values []float64) Estimate {
	mean, deviation := stat.MeanStdDev(values, nil)
	n := float64(len(values))
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * deviation / math.Sqrt(n)
	return Estimate{mean, max(0, mean-half), min(1, mean+half)}
}
