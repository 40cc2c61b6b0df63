package event

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is one version of what an event must be: a JSON Schema, draft-07 or 2020-12.
type Schema struct {
	ID      string // the $id, like /analytics/mobile_apps/app_session/1.1.0; "" where it has none
	Name    string // the $id without the version, like /analytics/mobile_apps/app_session
	Title   string
	Version [3]int // of the $id: major, minor, patch; 0 where it does not say
	File    string // where it came from, for messages

	document yaml.MapSlice
	fields   []Column // of its events; set by the registry
	compiled *jsonschema.Schema
	quick    *quick // nil where the schema is beyond it
}

//go:embed schemas/interaction/1.json
var builtIn embed.FS

// InteractionSchema is the schema of the built-in stream: the glossary of its fields.
func InteractionSchema() *Schema {
	const file = "schemas/interaction/1.json"
	data, err := builtIn.ReadFile(file)
	if err == nil {
		var s *Schema
		if s, err = ParseSchema(file, data); err == nil {
			return s
		}
	}
	panic(err) // it is part of the program
}

// JSONDocument is the schema as plain maps, slices and scalars, numbers as json.Number.
func (s *Schema) JSONDocument() map[string]any {
	return unordered(s.document).(map[string]any)
}

// ParseSchema reads a schema from the text of a file: JSON where the file's name ends in
// .json, else YAML. An error begins with the file, and has the line where the text tells it.
func ParseSchema(file string, data []byte) (*Schema, error) {
	parse := parseYAML
	if path.Ext(file) == ".json" {
		parse = parseJSON
	}
	document, err := parse(data)
	if err != nil {
		return nil, fileError(file, err)
	}
	object, ok := document.(yaml.MapSlice)
	if !ok {
		return nil, fileError(file, errors.New("a schema is an object, with $schema, $id, title, type and properties"))
	}
	s := &Schema{
		ID:       textMember(object, "$id"),
		Title:    textMember(object, "title"),
		File:     file,
		document: object,
	}
	s.Name, s.Version = splitID(s.ID)
	if s.compiled, err = compile(s); err != nil {
		return nil, fileError(file, err)
	}
	s.quick = newQuick(s.compiled)
	return s, nil
}

// check says what is wrong with an event.
func (s *Schema) check(event *tree) *Problem {
	if s.quick != nil && s.quick.accepts(event, root) {
		return nil
	}
	if err := s.compiled.Validate(event.decoded(root)); err != nil {
		return problemOf(err)
	}
	return nil
}

// has says whether events of the schema have a top-level field.
func (s *Schema) has(name string) bool {
	return slices.ContainsFunc(s.fields, func(c Column) bool { return c.Name == name })
}

// fileError puts the file before an error; a line goes next to it.
func fileError(file string, err error) error {
	var located *lineError
	if errors.As(err, &located) {
		return fmt.Errorf("%s:%w", file, err)
	}
	return fmt.Errorf("%s: %w", file, err)
}

// splitID takes the version off a $id: its last part, where that is one to three numbers.
func splitID(id string) (name string, version [3]int) {
	name, last := path.Split(id)
	parts := strings.Split(last, ".")
	if len(parts) > len(version) {
		return id, [3]int{}
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return id, [3]int{}
		}
		version[i] = n
	}
	return strings.TrimSuffix(name, "/"), version
}

// compile makes the validator. Nothing is loaded from elsewhere: a schema stands in one file.
func compile(s *Schema) (*jsonschema.Schema, error) {
	switch draft := strings.TrimSuffix(textMember(s.document, "$schema"), "#"); draft {
	case "http://json-schema.org/draft-07/schema", "https://json-schema.org/draft-07/schema",
		"http://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2020-12/schema":
	case "":
		return nil, errors.New("$schema is missing: say https://json-schema.org/draft/2020-12/schema or http://json-schema.org/draft-07/schema#")
	default:
		return nil, fmt.Errorf("$schema is %q: say https://json-schema.org/draft/2020-12/schema or http://json-schema.org/draft-07/schema#", draft)
	}
	const base = "schema:///root"
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.AssertFormat()
	if err := c.AddResource(base, unordered(s.document)); err != nil {
		return nil, schemaFault(err)
	}
	compiled, err := c.Compile(base)
	if err != nil {
		return nil, schemaFault(err)
	}
	return compiled, nil
}

// noLoader refuses to load what a schema refers to.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("a $ref must point into its own file: write the other schema out in it, below definitions or $defs")
}

// schemaFault words an error of the schema library without the address that it was given
// for the document.
func schemaFault(err error) error {
	text := strings.ReplaceAll(err.Error(), "schema:///root", "")
	return errors.New(strings.TrimSpace(text))
}
