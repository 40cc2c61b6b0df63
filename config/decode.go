package config

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"brine/access/private"
	"brine/event"
	"brine/mistake"
)

// decoder walks a YAML tree beside a Go value. What does not fit becomes a mistake and leaves the
// Go value as it was, so that the walk goes on and finds the rest.
type decoder struct {
	file     string
	lines    map[string]int  // line of each key that the file gives a value, by its path
	unread   map[string]bool // the paths of values that could not be read
	mistakes Mistakes
	handed   Mistakes // see [Config.Handed]
}

func newDecoder(file string) *decoder {
	return &decoder{file: fileName(file), lines: map[string]int{}, unread: map[string]bool{}}
}

// set is whether the file gives the key a value.
func (d *decoder) set(path string) bool {
	_, ok := d.lines[path]
	return ok
}

// mistake notes what is wrong with the value of a key, at its line or at the line of the nearest key
// around it. A value that could not be read is not judged as well.
func (d *decoder) mistake(path, fix, what string, args ...any) {
	if d.unread[path] {
		return
	}
	d.mistakeAt(lineOf(d.lines, path), path, fix, what, args...)
}

// wantFile finds a file that is not there. What is in it is for whoever opens it.
func (d *decoder) wantFile(path, fix, file string) {
	if file == "" || isFile(file) || d.unread[path] {
		return
	}
	m := Mistake{File: d.file, Line: lineOf(d.lines, path), Path: path, What: "no file " + file, Fix: fix}
	if private.IsCredential(file) {
		d.handed = append(d.handed, m)
		return
	}
	d.mistakes = append(d.mistakes, m)
}

// lineOf is the line of a key, or of the nearest key around it, or 0.
func lineOf(lines map[string]int, path string) int {
	for {
		i := strings.LastIndexAny(path, ".[")
		if line := lines[path]; line > 0 || i < 0 {
			return line
		}
		path = path[:i]
	}
}

func (d *decoder) mistakeAt(line int, path, fix, what string, args ...any) {
	d.mistakes = append(d.mistakes, Mistake{File: d.file, Line: line, Path: path, What: fmt.Sprintf(what, args...), Fix: fix})
}

// document reads the file into a pointer to a struct.
func (d *decoder) document(content []byte, dst any) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		d.syntax(err)
		return
	}
	for i, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case i > 0:
			d.mistakeAt(mistake.LineOf(doc.Body), "", "put all keys into one", "a second YAML document")
		default:
			d.value("", doc.Body, reflect.ValueOf(dst).Elem())
		}
	}
}

func (d *decoder) syntax(err error) {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		d.mistakeAt(0, "", "", "not YAML: %v", err)
		return
	}
	d.mistakeAt(at.GetToken().Position.Line, "", "", "not YAML: %s", at.GetMessage())
}

// value reads one node. A key without a value keeps its default.
func (d *decoder) value(path string, n ast.Node, dst reflect.Value) {
	switch n.(type) {
	case *ast.NullNode:
		return
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.mistakeAt(mistake.LineOf(n), path, "write the value out", "YAML anchors, aliases and tags are not read here")
		return
	}
	d.lines[path] = mistake.LineOf(n)
	if described, ok := dst.Addr().Interface().(*Description); ok {
		if _, text := mistake.Scalar(n); text {
			dst = reflect.ValueOf(&described.Description).Elem()
		}
	}
	if isScalar(dst) {
		d.scalar(path, n, dst)
		return
	}
	switch dst.Kind() {
	case reflect.Struct:
		d.fields(path, n, dst)
	case reflect.Map:
		d.entries(path, n, dst)
	case reflect.Slice:
		d.items(path, n, dst)
	}
}

// fields reads a mapping whose keys are known: the yaml tags of a struct.
func (d *decoder) fields(path string, n ast.Node, dst reflect.Value) {
	known := keysOf(dst.Type())
	for _, kv := range d.mapping(path, n) {
		key := keyOf(kv)
		i := slices.Index(known, key)
		if i < 0 {
			d.mistakeAt(mistake.LineOf(kv.Key), mistake.Join(path, key), nearest(key, known), "unknown key")
			continue
		}
		d.value(mistake.Join(path, key), kv.Value, dst.Field(i))
	}
}

// entries reads a mapping whose keys are the writer's: a map of strings.
func (d *decoder) entries(path string, n ast.Node, dst reflect.Value) {
	if dst.IsNil() {
		dst.Set(reflect.MakeMap(dst.Type()))
	}
	for _, kv := range d.mapping(path, n) {
		at := mistake.Join(path, keyOf(kv))
		elem := reflect.New(dst.Type().Elem()).Elem()
		d.element(at, kv.Value, elem)
		d.lines[at] = mistake.LineOf(kv.Key)
		dst.SetMapIndex(reflect.ValueOf(keyOf(kv)), elem)
	}
}

// items reads a list.
func (d *decoder) items(path string, n ast.Node, dst reflect.Value) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.mistakeAt(mistake.LineOf(n), path, "put it in [ ]", "expected a list")
		return
	}
	for i, item := range list.Values {
		elem := reflect.New(dst.Type().Elem()).Elem()
		d.element(fmt.Sprintf("%s[%d]", path, i), item, elem)
		dst.Set(reflect.Append(dst, elem))
	}
}

// element reads what has no default to fall back on: a scalar must be there.
func (d *decoder) element(path string, n ast.Node, dst reflect.Value) {
	if _, null := n.(*ast.NullNode); null && isScalar(dst) {
		d.unreadable(path, n, "needs a value")
		return
	}
	d.value(path, n, dst)
}

func (d *decoder) mapping(path string, n ast.Node) []*ast.MappingValueNode {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		d.mistakeAt(mistake.LineOf(n), path, mappingFix(n), "expected keys and values")
		return nil
	}
	return m.Values
}

// mappingFix tells the commonest slip by name.
func mappingFix(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		if key, _, found := strings.Cut(s.Value, ":"); found {
			return fmt.Sprintf("is a space missing after %q?", key+":")
		}
	}
	return "like addr: 127.0.0.1:8080"
}

// isScalar is whether a Go value is written as a single YAML scalar.
func isScalar(dst reflect.Value) bool {
	switch dst.Addr().Interface().(type) {
	case *string, *Consent, *bool, *int, *float64, *time.Duration, *netip.Prefix, encoding.TextUnmarshaler:
		return true
	}
	return false
}

func (d *decoder) scalar(path string, n ast.Node, dst reflect.Value) {
	text, ok := mistake.Scalar(n)
	if !ok {
		d.unreadable(path, n, "expected a single value, not a list or keys")
		return
	}
	if err := setScalar(dst.Addr().Interface(), n, text); err != nil {
		d.unreadable(path, n, err.Error())
	}
}

func (d *decoder) unreadable(path string, n ast.Node, what string) {
	d.unread[path] = true
	d.mistakeAt(mistake.LineOf(n), path, "", "%s", what)
}

func setScalar(dst any, n ast.Node, text string) (err error) {
	switch dst := dst.(type) {
	case *string:
		return setString(dst, n, text)
	case *Consent:
		return setString((*string)(dst), n, text)
	case *bool:
		return setBool(dst, n)
	case *int:
		return setNumber(dst, n, text, strconv.Atoi)
	case *float64:
		return setNumber(dst, n, text, parseFloat)
	case *time.Duration:
		*dst, err = keep(*dst, text, parseDuration)
	case *netip.Prefix:
		*dst, err = keep(*dst, text, parseNetwork)
	case encoding.TextUnmarshaler:
		err = dst.UnmarshalText([]byte(text))
	}
	return err
}

// keep is what parse makes of the text, or the old value with the error.
func keep[T any](old T, text string, parse func(string) (T, error)) (T, error) {
	v, err := parse(text)
	if err != nil {
		return old, err
	}
	return v, nil
}

func setString(dst *string, n ast.Node, text string) error {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		*dst = text
		return nil
	}
	return fmt.Errorf("expected text: write it in quotes, %q", text)
}

func setBool(dst *bool, n ast.Node) error {
	b, ok := n.(*ast.BoolNode)
	if !ok {
		return errors.New("expected true or false")
	}
	*dst = b.Value
	return nil
}

func setNumber[T any](dst *T, n ast.Node, text string, parse func(string) (T, error)) error {
	if _, quoted := n.(*ast.StringNode); quoted {
		return errors.New("expected a number, without quotes or unit")
	}
	v, err := parse(text)
	if err != nil {
		return errors.New("expected a number")
	}
	*dst = v
	return nil
}

func parseFloat(s string) (float64, error) { return strconv.ParseFloat(s, 64) }

func keyOf(kv *ast.MappingValueNode) string {
	return kv.Key.GetToken().Value
}

// keysOf are the keys of a struct, by the index of their field; "" for a field without a key.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("yaml")
	}
	return keys
}

// Nearest suggests the known key that was most likely meant by another one, for [Config.Mistake].
func Nearest(key string, known []string) string { return nearest(key, known) }

// nearest suggests the key that was most likely meant, or else says what is known.
func nearest(key string, known []string) string {
	known = slices.DeleteFunc(slices.Clone(known), func(k string) bool { return k == "" })
	return event.LikelyFix(key, known)
}
