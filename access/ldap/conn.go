package ldap

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/go-ldap/ldap/v3"

	"brine/access"
	"brine/access/private"
)

// conn is one connection. What hangs on it ends when the context of hold does.
type conn struct {
	*ldap.Conn
	raw  net.Conn
	made time.Time
}

// hold cuts the connection when the context ends before release, which says whether it is whole.
func (c *conn) hold(ctx context.Context) (release func() bool) {
	return context.AfterFunc(ctx, func() { c.raw.Close() })
}

func (c *conn) drop() {
	c.raw.Close() // first: saying goodbye could hang
	c.Conn.Close()
}

// connect makes a connection of the service account.
func (s *server) connect(ctx context.Context) (*conn, error) {
	c, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	if s.d.BindDN == "" {
		return c, nil // anonymous
	}
	if err := c.within(ctx, func() error { return s.bindService(c) }); err != nil {
		return nil, fmt.Errorf("bind as the service account %s: %w", s.d.BindDN, err)
	}
	return c, nil
}

// within does something with a new connection, which is dropped where that fails or takes too long.
func (c *conn) within(ctx context.Context, do func() error) error {
	release := c.hold(ctx)
	err := do()
	if !release() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.drop()
	}
	return explain(ctx, err)
}

func (s *server) bindService(c *conn) error {
	password, err := ReadPassword(s.d.BindPasswordFile)
	if err != nil {
		return err
	}
	return c.Bind(s.d.BindDN, password)
}

// dial connects, and does not return before TLS is on and the certificate was found good.
func (s *server) dial(ctx context.Context) (*conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", s.host)
	if err != nil {
		return nil, err
	}
	c, err := s.secure(ctx, raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	c.SetTimeout(s.d.Timeout)
	c.made = s.d.Now()
	return c, nil
}

func (s *server) secure(ctx context.Context, raw net.Conn) (*conn, error) {
	if s.tls == tlsNone {
		return start(raw, raw, false), nil
	}
	config, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	if s.tls == tlsAlways {
		secured := tls.Client(raw, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS: %w", explain(ctx, err))
		}
		return start(raw, secured, true), nil
	}
	c := start(raw, raw, false)
	if err := c.within(ctx, func() error { return c.StartTLS(config) }); err != nil {
		return nil, fmt.Errorf("StartTLS: %w", err)
	}
	return c, nil
}

func start(raw, secured net.Conn, isTLS bool) *conn {
	c := &conn{Conn: ldap.NewConn(secured, isTLS), raw: raw}
	c.Start()
	return c
}

// nobody is a name that no entry has: a password for it is refused, after the same work as one for a name that is there.
const nobody = "uid=nobody-that-brine-knows,"

// tryPassword binds as the person on a connection of its own, which is then closed: the service account's never
// becomes anybody else's. "" stands for a person that is not there.
func (s *server) tryPassword(ctx context.Context, dn, password string) error {
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer c.drop()
	defer c.hold(ctx)()
	if dn == "" {
		c.Bind(nobody+s.d.UserBase, password)
		return denied("there is no such person")
	}
	if err := c.Bind(dn, password); err != nil {
		return explain(ctx, judgeBind(err))
	}
	return nil
}

// noes are the results of a bind that are about the person. Directories say it in many ways, and of a locked account
// in still more.
var noes = []uint16{
	ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultNoSuchObject,
	ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation, ldap.LDAPResultInsufficientAccessRights,
	ldap.LDAPResultReferral, // the person's entry is elsewhere, and no password is sent there
}

func judgeBind(err error) error {
	if ldap.IsErrorAnyOf(err, noes...) {
		return denied("the directory refuses the password or the account: " + err.Error())
	}
	return fmt.Errorf("bind as the person: %w", err)
}

// ReadPassword reads the service account's password: a file's content without a final line break.
func ReadPassword(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if private.Exposed(path, info.Mode()) {
		return "", fmt.Errorf("%s has mode %04o: others than its owner may read the password (chmod 600 %s)", path, info.Mode().Perm(), path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	password := string(bytes.TrimRight(content, "\r\n"))
	if err := access.CheckPassword(password); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return password, nil
}

// ReadCAs reads certificates in PEM.
func ReadCAs(path string) (*x509.CertPool, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s: no certificate in it (PEM was expected)", path)
	}
	return pool, nil
}
