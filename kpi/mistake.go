package kpi

import "brine/mistake"

// Mistake is one thing that is wrong in kpi.yaml.
type Mistake = mistake.Mistake

// Mistakes are all that are wrong in a file, in the order of its lines.
type Mistakes = mistake.Mistakes

func sorted(ms Mistakes) Mistakes {
	ms.Sort()
	return ms
}
