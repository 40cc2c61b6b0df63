package event

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Registry holds the schemas that there are: the built-in one, and those of a folder.
type Registry struct {
	schemas []*Schema // by name, the newest version first
	folder  string
}

// LoadRegistry reads all .yaml, .yml and .json files below a folder as schemas. A folder that
// is not there holds none. The error joins those of all files, each with the file's name.
//
// A $id may stand in two files where both say the same, as in repositories that keep a
// schema as YAML and as JSON.
func LoadRegistry(folder string) (*Registry, error) {
	r := &Registry{folder: folder, schemas: []*Schema{InteractionSchema()}}
	var faults []error
	err := filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isSchemaFile(file) {
			return err
		}
		if err := r.load(file); err != nil {
			faults = append(faults, err)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		faults = append(faults, err)
	}
	slices.SortStableFunc(r.schemas, func(a, b *Schema) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), -slices.Compare(a.Version[:], b.Version[:]))
	})
	return r, errors.Join(faults...)
}

func isSchemaFile(file string) bool {
	switch filepath.Ext(file) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func (r *Registry) load(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	s, err := ParseSchema(file, data)
	if err != nil {
		return err
	}
	if err := s.checkStored(); err != nil {
		return err
	}
	if before, known := r.Schema(s.ID); known {
		if sameDocument(before, s) {
			return nil
		}
		return fileError(file, fmt.Errorf("$id %s is taken by %s: raise the version", s.ID, before.File))
	}
	r.schemas = append(r.schemas, s)
	return nil
}

// reserved are the names that the lake gives to its folders and its own columns.
var reserved = []string{"date", "hour", "received", "brine_time", "brine_id"}

// checkStored says why events of the schema could not be stored or looked up.
func (s *Schema) checkStored() error {
	if s.ID == "" {
		return fileError(s.File, errors.New("no $id: give it one like /team/what/1.0.0"))
	}
	if s.Title == "" {
		return fileError(s.File, errors.New("no title: versions of one schema are known by it"))
	}
	var err error
	if s.fields, err = Columns(s); err != nil {
		return err
	}
	for _, c := range s.fields {
		if slices.Contains(reserved, strings.ToLower(c.Name)) {
			return fileError(s.File, fmt.Errorf("%s: the name is taken by the lake: rename the field, for example to event_%s", c.Name, strings.ToLower(c.Name)))
		}
	}
	return nil
}

func sameDocument(a, b *Schema) bool {
	textA, errA := json.Marshal(a.JSONDocument())
	textB, errB := json.Marshal(b.JSONDocument())
	return errA == nil && errB == nil && bytes.Equal(textA, textB)
}

// Schemas are all schemas, by name, the newest version first.
func (r *Registry) Schemas() []*Schema { return slices.Clone(r.schemas) }

// Schema finds a schema by its $id.
func (r *Registry) Schema(id string) (*Schema, bool) {
	i := slices.IndexFunc(r.schemas, func(s *Schema) bool { return s.ID == id })
	if i < 0 {
		return nil, false
	}
	return r.schemas[i], true
}

// versions are the schemas of one stream, newest first: those with the title and the major
// version of what name says, a $id with or without its version; without it, the newest.
func (r *Registry) versions(name string) ([]*Schema, error) {
	i := slices.IndexFunc(r.schemas, func(s *Schema) bool { return s.ID == name || s.Name == name })
	if i < 0 {
		return nil, &StreamError{Key: "schema", What: fmt.Sprintf("no schema %s in %s", name, cmp.Or(r.folder, "schemas, for there is no such folder")), Fix: r.fix(name)}
	}
	like := r.schemas[i]
	same := slices.DeleteFunc(slices.Clone(r.schemas), func(s *Schema) bool {
		return s.Title != like.Title || s.Version[0] != like.Version[0]
	})
	slices.SortStableFunc(same, func(a, b *Schema) int { return -slices.Compare(a.Version[:], b.Version[:]) })
	return same, nil
}

// fix is the likely fix of a schema's name that was not found.
func (r *Registry) fix(name string) string {
	_, last := filepath.Split(name)
	var known []string
	for _, s := range r.schemas {
		if strings.HasSuffix(s.Name, "/"+last) {
			return "did you mean " + s.Name + "?"
		}
		if s.Name != "/"+Interaction {
			known = append(known, s.Name)
		}
	}
	return cmp.Or(LikelyFix(name, known), "put it there, or mend the name")
}
