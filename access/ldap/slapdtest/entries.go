package slapdtest

import (
	"github.com/go-ldap/ldap/v3"
)

// Attributes are an entry's, by name.
type Attributes map[string][]string

// Add adds an entry.
func (s *Server) Add(dn string, attributes Attributes) {
	s.tb.Helper()
	request := ldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		request.Attribute(name, values)
	}
	s.as(func(c *ldap.Conn) error { return c.Add(request) })
}

func (s *Server) addTree() {
	s.tb.Helper()
	s.Add(Base, Attributes{"objectClass": {"dcObject", "organization"}, "o": {"Example"}})
	for _, dn := range []string{People, Groups} {
		s.Add(dn, Attributes{"objectClass": {"organizationalUnit"}})
	}
	s.Add(ServiceDN, Attributes{"objectClass": {"person"}, "sn": {"brine"}, "userPassword": {ServicePassword}})
}

// Person is the DN of a person added by AddPerson.
func Person(uid string) string { return "uid=" + ldap.EscapeDN(uid) + "," + People }

// Group is the DN of a group added by AddGroup.
func Group(cn string) string { return "cn=" + ldap.EscapeDN(cn) + "," + Groups }

// AddPerson adds a person with a password.
func (s *Server) AddPerson(uid, password string) {
	s.tb.Helper()
	s.Add(Person(uid), Attributes{"objectClass": {"inetOrgPerson", "posixAccount", "shadowAccount"}, "cn": {uid}, "sn": {uid},
		"uidNumber": {"1000"}, "gidNumber": {"1000"}, "homeDirectory": {"/nowhere"}, "userPassword": {password}})
}

// AddGroup adds a groupOfNames of these DNs, people or groups: one at least.
func (s *Server) AddGroup(cn string, members ...string) {
	s.tb.Helper()
	s.Add(Group(cn), Attributes{"objectClass": {"groupOfNames"}, "member": members})
}

// Set gives an entry's attribute these values, or none, instead of those it had.
func (s *Server) Set(dn, attribute string, values ...string) {
	s.tb.Helper()
	request := ldap.NewModifyRequest(dn, nil)
	request.Replace(attribute, values)
	s.as(func(c *ldap.Conn) error { return c.Modify(request) })
}

// Delete removes an entry.
func (s *Server) Delete(dn string) {
	s.tb.Helper()
	s.as(func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(dn, nil)) })
}
