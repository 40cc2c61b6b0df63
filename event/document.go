package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/goccy/go-yaml"
)

// A document is YAML or JSON with its keys in the order of the file, which is the order of
// columns: objects are a yaml.MapSlice, arrays []any, numbers json.Number.

// parseYAML reads a document. An error has the line.
func parseYAML(data []byte) (any, error) {
	var doc any
	err := yaml.UnmarshalWithOptions(data, &doc, yaml.UseOrderedMap())
	if err == nil {
		return normalize(doc)
	}
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		return nil, &lineError{located.GetToken().Position.Line, located.GetMessage()}
	}
	return nil, err
}

// lineError is an error of a file's text.
type lineError struct {
	line int
	text string
}

func (e *lineError) Error() string { return strconv.Itoa(e.line) + ": " + e.text }

// normalize makes the numbers of YAML those of JSON, and refuses keys that are no text.
func normalize(v any) (any, error) {
	switch v := v.(type) {
	case yaml.MapSlice:
		for i := range v {
			if _, ok := v[i].Key.(string); !ok {
				return nil, fmt.Errorf("the key %v is no text: put it in quotes", v[i].Key)
			}
			value, err := normalize(v[i].Value)
			if err != nil {
				return nil, err
			}
			v[i].Value = value
		}
		return v, nil
	case []any:
		for i := range v {
			value, err := normalize(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = value
		}
		return v, nil
	case int, int64, uint64:
		return json.Number(fmt.Sprint(v)), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("a number that is not finite is no JSON")
		}
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64)), nil
	case nil, string, bool:
		return v, nil
	}
	return nil, fmt.Errorf("a value of type %T is no JSON: put it in quotes", v)
}

// parseJSON reads a document. An error has the line.
func parseJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	doc, err := readJSON(d)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the JSON ends too early")
	}
	if err != nil {
		line := 1 + bytes.Count(data[:min(int(d.InputOffset()), len(data))], []byte{'\n'})
		return nil, &lineError{line, err.Error()}
	}
	return doc, nil
}

func readJSON(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return readJSONObject(d)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := readJSON(d)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := d.Token()
		return list, err
	}
	return token, nil
}

func readJSONObject(d *json.Decoder) (any, error) {
	object := yaml.MapSlice{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, repeated := member(object, key.(string)); repeated {
			return nil, fmt.Errorf("the key %q comes twice", key)
		}
		value, err := readJSON(d)
		if err != nil {
			return nil, err
		}
		object = append(object, yaml.MapItem{Key: key, Value: value})
	}
	_, err := d.Token()
	return object, err
}

// member is the value of a key of an object; ok is false where it, or the object, is none.
func member(object any, key string) (value any, ok bool) {
	items, _ := object.(yaml.MapSlice)
	for _, item := range items {
		if item.Key == key {
			return item.Value, true
		}
	}
	return nil, false
}

func textMember(object any, key string) string {
	value, _ := member(object, key)
	text, _ := value.(string)
	return text
}

// unordered is the document as the schema library wants it: objects as map[string]any.
func unordered(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		object := make(map[string]any, len(v))
		for _, item := range v {
			object[item.Key.(string)] = unordered(item.Value)
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = unordered(v[i])
		}
		return list
	}
	return v
}
