package attack

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"
)

// Table is the result as a table in Markdown, a line each case.
func (r Result) Table() string {
	var b strings.Builder
	b.WriteString("| salt of the first period | rules | sampling | pseudonyms | found again | 95 % interval | by lot | least active tenth | most active tenth |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range r.Cases {
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %s | %s to %s | %s | %s | %s |\n", map[string]string{"same": "kept, and used on", "destroyed": "destroyed"}[c.Salt], c.Rules, c.samplingText(r.Rate),
			c.Pseudonyms, percent(c.Relinked.Share), percent(c.Relinked.Low), percent(c.Relinked.High), percent(c.Chance), percent(c.Tenths[0].Share), percent(c.Tenths[tenths-1].Share))
	}
	return b.String()
}

func (c Case) samplingText(rate float64) string {
	if c.Sampling == "none" {
		return "none"
	}
	return fmt.Sprintf("%s, %.0f %%", c.Sampling, 100*rate)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// The plot's measures, in pixels.
const (
	plotWide, plotHigh          = 760, 400
	plotLeft, plotRight         = 56, 560
	plotTop, plotBottom         = 24, 340
	labelLeft, labelGap float64 = 572, 15
)

// lines are the cases of the plot, each with its colour (of Okabe and Ito, which the colour-blind tell apart) and dashes.
var lines = []struct {
	Case
	color, dashes, label string
}{
	{Case{"destroyed", "fine", "none"}, "#000000", "", "fine rules"},
	{Case{"destroyed", "usual", "none"}, "#0072b2", "", "usual rules"},
	{Case{"destroyed", "coarse", "none"}, "#009e73", "", "coarse rules"},
	{Case{"destroyed", "usual", "rotating"}, "#0072b2", "6 4", "usual, rotating sampling"},
	{Case{"destroyed", "coarse", "rotating"}, "#009e73", "6 4", "coarse, rotating sampling"},
}

// SVG is a plot of the share that is found again by how active a pseudonym is, with 95 % intervals.
func (r Result) SVG() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" font-family="sans-serif" font-size="12">`+"\n", plotWide, plotHigh)
	fmt.Fprintf(&b, "<title>Pseudonyms that are found again behind a destroyed salt, by how active they are</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", plotWide, plotHigh)
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#dddddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f %%</text>`+"\n", plotLeft, plotY(share), plotRight, plotLeft-8, plotY(share)+4, 100*share)
	}
	for i := range tenths {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%d</text>`+"\n", plotX(i), plotBottom+18, i+1)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">tenth of the pseudonyms, from the least to the most active</text>`+"\n", (plotLeft+plotRight)/2, plotBottom+40)
	label := -labelGap
	for _, c := range r.drawn() {
		var points []string
		for i, e := range c.Tenths {
			points = append(points, fmt.Sprintf("%.1f %.1f", plotX(i), plotY(e.Share)))
			fmt.Fprintf(&b, `<path d="M%.1f %.1fV%.1f" stroke="%s" stroke-opacity="0.35"/>`, plotX(i), plotY(e.Low), plotY(e.High), c.color)
		}
		fmt.Fprintf(&b, "\n"+`<path d="M%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`+"\n", strings.Join(points, "L"), c.color, c.dashes)
		at := plotY(c.Tenths[tenths-1].Share) + 4
		label = max(at, label+labelGap)
		fmt.Fprintf(&b, `<text x="%.0f" y="%.1f" fill="%s">%s</text>`+"\n", labelLeft, label, c.color, html.EscapeString(c.label))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// drawnLine is a line of the plot with its outcome.
type drawnLine struct {
	Outcome
	color, dashes, label string
}

// drawn are the lines from the highest end to the lowest, so that their labels do not lie on one another.
func (r Result) drawn() (all []drawnLine) {
	for _, l := range lines {
		for _, c := range r.Cases {
			if c.Case == l.Case {
				all = append(all, drawnLine{c, l.color, l.dashes, l.label})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b drawnLine) int { return cmp.Compare(b.Tenths[tenths-1].Share, a.Tenths[tenths-1].Share) })
	return all
}

func plotX(tenth int) float64 { return plotLeft + (float64(tenth)+0.5)*(plotRight-plotLeft)/tenths }

func plotY(share float64) float64 { return plotBottom - share*(plotBottom-plotTop) }
