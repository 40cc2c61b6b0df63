package config

import (
	"path/filepath"
	"strings"
	"time"

	"brine/salt"
)

// Salts says how the keys of pseudonyms are kept. See package salt for what it means.
type Salts struct {
	Dir    string        `yaml:"dir"`    // the salts folder; default "", see [Config.SaltsPath]
	Period string        `yaml:"period"` // quarter, days like 90d, or hours like 12h; default quarter
	Start  string        `yaml:"start"`  // where days and hours are counted from; default 2026-01-01
	Grace  time.Duration `yaml:"grace"`  // full hours from the end of a period to the end of its salt; default 48h
	Manage string        `yaml:"manage"` // who makes and destroys: internal, or external; default internal
}

// What salts.manage may be.
const (
	internal = "internal" // Brine makes and destroys salts
	external = "external" // another tool does, and Brine reads them
)

func defaultSalts() Salts {
	return Salts{Period: "quarter", Start: "2026-01-01", Grace: 48 * time.Hour, Manage: internal}
}

// External is whether another tool makes and destroys the salts.
func (s Salts) External() bool { return s.Manage == external }

// Periods are the periods of the salts.
func (s Salts) Periods() (salt.Periods, error) { return salt.ParsePeriods(s.Period, s.Start, s.Grace) }

// SaltsPath is the salts folder: salts.dir, else salts in the data folder.
func (c *Config) SaltsPath() string {
	if c.Salts.Dir != "" {
		return c.Salts.Dir
	}
	return filepath.Join(c.Data, saltsFolder)
}

// saltsFolder is where salts lie in the data folder, and nowhere else in it: all else there is Brine's own, and part of it in each backup.
const saltsFolder = "salts"

func (c *Config) checkSalts(d *decoder) {
	if _, err := c.Salts.Periods(); err != nil {
		key, what, _ := strings.Cut(err.Error(), ": ")
		d.mistake("salts."+key, "", "%s", what)
	}
	switch c.Salts.Manage {
	case internal, external:
	default:
		d.mistake("salts.manage", nearest(c.Salts.Manage, []string{internal, external}), "expected internal or external")
	}
	if own := filepath.Join(c.Data, saltsFolder); within(c.SaltsPath(), c.Data) && !within(c.SaltsPath(), own) {
		d.mistake("salts.dir", "take "+own+", or a folder elsewhere", "in %s only %s is the salts' own: what is in others may be swept, or backed up", c.Data, own)
	}
	if within(c.Data, c.SaltsPath()) {
		d.mistake("salts.dir", "give salts a folder of their own, which may lie in it", "the data folder %s lies there", c.Data)
	}
}

// within is whether a path is a folder or lies below it, wherever links lead.
func within(path, folder string) bool {
	rel, err := filepath.Rel(linked(folder), linked(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// linked is the path that a path leads to, of which the end may not be there yet.
func linked(path string) string {
	path, _ = filepath.Abs(path)
	for at, rest := path, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if to, err := filepath.EvalSymlinks(at); err == nil || at == "/" {
			return filepath.Join(to, rest)
		}
	}
}
