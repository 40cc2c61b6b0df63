package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"brine/access/private"
	"brine/kpi"
)

// addedChanges are the changes that were added while Brine ran, in one small file that commands and a serving brine share.
type addedChanges struct{ path string }

func openChanges(dataDir string) addedChanges {
	return addedChanges{filepath.Join(dataDir, "changes.json")}
}

// maxChangesFile is far more than as many changes as there may be.
const maxChangesFile = 4 << 20

// list are those that can be read. The error is about the others, or the file.
func (a addedChanges) list() ([]kpi.Change, error) {
	file, err := private.Open(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxChangesFile))
	if err != nil {
		return nil, err
	}
	added, err := kpi.DecodeChanges(text)
	if err != nil {
		return added, fmt.Errorf("%s: %w", a.path, err)
	}
	return added, nil
}

// add keeps a change that the definitions have nothing against.
func (a addedChanges) add(defs *kpi.Definitions, c kpi.Change) error {
	return a.change(func(added []kpi.Change) ([]kpi.Change, error) {
		if err := defs.CheckChange(c, added); err != nil {
			return nil, err
		}
		return append(added, c), nil
	})
}

// remove takes one away that was added.
func (a addedChanges) remove(defs *kpi.Definitions, name string) error {
	named := func(c kpi.Change) bool { return c.Name == name }
	return a.change(func(added []kpi.Change) ([]kpi.Change, error) {
		switch {
		case slices.ContainsFunc(added, named):
			return slices.DeleteFunc(added, named), nil
		case slices.ContainsFunc(defs.Changes, named):
			return nil, kpi.BadQuestion{Param: "change", What: name + " stands in the file of KPIs", Fix: "take it out there"}
		}
		return nil, kpi.BadQuestion{Param: "change", What: fmt.Sprintf("no change %.64q was added", name), Fix: "see brine change list"}
	})
}

// change replaces the file by what is made of it. One that cannot be read whole is left as it is.
func (a addedChanges) change(do func([]kpi.Change) ([]kpi.Change, error)) error {
	unlock, err := private.Lock(a.path)
	if err != nil {
		return err
	}
	defer unlock()
	added, err := a.list()
	if err != nil {
		return err
	}
	if added, err = do(added); err != nil {
		return err
	}
	return private.Replace(a.path, kpi.EncodeChanges(added))
}
