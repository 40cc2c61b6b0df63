package config

import (
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	directory "brine/access/ldap"
)

// LDAP is the directory that says who may read. Without urls there is none.
type LDAP struct {
	URLs             []string `yaml:"urls"`               // ldaps://host or ldap://host, replicas of one directory, asked in this order; default none
	CAFile           string   `yaml:"ca_file"`            // PEM of whom the servers' certificates must come from; default "", those the system trusts
	StartTLS         bool     `yaml:"start_tls"`          // turn ldap:// into TLS before anything is said; default true, and false is for loopback only
	BindDN           string   `yaml:"bind_dn"`            // the service account that looks people up; default "", anonymous
	BindPasswordFile string   `yaml:"bind_password_file"` // its password; no default
	UserBase         string   `yaml:"user_base"`          // people are below this DN; no default
	UserFilter       string   `yaml:"user_filter"`        // finds one by the name that was typed, which stands for %s; default (uid=%s)
	GroupBase        string   `yaml:"group_base"`         // groups below this DN are searched for members; default "", only memberOf counts
	Roles            Roles    `yaml:"roles"`              // which groups give which role
}

// Roles are DNs of groups, by the role that they give. One for some role is needed.
type Roles struct {
	Viewer  []string `yaml:"viewer"`
	Analyst []string `yaml:"analyst"`
	Raw     []string `yaml:"raw"`
	Privacy []string `yaml:"privacy"`
}

func defaultLDAP() LDAP { return LDAP{StartTLS: true, UserFilter: "(uid=%s)"} }

// ByName are the groups by the name of the role.
func (r Roles) ByName() map[string][]string {
	return map[string][]string{"viewer": r.Viewer, "analyst": r.Analyst, "raw": r.Raw, "privacy": r.Privacy}
}

func (c *Config) checkLDAP(d *decoder) {
	if len(c.LDAP.URLs) == 0 {
		if d.set("ldap.user_base") || d.set("ldap.bind_dn") || d.set("ldap.roles") {
			d.mistake("ldap.urls", "like [ldaps://ldap.example.org], or leave ldap out", "no server is named")
		}
		return
	}
	for i, address := range c.LDAP.URLs {
		if what, fix := ldapURLMistake(address, c.LDAP.StartTLS); what != "" {
			d.mistake(fmt.Sprintf("ldap.urls[%d]", i), fix, "%s", what)
		}
	}
	c.checkLDAPFiles(d)
	c.checkLDAPNames(d)
	c.checkLDAPFilter(d)
}

// ldapURLMistake says what keeps an address from being one of a server that passwords may be sent to.
func ldapURLMistake(address string, startTLS bool) (what, fix string) {
	err := directory.CheckURL(address, startTLS)
	switch {
	case err == nil:
		return "", ""
	case directory.CheckURL(address, true) == nil:
		return err.Error(), "start_tls: true, or " + strings.Replace(address, "ldap:", "ldaps:", 1)
	}
	return err.Error(), "like ldaps://ldap.example.org, and the other keys of ldap for the rest"
}

func (c *Config) checkLDAPFiles(d *decoder) {
	l := c.LDAP
	for path, file := range map[string]string{"ldap.ca_file": l.CAFile, "ldap.bind_password_file": l.BindPasswordFile} {
		d.wantFile(path, "is the path right?", file)
	}
	switch {
	case l.BindDN != "" && l.BindPasswordFile == "":
		d.mistake("ldap.bind_password_file", "name a file with the password of bind_dn, mode 0600", "empty: %s cannot be bound as without a password", l.BindDN)
	case l.BindDN == "" && l.BindPasswordFile != "":
		d.mistake("ldap.bind_dn", "name the account, or leave bind_password_file out", "empty: it is not told whose password is in bind_password_file")
	}
}

func (c *Config) checkLDAPNames(d *decoder) {
	l := c.LDAP
	if l.UserBase == "" {
		d.mistake("ldap.user_base", "like ou=people,dc=example,dc=org", "empty: it is not told where people are")
	}
	for path, dn := range map[string]string{"ldap.user_base": l.UserBase, "ldap.group_base": l.GroupBase, "ldap.bind_dn": l.BindDN} {
		checkDN(d, path, dn)
	}
	groups := 0
	for role, dns := range l.Roles.ByName() {
		groups += len(dns)
		for i, dn := range dns {
			path := fmt.Sprintf("ldap.roles.%s[%d]", role, i)
			checkDN(d, path, dn)
			if dn == "" {
				d.mistake(path, "like cn=kpi,ou=groups,dc=example,dc=org", "empty")
			}
		}
	}
	if groups == 0 {
		d.mistake("ldap.roles", "like roles: {analyst: [\"cn=kpi,ou=groups,dc=example,dc=org\"]}", "no group gives a role: nobody could read")
	}
}

func checkDN(d *decoder, path, dn string) {
	if _, err := ldap.ParseDN(dn); err != nil {
		d.mistake(path, "like cn=kpi,ou=groups,dc=example,dc=org", "%q is no DN", dn)
	}
}

func (c *Config) checkLDAPFilter(d *decoder) {
	if _, err := directory.CheckFilter(c.LDAP.UserFilter); err != nil {
		d.mistake("ldap.user_filter", "like (uid=%s), or for Active Directory (sAMAccountName=%s)", "%v", err)
	}
}
