package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"brine/access"
	"brine/door"
)

const (
	maxIdle = 4                // connections of the service account that wait for work, for each server
	maxAge  = time.Minute      // of those: a new one reads the CA and the password anew, and is bound anew
	skipFor = 30 * time.Second // how long a server that failed comes after the others
	minTry  = time.Second      // the least time that one server gets while others are left
)

// server is one of the directory's servers.
type server struct {
	d    *Directory
	url  string
	host string // host:port
	name string // whom the certificate must be for
	tls  tlsUse

	mu        sync.Mutex
	idle      []*conn
	skipUntil time.Time
}

type tlsUse uint8

const (
	tlsNone tlsUse = iota // loopback only
	tlsStart
	tlsAlways
)

// CheckURL says what is wrong with a server's address. Passwords pass this connection, and so does the word on who may
// read what: without TLS it may not leave the machine.
func CheckURL(address string, startTLS bool) error {
	_, _, _, err := parseURL(address, startTLS)
	return err
}

func parseURL(address string, startTLS bool) (name, port string, use tlsUse, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" || address != u.Scheme+"://"+u.Host && address != u.Scheme+"://"+u.Host+"/" {
		return "", "", 0, errors.New("expected ldaps://host or ldap://host, with a port or without")
	}
	name, port = u.Hostname(), u.Port()
	switch {
	case u.Scheme == "ldaps":
		return name, orPort(port, ldap.DefaultLdapsPort), tlsAlways, nil
	case startTLS:
		return name, orPort(port, ldap.DefaultLdapPort), tlsStart, nil
	case door.IsLoopback(name):
		return name, orPort(port, ldap.DefaultLdapPort), tlsNone, nil
	}
	return "", "", 0, errors.New("without TLS, passwords would pass the network readable")
}

func orPort(port, usual string) string {
	if port == "" {
		return usual
	}
	return port
}

func (d *Directory) newServer(address string) (*server, error) {
	name, port, use, err := parseURL(address, d.StartTLS)
	if err != nil {
		return nil, err
	}
	return &server{d: d, url: address, host: net.JoinHostPort(name, port), name: name, tls: use}, nil
}

// inOrder are the servers as they are to be asked.
func inOrder(servers []*server, now time.Time) []*server {
	var well, ill []*server
	for _, s := range servers {
		if s.skipped(now) {
			ill = append(ill, s)
		} else {
			well = append(well, s)
		}
	}
	return slices.Concat(well, ill)
}

func (s *server) skipped(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.skipUntil) && s.skipUntil.Sub(now) <= skipFor
}

func (s *server) worked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipUntil = time.Time{}
}

func (s *server) failed(now time.Time) {
	s.dropIdle()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipUntil = now.Add(skipFor)
}

// do works on a connection of the service account, within this server's share of the time left. A connection that waited may
// have been closed by the other end: then the work is done once more, on a new one.
func (s *server) do(ctx context.Context, serversLeft int, work func(context.Context, *server, *conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, share(ctx, serversLeft))
	defer cancel()
	if c := s.takeIdle(); c != nil {
		err := s.workOn(ctx, c, work)
		if err == nil || answered(err) || ctx.Err() != nil {
			return err
		}
		s.dropIdle()
	}
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	return s.workOn(ctx, c, work)
}

func share(ctx context.Context, serversLeft int) time.Duration {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	return min(left, max(minTry, left/time.Duration(serversLeft)))
}

func (s *server) workOn(ctx context.Context, c *conn, work func(context.Context, *server, *conn) error) error {
	release := c.hold(ctx)
	err := work(ctx, s, c)
	if release() && (err == nil || answered(err)) {
		s.putIdle(c)
		return err
	}
	c.drop()
	if err == nil {
		return nil // it was done just in time
	}
	return explain(ctx, err)
}

// answered is whether a server said so, rather than the network or the time.
func answered(err error) bool {
	var result *ldap.Error
	return errors.Is(err, access.ErrDenied) || errors.As(err, &result) && result.ResultCode < ldap.ErrorNetwork
}

// explain says of a connection that was cut because of the time that this was why.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !answered(err) {
		return fmt.Errorf("no answer in time: %w", cause)
	}
	return err
}

func (s *server) takeIdle() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.idle) > 0 {
		c := s.idle[len(s.idle)-1]
		s.idle = s.idle[:len(s.idle)-1]
		if age := s.d.Now().Sub(c.made); !c.IsClosing() && age >= 0 && age < maxAge {
			return c
		}
		go c.drop()
	}
	return nil
}

func (s *server) putIdle(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) < maxIdle {
		s.idle = append(s.idle, c)
		return
	}
	go c.drop()
}

func (s *server) dropIdle() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, c := range idle {
		c.drop()
	}
}

// tlsConfig reads the CA file anew for each connection, as it may change.
func (s *server) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{ServerName: strings.TrimSuffix(s.name, "."), MinVersion: tls.VersionTLS12}
	if s.d.CAFile == "" {
		return config, nil
	}
	var err error
	config.RootCAs, err = ReadCAs(s.d.CAFile)
	return config, err
}
