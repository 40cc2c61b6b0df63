package lake

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
)

// fileList is files in an entry of the journal, with what their footers say, so that none is fetched for that.
type fileList []*File

// storedFile is one of them as JSON.
type storedFile struct {
	Name string            `json:"name"`
	Size int64             `json:"size"`
	Rows int64             `json:"rows"`
	Min  int64             `json:"min"`
	Max  int64             `json:"max"`
	Sum  string            `json:"sha256"`
	Meta map[string]string `json:"meta,omitempty"`
}

// MarshalJSON writes the list.
func (l fileList) MarshalJSON() ([]byte, error) {
	all := make([]storedFile, len(l))
	for i, f := range l {
		all[i] = storedFile{keyOf(f.Name), f.Size, f.Rows, f.Min, f.Max, hex.EncodeToString(f.sum[:]), f.meta}
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads it.
func (l *fileList) UnmarshalJSON(text []byte) error {
	var all []storedFile
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for _, s := range all {
		n, err := ParseName(s.Name)
		if err != nil {
			return err
		}
		f := &File{Name: n, Size: s.Size, Rows: s.Rows, Min: s.Min, Max: s.Max, known: true, meta: s.Meta}
		if n, err := hex.Decode(f.sum[:], []byte(s.Sum)); err != nil || n != len(f.sum) {
			return fmt.Errorf("%s: %q is no SHA-256", s.Name, s.Sum)
		}
		*l = append(*l, f)
	}
	return nil
}

// nameList is names in an entry of the journal.
type nameList []Name

// MarshalJSON writes the list.
func (l nameList) MarshalJSON() ([]byte, error) {
	all := make([]string, len(l))
	for i, n := range l {
		all[i] = keyOf(n)
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads it.
func (l *nameList) UnmarshalJSON(text []byte) error {
	var all []string
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for _, s := range all {
		n, err := ParseName(s)
		if err != nil {
			return err
		}
		*l = append(*l, n)
	}
	return nil
}

// keyOf is the key of a file in an object store.
func keyOf(n Name) string { return filepath.ToSlash(n.String()) }
