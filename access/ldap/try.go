package ldap

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"
)

// Answer is what came of trying one server.
type Answer struct {
	URL   string
	Wrong []string // what a login would fail by, empty when all is well
}

// Try asks every server what a login asks for, but for a person: a connection with its TLS, the service account, the bases, and
// the groups that give roles. It is for brine check --ldap.
func (d *Directory) Try(ctx context.Context) []Answer {
	answers := make([]Answer, len(d.servers))
	for i, s := range d.servers {
		answers[i] = Answer{s.url, s.try(ctx)}
	}
	return answers
}

func (s *server) try(ctx context.Context) (wrong []string) {
	ctx, cancel := context.WithTimeout(ctx, s.d.Timeout)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	defer c.drop()
	defer c.hold(ctx)()
	for _, e := range s.d.named() {
		if err := s.d.exists(c, e.dn); err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %s: %v", e.key, e.dn, explain(ctx, err)))
		}
	}
	return wrong
}

// entry is one that the settings name.
type entry struct{ key, dn string }

func (d *Directory) named() []entry {
	all := []entry{{"user_base", d.UserBase}}
	if d.GroupBase != "" {
		all = append(all, entry{"group_base", d.GroupBase})
	}
	for role, groups := range d.RoleGroups {
		for _, dn := range groups {
			all = append(all, entry{"roles." + role.String(), dn})
		}
	}
	slices.SortFunc(all[1:], func(a, b entry) int { return slices.Compare([]string{a.key, a.dn}, []string{b.key, b.dn}) })
	return all
}

func (d *Directory) exists(c *conn, dn string) error {
	request := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, d.seconds(), false, "(objectClass=*)", []string{"1.1"}, nil)
	found, err := c.Search(request)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return fmt.Errorf("there is no such entry, or the service account may not see it")
	case err != nil:
		return err
	case len(found.Entries) == 0:
		return fmt.Errorf("the service account may not see it")
	}
	return nil
}
