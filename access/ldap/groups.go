package ldap

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"brine/access"
)

// The limits of nested groups. What lies beyond gives no role.
const (
	maxDepth  = 10
	maxGroups = 1000
	atOnce    = 50 // groups in one search
)

// rolesOf are the roles of all groups that a person is in, also by way of groups in groups. A group that is its own member by some way
// is looked at once.
func (d *Directory) rolesOf(c *conn, p person) (roles access.Roles, err error) {
	next := p.GetEqualFoldAttributeValues(memberOf)
	found, err := d.groupsOf(c, membership(p))
	if err != nil {
		return 0, err
	}
	next = append(next, found...)
	seen := map[string]bool{}
	for range maxDepth {
		next = slices.DeleteFunc(next, func(dn string) bool {
			key := dnKey(dn)
			known := seen[key]
			seen[key] = true
			roles |= d.roleOf[key]
			return known
		})
		if len(next) == 0 || len(seen) > maxGroups {
			break
		}
		if next, err = d.above(c, next); err != nil {
			return 0, err
		}
	}
	return roles, nil
}

// above are the groups that any of these groups is a member of: by a search where there is a base for one, else by what they say themselves.
func (d *Directory) above(c *conn, groups []string) (all []string, err error) {
	if d.GroupBase == "" {
		return d.memberOf(c, groups)
	}
	for some := range slices.Chunk(groups, atOnce) {
		var filter strings.Builder
		for _, dn := range some {
			filter.WriteString(hasMember(dn))
		}
		found, err := d.groupsOf(c, filter.String())
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// membership is what a group says of a person in it. The memberUid of RFC 2307 is a name, not a DN.
func membership(p person) string {
	filter := hasMember(p.dn)
	for _, name := range p.GetEqualFoldAttributeValues(uid) {
		filter += "(memberUid=" + ldap.EscapeFilter(name) + ")"
	}
	return filter
}

func hasMember(dn string) string {
	dn = ldap.EscapeFilter(dn)
	return "(member=" + dn + ")(uniqueMember=" + dn + ")"
}

// groupsOf are the DNs of the groups that any of the filters fits.
func (d *Directory) groupsOf(c *conn, filters string) ([]string, error) {
	if d.GroupBase == "" {
		return nil, nil
	}
	request := ldap.NewSearchRequest(d.GroupBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, d.seconds(), false, "(|"+filters+")", []string{"1.1"}, nil) // 1.1: no attributes
	found, err := c.Search(request)
	if err != nil {
		return nil, fmt.Errorf("search for groups below %s: %w", d.GroupBase, err)
	}
	dns := make([]string, len(found.Entries))
	for i, e := range found.Entries {
		dns[i] = e.DN
	}
	return dns, nil
}

// memberOf is what groups say of themselves. One that the service account may not see says nothing.
func (d *Directory) memberOf(c *conn, groups []string) (all []string, err error) {
	for _, dn := range groups {
		request := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, d.seconds(), false, "(objectClass=*)", []string{memberOf}, nil)
		found, err := c.Search(request)
		if ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultReferral, ldap.LDAPResultInvalidDNSyntax) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the group %s: %w", dn, err)
		}
		for _, e := range found.Entries {
			all = append(all, e.GetEqualFoldAttributeValues(memberOf)...)
		}
	}
	return all, nil
}

// dnKey is the same for all the spellings of a DN that differ in case, spaces and escapes.
func dnKey(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
	}
	return strings.ToLower(parsed.String())
}
