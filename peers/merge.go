package peers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// unchanged is the result where only one side has changed anything.
func unchanged(base, mine, theirs []byte) ([]byte, bool) {
	switch {
	case bytes.Equal(theirs, base), bytes.Equal(theirs, mine):
		return mine, true
	case bytes.Equal(mine, base):
		return theirs, true
	}
	return nil, false
}

// Whole merges what can only be one or the other, as a key: where both have one, mine stays.
func Whole(base, mine, theirs []byte) ([]byte, error) {
	if merged, ok := unchanged(base, mine, theirs); ok {
		return merged, nil
	}
	if len(mine) == 0 {
		return theirs, nil
	}
	return mine, nil
}

// item is one of a file, by what it is known by.
type item struct{ key, text string }

// mergeItems is a three-way merge of lists whose items have a key. What either has taken away is away; where both have changed one, mine stays.
func mergeItems(base, mine, theirs []item) (merged []item) {
	was, is := byKey(base), byKey(theirs)
	for _, m := range mine {
		b, before := was[m.key]
		t, there := is[m.key]
		switch {
		case !there && before: // they have taken it away
		case there && before && m.text == b:
			merged = append(merged, item{m.key, t})
		default:
			merged = append(merged, m)
		}
	}
	have := byKey(mine)
	for _, t := range theirs {
		if _, there := have[t.key]; there {
			continue
		}
		if _, before := was[t.key]; !before { // else this side has taken it away
			merged = append(merged, t)
		}
	}
	return merged
}

func byKey(items []item) map[string]string {
	all := map[string]string{}
	for _, i := range items {
		all[i.key] = i.text
	}
	return all
}

// Lines merges files of lines that begin with a name and a colon, in whatever case. Other lines, as comments, are known by themselves.
func Lines(base, mine, theirs []byte) ([]byte, error) {
	if merged, ok := unchanged(base, mine, theirs); ok {
		return merged, nil
	}
	var b strings.Builder
	for _, i := range mergeItems(lines(base), lines(mine), lines(theirs)) {
		b.WriteString(i.text + "\n")
	}
	return []byte(b.String()), nil
}

func lines(content []byte) (all []item) {
	for text := range strings.Lines(string(content)) {
		text = strings.TrimSuffix(text, "\n")
		key := text
		if name, _, ok := strings.Cut(text, ":"); ok && !strings.HasPrefix(text, "#") {
			key = strings.ToLower(name)
		}
		all = append(all, item{key, text})
	}
	return all
}

// Named merges JSON arrays of objects that are known by their member "name".
func Named(base, mine, theirs []byte) ([]byte, error) {
	if merged, ok := unchanged(base, mine, theirs); ok {
		return merged, nil
	}
	var lists [3][]item
	for i, content := range [][]byte{base, mine, theirs} {
		var err error
		if lists[i], err = objects(content); err != nil {
			return nil, err
		}
	}
	all := []json.RawMessage{}
	for _, i := range mergeItems(lists[0], lists[1], lists[2]) {
		all = append(all, json.RawMessage(i.text))
	}
	text, err := json.MarshalIndent(all, "", "  ")
	return append(text, '\n'), err
}

func objects(content []byte) (all []item, err error) {
	if len(content) == 0 {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(content, &raw); err != nil {
		return nil, fmt.Errorf("it is no list: %w", err)
	}
	for _, r := range raw {
		var named struct{ Name string }
		var compact bytes.Buffer
		if err := json.Unmarshal(r, &named); err != nil {
			return nil, fmt.Errorf("it is no list of objects: %w", err)
		}
		if err := json.Compact(&compact, r); err != nil {
			return nil, err
		}
		all = append(all, item{named.Name, compact.String()})
	}
	return all, nil
}
