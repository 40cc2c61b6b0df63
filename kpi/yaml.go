package kpi

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"brine/event"
	"brine/mistake"
)

// reader walks the YAML of a kpi.yaml and notes what is wrong. What cannot be read is left out, so that the walk
// goes on and finds the rest.
type reader struct {
	file     string
	lines    map[string]int // line of each key, by its path
	mistakes Mistakes
}

// parse gives the one document of the text; nil where there is none, or it is not YAML.
func (r *reader) parse(text []byte) ast.Node {
	file, err := parser.ParseBytes(bytes.TrimPrefix(text, []byte("\ufeff")), 0)
	if err != nil {
		r.syntax(err)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			r.mistakeAt(mistake.LineOf(doc.Body), "", "put all keys into one", "a second YAML document")
		default:
			body = doc.Body
		}
	}
	return body
}

func (r *reader) syntax(err error) {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		r.mistakeAt(at.GetToken().Position.Line, "", "", "not YAML: %s", at.GetMessage())
		return
	}
	r.mistakeAt(0, "", "", "not YAML: %v", err)
}

func (r *reader) mistakeAt(line int, path, fix, what string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{File: r.file, Line: line, Path: path, What: fmt.Sprintf(what, args...), Fix: fix})
}

// mistake is about the value of a key, at its line or at that of the nearest key around it.
func (r *reader) mistake(path, fix, what string, args ...any) {
	r.mistakeAt(lineIn(r.lines, path), path, fix, what, args...)
}

// lineIn is the line of a key, or of the nearest key around it, or 0.
func lineIn(lines map[string]int, path string) int {
	for {
		i := strings.LastIndexByte(path, '.')
		if line := lines[path]; line > 0 || i < 0 {
			return line
		}
		path = path[:i]
	}
}

// entry is one key of a mapping.
type entry struct {
	path, name string
	value      ast.Node
}

// entries are the keys of a mapping in the order of the file; none where it is not a mapping, which is told.
func (r *reader) entries(path string, n ast.Node, want string) (all []entry) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		text, _ := mistake.Scalar(n)
		r.mistakeAt(mistake.LineOf(n), path, mistake.Slip(text), "expected %s", want)
		return nil
	}
	for _, kv := range m.Values {
		name := kv.Key.GetToken().Value
		at := mistake.Join(path, name)
		r.lines[at] = mistake.LineOf(kv.Key)
		switch {
		case kv.Key.Type() == ast.MergeKeyType, isReference(kv.Value):
			r.mistake(at, "write it out", "YAML anchors, aliases, tags and << are not read here")
		case kv.Value.Type() == ast.NullType:
			r.mistake(at, "give it one, or take it off", "a key without a value")
		default:
			all = append(all, entry{at, name, kv.Value})
		}
	}
	return all
}

func isReference(n ast.Node) bool {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return true
	}
	return false
}

// keys reads a mapping whose keys are known, each by its function.
func (r *reader) keys(path string, n ast.Node, known map[string]func(entry)) {
	for _, e := range r.entries(path, n, "keys and values: "+strings.Join(slices.Sorted(maps.Keys(known)), ", ")) {
		if read, ok := known[e.name]; ok {
			read(e)
			continue
		}
		r.mistake(e.path, event.LikelyFix(e.name, slices.Collect(maps.Keys(known))), "unknown key")
	}
}

var nameOf = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// named are the entries of a mapping of names, at most so many.
func (r *reader) named(path string, n ast.Node, most int, name *regexp.Regexp, want string) (all []entry) {
	for _, e := range r.entries(path, n, want) {
		if !name.MatchString(e.name) {
			r.mistake(e.path, "like "+suggestName(e.name), "a name here is of the form %s", strings.Trim(name.String(), "^$"))
			continue
		}
		all = append(all, e)
	}
	if len(all) > most {
		r.mistake(path, "take some off", "%d of them, and at most %d are computed at once", len(all), most)
		return all[:most]
	}
	return all
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

func suggestName(name string) string {
	name = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "_"), "_")
	if name == "" {
		return "sign_in"
	}
	return name[:min(len(name), 32)]
}

// text reads a scalar as it is written, without its quotes: yes and 2026.10 are texts.
func (r *reader) text(e entry, dst *string) {
	text, ok := mistake.Scalar(e.value)
	switch {
	case !ok:
		r.mistake(e.path, "", "a single value was expected")
	case len(text) > maxText:
		r.mistake(e.path, "", "%d characters: at most %d are taken", len(text), maxText)
	case strings.ContainsFunc(text, unicode.IsControl):
		r.mistake(e.path, "write it in one line", "a control character, like a line break")
	default:
		*dst = text
	}
}

// into is text as a function of keys.
func (r *reader) into(dst *string) func(entry) { return func(e entry) { r.text(e, dst) } }

// texts reads a value or a list of them.
func (r *reader) texts(e entry, most int) (all []string) {
	list, ok := e.value.(*ast.SequenceNode)
	if !ok {
		var one string
		if r.text(e, &one); one != "" {
			all = []string{one}
		}
		return all
	}
	for _, item := range list.Values {
		var one string
		if r.text(entry{e.path, "", item}, &one); one != "" {
			all = append(all, one)
		}
	}
	switch {
	case len(list.Values) == 0:
		r.mistake(e.path, "list at least one", "an empty list")
	case len(all) > most:
		r.mistake(e.path, "take some off", "%d of them, and at most %d are taken", len(all), most)
		all = all[:most]
	}
	return all
}

// number reads one; false where it is none, which is told.
func (r *reader) number(e entry) (float64, bool) {
	text, _ := mistake.Scalar(e.value)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v-v != 0 {
		r.mistake(e.path, "", "%q is no number", text)
		return 0, false
	}
	return v, true
}
