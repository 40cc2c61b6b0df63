// Package ldap asks an LDAP directory who a person is, and which of its groups give roles in Brine.
//
// It imports access, access/private and door of the house. Settings come in as the fields of a [Directory]; names and passwords come in by Login, and
// go to the directory's servers and nowhere else: neither is in an error. People and roles go out.
//
// A login is: find the one entry of that name with the service account (search), try the password on a
// connection of its own (bind), then look up groups. Nothing is believed that did not come over TLS, but on
// this machine. When no server answers, nobody gets in.
package ldap

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"brine/access"
)

// Directory is an [access.Directory] behind LDAP servers. Set the fields, then call Open; they do not change after.
type Directory struct {
	URLs             []string                 // ldaps://host[:636] or ldap://host[:389], replicas of one directory, asked in this order
	CAFile           string                   // PEM of whom the servers' certificates must come from; default "", those the system trusts
	StartTLS         bool                     // turn ldap:// into TLS before anything is said; without it ldap:// is for loopback only
	BindDN           string                   // the service account; default "", anonymous
	BindPasswordFile string                   // its password, read at each connection: it may change while Brine runs
	UserBase         string                   // people are below this DN
	UserFilter       string                   // finds one by the name that was typed, which stands for %s; default (uid=%s)
	GroupBase        string                   // groups below this DN are searched for members; default "", only memberOf counts
	RoleGroups       map[access.Role][]string // DNs of the groups that give a role
	Timeout          time.Duration            // for a whole Login or Roles, all servers together; default 5s
	Now              func() time.Time         // default time.Now

	busy    chan struct{} // holds a token for each ask that is on its way
	servers []*server
	nameOf  string                  // the attribute that holds a person's name
	roleOf  map[string]access.Roles // by the key of a group's DN
}

const (
	maxAsks        = 16 // at once; each may hold two connections. The others wait, within their time
	defaultFilter  = "(uid=%s)"
	defaultTimeout = 5 * time.Second
)

// Open takes the settings; its errors say which is wrong. It connects to nothing: the directory may come up later.
func (d *Directory) Open() (err error) {
	if d.UserFilter == "" {
		d.UserFilter = defaultFilter
	}
	if d.Timeout == 0 {
		d.Timeout = defaultTimeout
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	d.busy = make(chan struct{}, maxAsks)
	if d.nameOf, err = CheckFilter(d.UserFilter); err != nil {
		return fmt.Errorf("user_filter: %w", err)
	}
	if len(d.URLs) == 0 {
		return errors.New("urls: no server is named")
	}
	for _, u := range d.URLs {
		s, err := d.newServer(u)
		if err != nil {
			return fmt.Errorf("urls: %s: %w", u, err)
		}
		d.servers = append(d.servers, s)
	}
	return d.openRoles()
}

func (d *Directory) openRoles() error {
	d.roleOf = map[string]access.Roles{}
	for role, groups := range d.RoleGroups {
		for _, dn := range groups {
			if _, err := ldap.ParseDN(dn); err != nil {
				return fmt.Errorf("roles.%s: %q is no DN: %w", role, dn, err)
			}
			d.roleOf[dnKey(dn)] |= access.RolesOf(role)
		}
	}
	return nil
}

// Close ends the connections that wait for work.
func (d *Directory) Close() error {
	for _, s := range d.servers {
		s.dropIdle()
	}
	return nil
}

// Login checks a name and a password: see [access.Directory].
func (d *Directory) Login(ctx context.Context, name, password string) (account access.Account, err error) {
	if err := errors.Join(access.CheckName(name), access.CheckPassword(password)); err != nil {
		return account, denied(err.Error())
	}
	err = d.ask(ctx, func(ctx context.Context, s *server, c *conn) error {
		p, err := d.find(c, name)
		if err != nil && !errors.Is(err, access.ErrDenied) {
			return err
		}
		// An unknown name costs a connection and a bind as a known one does, and fails as that where the directory does not answer.
		tried := s.tryPassword(ctx, p.dn, password)
		if tried != nil && !errors.Is(tried, access.ErrDenied) {
			return tried
		}
		if err := errors.Join(err, tried); err != nil {
			return err
		}
		account, err = d.judge(c, p)
		return err
	})
	return account, err
}

// Find is the account of a name: see [access.Directory].
func (d *Directory) Find(ctx context.Context, name string) (account access.Account, err error) {
	if err := access.CheckName(name); err != nil {
		return account, denied(err.Error())
	}
	err = d.ask(ctx, func(_ context.Context, _ *server, c *conn) error {
		p, err := d.find(c, name)
		if err == nil {
			account, err = d.judge(c, p)
		}
		return err
	})
	return account, err
}

// judge says which roles an entry has, if any.
func (d *Directory) judge(c *conn, p person) (access.Account, error) {
	if why := p.disabled(d.Now()); why != "" {
		return access.Account{}, denied("the account is disabled: " + why)
	}
	roles, err := d.rolesOf(c, p)
	if err != nil {
		return access.Account{}, err
	}
	if roles == 0 {
		return access.Account{}, denied("none of the person's groups has a role")
	}
	return access.Account{Name: p.name, Roles: roles, ID: p.id()}, nil
}

// ask has one server after the other do the work, until one does it or says no. Servers that failed a short while ago come last.
func (d *Directory) ask(ctx context.Context, work func(context.Context, *server, *conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	select {
	case d.busy <- struct{}{}:
		defer func() { <-d.busy }()
	case <-ctx.Done():
		return fmt.Errorf("%w: too many asks at once: %w", access.ErrUnavailable, context.Cause(ctx))
	}
	var failures []error
	servers := inOrder(d.servers, d.Now())
	for i, s := range servers {
		err := s.do(ctx, len(servers)-i, work)
		if err == nil || errors.Is(err, access.ErrDenied) {
			s.worked()
			return err
		}
		failures = append(failures, fmt.Errorf("%s: %w", s.url, err))
		if ctx.Err() != nil && context.Cause(ctx) == context.Canceled {
			break // whoever asked has gone: that says nothing of the server
		}
		s.failed(d.Now())
	}
	return fmt.Errorf("%w: %w", access.ErrUnavailable, errors.Join(failures...))
}

func denied(why string) error { return fmt.Errorf("%w: %s", access.ErrDenied, why) }
