// Package access says who may read: people, their roles, and where both are known from.
//
// It imports nothing of the house. What a directory says of a person comes in ([Directory]); the roles that the
// private door's routes ask for go out. The packages below it are its parts: access/ldap and
// access/users are directories, access/tokens are for scripts, access/audit is the record of who did what, and access/gate
// is the one place that every request of the private door passes.
package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Role is what a route asks for.
type Role uint8

// The roles. Raw includes Analyst, which includes Viewer; Privacy stands apart: it sees the privacy page,
// the audit and erasures, and no data. The zero Role is none: a route that asks for it is a mistake.
const (
	Viewer  Role = 1 + iota // figures, none of which rests on fewer interactions than private.min_cell
	Analyst                 // sanitized events
	Raw                     // raw, rejected and quarantined events, with a purpose
	Privacy
)

var roleNames = [...]string{Viewer: "viewer", Analyst: "analyst", Raw: "raw", Privacy: "privacy"}

// AllRoles is every role, in the order of their names in the config.
var AllRoles = []Role{Viewer, Analyst, Raw, Privacy}

func (r Role) String() string {
	if r < Viewer || int(r) >= len(roleNames) {
		return "no role"
	}
	return roleNames[r]
}

// ParseRole reads a role's name.
func ParseRole(name string) (Role, error) {
	for _, r := range AllRoles {
		if r.String() == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%q is no role: there are viewer, analyst, raw and privacy", name)
}

// ParseRoles reads the names of roles: the set of them.
func ParseRoles(names []string) (set Roles, err error) {
	for _, name := range names {
		role, err := ParseRole(name)
		if err != nil {
			return 0, err
		}
		set |= RolesOf(role)
	}
	return set, nil
}

// Roles is a set of roles; the zero value is none.
type Roles uint8

// RolesOf is the set of some roles.
func RolesOf(roles ...Role) (set Roles) {
	for _, r := range roles {
		set |= 1 << r
	}
	return set
}

// Has says whether the set holds the role, or one that includes it.
func (s Roles) Has(r Role) bool {
	switch r {
	case Viewer:
		return s&RolesOf(Viewer, Analyst, Raw) != 0
	case Analyst:
		return s&RolesOf(Analyst, Raw) != 0
	case Raw, Privacy:
		return s&RolesOf(r) != 0
	}
	return false
}

// And is what both sets allow: a token has at most its owner's roles.
func (s Roles) And(other Roles) (both Roles) {
	for _, r := range AllRoles {
		if s.Has(r) && other.Has(r) {
			both |= RolesOf(r)
		}
	}
	return both
}

// String names the roles, with commas between.
func (s Roles) String() string {
	var names []string
	for _, r := range AllRoles {
		if s&RolesOf(r) != 0 {
			names = append(names, r.String())
		}
	}
	return strings.Join(names, ", ")
}

var (
	// ErrDenied is a wrong name or password, a person who is gone or disabled, or one without a role. It does not tell which.
	ErrDenied = errors.New("wrong name or password, or no role in Brine")

	// ErrUnavailable is a directory that does not answer. Nobody is let in meanwhile.
	ErrUnavailable = errors.New("the directory does not answer")
)

// Account is what a directory says of a person now.
type Account struct {
	Name  string // as the directory spells it, whatever was typed
	Roles Roles
	ID    string // another one where somebody else has the name now, or the users file another password; "" where the directory tells none. Neither shown nor stored
}

// Directory knows people and their roles. Its methods may be called from any goroutine, and return
// within seconds. Errors are ErrDenied and ErrUnavailable, wrapped with what an operator should know (never a password);
// whoever asks from outside is told the sentinel alone.
type Directory interface {
	// Login checks a name and a password.
	Login(ctx context.Context, name, password string) (Account, error)

	// Find is the account of a name.
	Find(ctx context.Context, name string) (Account, error)
}
