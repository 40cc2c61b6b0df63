package kpi

import (
	"time"

	"brine/kpi/stat"
)

// Cell is what interactions add up to. Cells of different interactions can be added up.
type Cell struct {
	Count stat.Moments   // of the value 1: N interactions, Weights what they stand for
	KPIs  []Measure      // by KPI
	Flows [][]StepCell   // by flow and step
	Left  [][]Departures // by flow, and how many steps were reached less one; nil but in the cells of all interactions, and where asked for

	Missing []float64 // by [Fields]: weight of those without it; nil as Left
}

// Measure is the values of one KPI.
type Measure struct {
	stat.Moments
	Sketch *Sketch // nil where the KPI is no percentile, or nothing was counted
}

// StepCell is those who reached one step of a flow.
type StepCell struct {
	stat.Moments         // of the value 1
	Times        *Sketch // ms since the step before, or the opening
}

// Departures is what people did instead of going on.
type Departures struct {
	Next, Last map[string]stat.Moments // event → how many, as moments of the value 1; "" where no event came
}

// Date is a day in the definitions' time zone, as 2026-11-28.
type Date string

// Start is when the day begins in a zone.
func (d Date) Start(zone *time.Location) time.Time {
	t, _ := time.ParseInLocation(time.DateOnly, string(d), zone)
	return t
}

// Day is one day's interactions, told apart by the values of one segment.
type Day struct {
	Date  Date
	Open  bool             // interactions of it may still come
	Cells map[string]*Cell // by value; "" where they are not told apart. Empty: a day without data
}

// Slot is the arrivals of 10 minutes of event time.
type Slot struct {
	Time   int64 // ms since the epoch
	N      int64
	Weight float64
}
