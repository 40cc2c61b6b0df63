package sanitize

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"brine/mistake"
)

// defaultsKey is the name under which rules for every listed stream stand.
const defaultsKey = "__defaults__"

// Allowlist is the text of one, read. What is wrong with it is told by [Check] and [Compile].
type Allowlist struct {
	File     string
	mistakes Findings
	defaults []*node
	streams  []*node
}

// node is one line: a stream, or a field and its rule.
type node struct {
	name      string
	line      int
	rule      Rule    // its Kind is 0 where it could not be read
	fields    []*node // of a rule Fields
	byDefault bool    // it came from __defaults__
}

// Load reads an allowlist from a file. The error is about reading the file only.
func Load(file string) (*Allowlist, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the allowlist: %w", err)
	}
	return Parse(file, text), nil
}

// Parse reads the text of an allowlist. file is for messages.
func Parse(file string, text []byte) *Allowlist {
	list := &Allowlist{File: file}
	r := &reader{list: list}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if r.missingSpaces(text) {
		return list
	}
	doc, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return list
	}
	for i, doc := range doc.Docs {
		switch {
		case doc.Body == nil:
		case i > 0:
			r.mistake(doc.Body, "", "put all streams into one", "a second YAML document")
		default:
			r.document(doc.Body)
		}
	}
	return list
}

// reader turns YAML into nodes and notes what is wrong.
type reader struct{ list *Allowlist }

func (r *reader) mistakeAt(line int, path, fix, what string, args ...any) {
	r.list.mistakes = append(r.list.mistakes, Finding{r.list.File, line, path, fmt.Sprintf(what, args...), fix})
}

func (r *reader) mistake(n ast.Node, path, fix, what string, args ...any) {
	r.mistakeAt(mistake.LineOf(n), path, fix, what, args...)
}

func (r *reader) syntax(err error) {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		r.mistakeAt(at.GetToken().Position.Line, "", "", "not YAML: %s", at.GetMessage())
		return
	}
	r.mistakeAt(0, "", "", "not YAML: %v", err)
}

// noSpace is a line like "a:keep", of which YAML makes text, or nothing that it can read.
var noSpace = regexp.MustCompile(`(?m)^[ \t]*([^\s:#'"{\[-][^\s:#]*):(?:keep|keep_all|hash|hash_per_stream|drop|(?:floor|bucket|only):.*|\{.*|\[.*)[ \t]*(?:#.*)?\r?$`)

// missingSpaces finds them before YAML does, since what YAML then says helps nobody.
func (r *reader) missingSpaces(text []byte) (found bool) {
	for _, at := range noSpace.FindAllSubmatchIndex(text, -1) {
		name := string(text[at[2]:at[3]])
		r.mistakeAt(1+bytes.Count(text[:at[2]], []byte("\n")), name, "write "+name+": and then a space", "the space after the colon is missing")
		found = true
	}
	return found
}

func (r *reader) document(body ast.Node) {
	for _, n := range r.entries("", body, "streams and their fields, like app_session: {length_ms: keep}") {
		switch {
		case n.name != defaultsKey:
			r.list.streams = append(r.list.streams, n)
		case n.rule.Kind == Fields:
			r.list.defaults = n.fields
			markDefault(n.fields)
		case n.rule.Kind != 0:
			r.mistakeAt(n.line, defaultsKey, "like __defaults__: {dt: {floor: 1h}}", "fields and their rules were expected")
		}
	}
}

func markDefault(nodes []*node) {
	for _, n := range nodes {
		n.byDefault = true
		markDefault(n.fields)
	}
}

// entries reads a mapping of names to rules.
func (r *reader) entries(path string, n ast.Node, want string) (nodes []*node) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		text, _ := mistake.Scalar(n)
		r.mistake(n, path, mistake.Slip(text), "expected %s", want)
		return nil
	}
	lines := map[string]int{}
	for _, kv := range m.Values {
		name, line := kv.Key.GetToken().Value, mistake.LineOf(kv.Key)
		at := mistake.Join(path, name)
		switch before := lines[name]; {
		case kv.Key.Type() == ast.MergeKeyType:
			r.mistakeAt(line, path, "write the fields out", "YAML's << is not read here")
		case name == "" || strings.Contains(name, "\x00"):
			r.mistakeAt(line, path, "", "a name of no characters, or with a zero byte, is no field's")
		case before > 0:
			r.mistakeAt(line, at, fmt.Sprintf("it stands in line %d already: make one of the two", before), "listed twice")
		default:
			lines[name] = line
			rule, fields := r.rule(at, kv.Value)
			nodes = append(nodes, &node{name: name, line: line, rule: rule, fields: fields})
		}
	}
	return nodes
}

// rule reads what stands behind a name.
func (r *reader) rule(path string, n ast.Node) (Rule, []*node) {
	switch n := n.(type) {
	case *ast.NullNode:
		r.mistake(n, path, "say keep, hash, drop or another rule, or list fields below it", "a rule without a value")
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		r.mistake(n, path, "write the rule out", "YAML anchors, aliases and tags are not read here")
	case *ast.SequenceNode:
		r.mistake(n, path, "like {only: [a, b]} or {bucket: [1, 5, 100]}", "a list is no rule")
	case *ast.MappingNode:
		return r.mapping(path, n)
	default:
		return r.word(path, n), nil
	}
	return Rule{}, nil
}

// word reads a rule that is one word.
func (r *reader) word(path string, n ast.Node) Rule {
	text, _ := mistake.Scalar(n)
	if kind, ok := named[text]; ok {
		return Rule{Kind: kind}
	}
	fix := didYouMean(text, []string{"keep", "keep_all", "hash", "hash_per_stream", "drop", "floor", "bucket", "only"})
	if _, ok := examples[text]; ok {
		fix = "it says how much, like " + examples[text]
	} else if strings.Contains(text, ":") {
		fix = mistake.Slip(text)
	}
	r.mistake(n, path, fix, "unknown rule %q", text)
	return Rule{}
}

// examples are of the rules that have a parameter.
var examples = map[string]string{"floor": "{floor: 1h}", "bucket": "{bucket: [1, 5, 100]}", "only": `{only: [a, "b.*"]}`}

// mapping is a rule with a parameter, or else fields. A field may be called floor, bucket or only: then
// fields or the name of a rule stand behind it.
func (r *reader) mapping(path string, n *ast.MappingNode) (Rule, []*node) {
	if len(n.Values) == 0 {
		r.mistake(n, path, "list fields below it, or drop it", "nothing is listed")
		return Rule{}, nil
	}
	if len(n.Values) == 1 {
		key, value := n.Values[0].Key.GetToken().Value, n.Values[0].Value
		_, parametric := examples[key]
		text, isScalar := mistake.Scalar(value)
		_, isFields := value.(*ast.MappingNode)
		if _, isRule := named[text]; parametric && !isFields && !(isScalar && isRule) {
			return r.parameter(path, key, value), nil
		}
	}
	return Rule{Kind: Fields}, r.entries(path, n, "fields and their rules")
}

func (r *reader) parameter(path, key string, n ast.Node) Rule {
	if key == "floor" {
		return r.floor(path, n)
	}
	texts, ok := r.texts(path, key, n)
	if !ok {
		return Rule{}
	}
	if key == "only" {
		return r.only(path, n, texts)
	}
	edges, err := parseEdges(texts)
	if err != nil {
		r.mistake(n, path, "ascending numbers, like "+examples["bucket"], "%v", err)
		return Rule{}
	}
	return Rule{Kind: Bucket, Edges: edges}
}

func (r *reader) floor(path string, n ast.Node) Rule {
	text, _ := mistake.Scalar(n)
	for _, f := range floors {
		if f.text == text {
			return Rule{Kind: Floor, Floor: f.every}
		}
	}
	r.mistake(n, path, "10m, 1h or 1d", "no time to floor to")
	return Rule{}
}

// texts are the items of a parameter, as they are written.
func (r *reader) texts(path, key string, n ast.Node) (texts []string, ok bool) {
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		r.mistake(n, path, "like "+examples[key], "%s needs a list", key)
		return nil, false
	}
	for _, item := range list.Values {
		text, isScalar := mistake.Scalar(item)
		if !isScalar {
			r.mistake(item, path, "like "+examples[key], "a single value was expected in the list")
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}

func (r *reader) only(path string, n ast.Node, values []string) Rule {
	for _, v := range values {
		switch {
		case v == "*":
			r.mistake(n, path, "say keep", "* would keep every value")
			return Rule{}
		case strings.Contains(strings.TrimSuffix(v, "*"), "*"):
			r.mistake(n, path, `a prefix is like "screen.*"`, "%q: a * may only stand at the end", v)
			return Rule{}
		}
	}
	values = slices.Clone(values)
	slices.Sort(values)
	return Rule{Kind: Only, Only: slices.Compact(values)}
}
