package tokens

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Merge is all tokens of two files, as of nodes that each made and revoked some. A token that either has revoked is revoked. Of two tokens with one
// number the later made gets a new one. What they were made of does not matter: no token ever works again.
func Merge(_, mine, theirs []byte) ([]byte, error) {
	if len(theirs) == 0 || string(mine) == string(theirs) {
		return mine, nil
	}
	if len(mine) == 0 {
		return theirs, nil
	}
	var a, b content
	if json.Unmarshal(mine, &a) != nil || json.Unmarshal(theirs, &b) != nil {
		return nil, errors.New("a file of tokens is broken")
	}
	a.Last = max(a.Last, b.Last)
	for _, t := range b.Tokens {
		i := slices.IndexFunc(a.Tokens, func(have Token) bool { return have.Hash == t.Hash })
		if i < 0 {
			a.Tokens = append(a.Tokens, t)
			continue
		}
		have := &a.Tokens[i]
		have.LastUse = max(have.LastUse, t.LastUse)
		if have.Revoked.IsZero() || !t.Revoked.IsZero() && t.Revoked.Before(have.Revoked) {
			have.Revoked = t.Revoked
		}
	}
	slices.SortStableFunc(a.Tokens, func(a, b Token) int {
		if a.Number != b.Number {
			return a.Number - b.Number
		}
		if c := a.Made.Compare(b.Made); c != 0 {
			return c
		}
		return strings.Compare(a.Hash, b.Hash)
	})
	taken := map[int]bool{}
	for i := range a.Tokens {
		if t := &a.Tokens[i]; taken[t.Number] {
			a.Last++
			t.Number = a.Last
		} else {
			taken[t.Number] = true
		}
	}
	slices.SortFunc(a.Tokens, func(a, b Token) int { return a.Number - b.Number })
	text, err := json.MarshalIndent(&a, "", " ")
	return append(text, '\n'), err
}
