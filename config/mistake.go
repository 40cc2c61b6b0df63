package config

import "brine/mistake"

// Mistake is one thing that is wrong in a config, schema or other file that an operator writes.
type Mistake = mistake.Mistake

// Mistakes are all the mistakes of a file, in the order of its lines.
type Mistakes = mistake.Mistakes

// fileName is how messages name the file.
func fileName(path string) string {
	if path == "" {
		return "defaults"
	}
	return path
}
