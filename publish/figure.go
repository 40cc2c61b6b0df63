package publish

import (
	"io/fs"
	"time"

	"brine/kpi"
)

// Release is what was published of one day. Once it is, it is the same for ever. A field that comes later is omitempty: [Release.sum] is of all of it.
type Release struct {
	Number int           `json:"number"` // of its entry in the ledger: one that is missing is noticed
	Date   kpi.Date      `json:"date"`
	Start  time.Time     `json:"start"` // of the day, in the zone of its time
	End    time.Time     `json:"end"`   // exclusive
	Spent  kpi.Epsilon   `json:"spent"` // of all totals
	Totals []TotalsOfDay `json:"totals"`

	file fs.FileInfo // that it was read from; nil for none
}

// TotalsOfDay are the figures of one total.
type TotalsOfDay struct {
	Name        string      `json:"name"`
	Title       string      `json:"title"`
	Meaning     string      `json:"meaning"` // digest of what was measured, see [kpi.Definitions.Meaning]
	Unit        string      `json:"unit"`    // count or share
	By          string      `json:"by,omitempty"`
	Epsilon     kpi.Epsilon `json:"epsilon"`
	Sensitivity int64       `json:"sensitivity"` // how much one interaction, or one install on a day, can change a count before noise
	Noise       int64       `json:"noise"`       // a count's noise is within this, to both sides, with a probability of 95 %
	Least       int64       `json:"least"`       // a cell whose noisy count is below has no figure
	Cells       []Figure    `json:"cells"`       // each of the key space, whatever there was data of
}

// Figure is one cell's figure, after noise.
type Figure struct {
	Value  string   `json:"value"`            // of the segment; "" for all
	Figure *float64 `json:"figure"`           // a count, or a share of 0..1; nil: too few to be told from noise
	Low    *float64 `json:"low,omitempty"`    // with a probability of 95 % the figure without noise is between the two
	High   *float64 `json:"high,omitempty"`   //
	Number *int64   `json:"number,omitempty"` // of a share: how many have it
	Of     *int64   `json:"of,omitempty"`     // of a share: of how many
}

// Split is what a cell comes to before noise: how many have what a share is of, and how many have not; of a count the first alone. It
// never leaves the process.
type Split struct{ With, Without int64 }

// Below few a figure is never told, however little noise there is.
const few = 10

// How sure things are: that one interaction alone is not told, to one side, and that a range holds, in all.
const (
	chanceOfOne = 1e-6
	outside     = 0.05
)

// noisy makes the figures of a total. Whether a cell is told is decided of the noisy count alone, so that it tells no more than that does.
func (s sampler) noisy(t kpi.Total, share bool, sensitivity int64, keySpace []string, exact map[string]Split) TotalsOfDay {
	by := scaleOf(t.Epsilon, sensitivity)
	out := TotalsOfDay{Name: t.Name, By: t.By, Unit: kpi.UnitCount, Epsilon: t.Epsilon, Sensitivity: sensitivity,
		Noise: by.within(outside/2, false), Least: few + by.within(chanceOfOne, share)}
	if share {
		out.Unit = kpi.UnitShare
	}
	for _, value := range keySpace {
		cell := exact[value]
		with, without := cell.With+s.laplace(by), int64(0)
		if share { // nobody is in both, so each has the whole epsilon
			without = cell.Without + s.laplace(by)
		}
		f := Figure{Value: value}
		switch {
		case with+without < out.Least:
		case share:
			f.share(with, without, by.within(outside/4, false))
		default:
			f.count(with, out.Noise)
		}
		out.Cells = append(out.Cells, f)
	}
	return out
}

func (f *Figure) count(n, noise int64) {
	low, high := float64(max(0, n-noise)), float64(n+noise)
	v := float64(n)
	f.Figure, f.Low, f.High = &v, &low, &high
}

// share is of noisy counts, each of which is within the noise of what it was.
func (f *Figure) share(with, without, noise int64) {
	of := with + without
	number := min(max(with, 0), of)
	share := func(with, without int64) *float64 {
		v := float64(with) / float64(max(1, with+without))
		return &v
	}
	f.Number, f.Of, f.Figure = &number, &of, share(number, of-number)
	f.Low = share(max(0, with-noise), max(0, without+noise))
	f.High = share(max(0, with+noise), max(0, without-noise))
}
