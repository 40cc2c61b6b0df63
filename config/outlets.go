package config

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"brine/door"
)

// Outlets are the databases of others that Brine keeps a copy in. Without a url there is none.
type Outlets struct {
	CouchDB CouchDB `yaml:"couchdb"`
}

// CouchDB is a copy in a CouchDB.
type CouchDB struct {
	URL          string   `yaml:"url"`           // of a database of its own, like https://couch.example.org/brine; default "", no copy
	User         string   `yaml:"user"`          // who writes there; default "", nobody by name
	PasswordFile string   `yaml:"password_file"` // the password of user; no default
	CAFile       string   `yaml:"ca_file"`       // PEM of whom its certificate must come from; default "", those the system trusts
	Dataset      string   `yaml:"dataset"`       // sanitized, or raw; default sanitized
	Streams      []string `yaml:"streams"`       // that are copied; default all
}

// The datasets that may be copied.
var outletDatasets = []string{"sanitized", "raw"}

func defaultOutlets() Outlets { return Outlets{CouchDB: CouchDB{Dataset: outletDatasets[0]}} }

func (c *Config) checkOutlets(d *decoder) {
	o, path := c.Outlets.CouchDB, "outlets.couchdb"
	if o.URL == "" {
		if d.set(path) {
			d.mistake(path+".url", "like https://couch.example.org/brine, or leave couchdb out", "no database is named")
		}
		return
	}
	if err := checkDatabase(o.URL); err != nil {
		d.mistake(path+".url", "like https://couch.example.org/brine, with user and password_file beside it", "%s", err)
	}
	if !slices.Contains(outletDatasets, o.Dataset) {
		d.mistake(path+".dataset", "one of "+strings.Join(outletDatasets, ", "), "no such dataset to copy")
	}
	if (o.User == "") != (o.PasswordFile == "") {
		d.mistake(path, "set user and password_file, or neither", "a user and a password belong together")
	}
	for key, file := range map[string]string{"password_file": o.PasswordFile, "ca_file": o.CAFile} {
		d.wantFile(path+"."+key, "is the path right?", file)
	}
	known := c.StreamNames()
	for _, name := range o.Streams {
		if !slices.Contains(known, name) {
			d.mistake(path+".streams", nearest(name, known), "no stream %q", name)
		}
	}
}

// checkDatabase says what keeps an address from being one of a database that events may be sent to.
func checkDatabase(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("expected http:// or https://, a host and the name of a database")
	case u.User != nil:
		return errors.New("it holds a user")
	case strings.Trim(u.Path, "/") == "" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("expected the name of one database behind the host, and nothing more")
	case u.Scheme == "http" && !door.IsLoopback(u.Hostname()):
		return errors.New("it is not loopback, and without TLS the password and events can be read on the way")
	}
	return nil
}
