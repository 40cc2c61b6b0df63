package config

import (
	"path/filepath"

	"brine/lake/store"
)

// minLakeCache is enough for what one query reads at once of hours of a usual size.
const minLakeCache = Bytes(64e6)

// LakeAddress is the place in an object store where the lake lies, false where it lies in the data folder.
func (c *Config) LakeAddress() (a store.Address, remote bool, err error) {
	if c.Lake == "" {
		return a, false, nil
	}
	a, err = store.ParseAddress(c.Lake)
	if a.CredentialsFile != "" && !filepath.IsAbs(a.CredentialsFile) {
		a.CredentialsFile = filepath.Join(filepath.Dir(c.path), a.CredentialsFile)
	}
	return a, true, err
}

func (c *Config) checkLake(d *decoder) {
	a, _, err := c.LakeAddress()
	if err != nil {
		d.mistake("lake", "s3://bucket/prefix?endpoint=…&region=…, or leave it out for a folder", "%s", err)
		return
	}
	d.wantFile("lake", "write it, readable by its owner alone, or leave credentials_file out for those of the environment", a.CredentialsFile)
	if c.LakeCache < minLakeCache {
		d.mistake("lake_cache", "1GB is the default", "expected at least %s", minLakeCache)
	}
}
