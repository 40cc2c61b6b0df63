package audit

import (
	"slices"
	"strings"
)

var actions = []Action{ReadBegin, ReadEnd, Login, Logout, Refused, Token, User, Erasure, Salt, Publish, Purge, Config, Command, Start, Audit}

// Known says whether there is such an action: an empty answer for one that is misspelt would read as if nobody had done it.
func (a Action) Known() bool { return slices.Contains(actions, a) }

// Actions names all there are, with commas between.
func Actions() string {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = string(a)
	}
	return strings.Join(names, ", ")
}
