package kpi

import "github.com/DataDog/sketches-go/ddsketch"

// Accuracy is the relative error of a sketch's quantiles.
const Accuracy = 0.01

// Sketch is the distribution of weighted values, none of them negative, from which quantiles are read within
// [Accuracy]. Sketches can be added up.
type Sketch struct{ dd *ddsketch.DDSketch }
