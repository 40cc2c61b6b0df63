package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"brine/access"
	"brine/access/ldap"
	"brine/config"
)

// tryWithin bounds the work of one server, when it is tried.
const tryWithin = 10 * time.Second

// openLDAP is the directory of the config's LDAP servers.
func openLDAP(cfg *config.Config) (*ldap.Directory, error) {
	l := cfg.LDAP
	d := &ldap.Directory{
		URLs: l.URLs, CAFile: l.CAFile, StartTLS: l.StartTLS, BindDN: l.BindDN, BindPasswordFile: l.BindPasswordFile,
		UserBase: l.UserBase, UserFilter: l.UserFilter, GroupBase: l.GroupBase, RoleGroups: map[access.Role][]string{},
	}
	for name, groups := range l.Roles.ByName() {
		role, err := access.ParseRole(name)
		if err != nil {
			return nil, err
		}
		d.RoleGroups[role] = groups
	}
	if err := d.Open(); err != nil {
		return nil, fmt.Errorf("ldap.%w", err)
	}
	return d, nil
}

// serverTried is what came of trying an LDAP server.
type serverTried struct {
	URL   string   `json:"url"`
	OK    bool     `json:"ok"`
	Wrong []string `json:"wrong,omitempty"`
}

// checkLDAP looks into the files that the directory's settings name, and asks the servers where that was wanted.
func (c *checkCmd) checkLDAP(ctx context.Context, r *report, cfg *config.Config) error {
	if len(cfg.LDAP.URLs) == 0 {
		if c.LDAP {
			r.Mistakes = append(r.Mistakes, cfg.Mistake("ldap.urls", "there is no server to try", "like [ldaps://ldap.example.org]"))
		}
		return nil
	}
	r.checkLDAPFiles(cfg)
	if !c.LDAP {
		return nil
	}
	d, err := openLDAP(cfg)
	if err != nil {
		return err
	}
	defer d.Close()
	d.Timeout = tryWithin
	for _, a := range d.Try(ctx) {
		r.Servers = append(r.Servers, serverTried{a.URL, len(a.Wrong) == 0, a.Wrong})
		for _, wrong := range a.Wrong {
			r.Mistakes = append(r.Mistakes, cfg.Mistake("ldap.urls", a.URL+": "+wrong, ""))
		}
	}
	return nil
}

func (r *report) checkLDAPFiles(cfg *config.Config) {
	if file := cfg.LDAP.CAFile; file != "" {
		if _, err := ldap.ReadCAs(file); err != nil {
			r.Mistakes = append(r.Mistakes, cfg.Mistake("ldap.ca_file", err.Error(), ""))
		}
	}
	if file := cfg.LDAP.BindPasswordFile; file != "" {
		if _, err := ldap.ReadPassword(file); err != nil {
			r.Mistakes = append(r.Mistakes, cfg.Mistake("ldap.bind_password_file", err.Error(), ""))
		}
	}
	path := openUsers(cfg).Path()
	if _, err := os.Lstat(path); err == nil {
		r.Warnings = append(r.Warnings, cfg.Mistake("ldap.urls", "there is a users file too, and it is not used beside LDAP", "remove "+path))
	}
}

// checkUsers finds lines of the users file by which nobody gets in.
func (r *report) checkUsers(cfg *config.Config) {
	file := openUsers(cfg)
	_, faults, err := file.List()
	if err != nil {
		r.Mistakes = append(r.Mistakes, config.Mistake{File: file.Path(), What: err.Error()})
	}
	for _, f := range faults {
		r.Mistakes = append(r.Mistakes, config.Mistake{File: f.File, Line: f.Line, What: f.What})
	}
}

func (t serverTried) String() string {
	if t.OK {
		return "ldap: " + t.URL + " answers, and has all that the config names"
	}
	return "ldap: " + t.URL + " would let nobody in"
}
