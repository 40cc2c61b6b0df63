package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// digestBytes are enough to tell values apart; nobody chooses them to collide.
const digestBytes = 8

// Digests are hashes of the values of the top-level keys, by key, in hex: they tell what differs from another process's config.
// Those of allowlist and kpi are also over what the files hold. None is of a secret, as the config names files for these.
func (c *Config) Digests() map[string]string {
	all := map[string]string{}
	values := reflect.ValueOf(*c)
	for _, f := range reflect.VisibleFields(values.Type()) {
		if !f.IsExported() {
			continue
		}
		value, err := json.Marshal(values.FieldByIndex(f.Index).Interface())
		if err != nil {
			panic(err) // a type without a text form: a mistake in this package
		}
		key := f.Tag.Get("yaml")
		if file, ok := map[string]string{"allowlist": c.Allowlist, "kpi": c.KPI}[key]; ok {
			value = append(value, read(file)...)
		}
		sum := sha256.Sum256(value)
		all[key] = hex.EncodeToString(sum[:digestBytes])
	}
	return all
}

// FileDigest is a hash of what a file that the config names holds now, in hex; "none" where it names none.
func FileDigest(path string) string {
	if path == "" {
		return "none"
	}
	sum := sha256.Sum256(read(path))
	return hex.EncodeToString(sum[:digestBytes])
}

// Differing are the keys of which two digests differ, sorted; a key that one of them lacks differs.
func Differing(a, b map[string]string) []string {
	keys := map[string]bool{}
	for _, m := range []map[string]string{a, b} {
		for key := range m {
			if a[key] != b[key] {
				keys[key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}
