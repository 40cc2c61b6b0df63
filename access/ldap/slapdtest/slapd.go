// Package slapdtest runs a real slapd for tests: OpenLDAP's server with data, certificates and ports of its own,
// which ends with the test.
//
// It imports nothing of the house. It needs /usr/sbin/slapd (Debian's package slapd); a test that has none fails.
package slapdtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"brine/door/doortest"
)

// What every server has. The service account may read all but passwords.
const (
	Base      = "dc=example,dc=org"
	People    = "ou=people," + Base
	Groups    = "ou=groups," + Base
	ServiceDN = "cn=brine," + Base

	// ServicePassword is the service account's; [Server.PasswordFile] holds it.
	ServicePassword = "service password"

	rootDN       = "cn=root," + Base
	rootPassword = "root password"
)

// Options are what servers differ in.
type Options struct {
	CA        *CA       // default a new one
	NotAfter  time.Time // end of the server's certificate; default in a day
	MemberOf  bool      // groups show at their members, as memberOf
	IdleAfter int       // seconds after which an idle connection is closed; default never
}

// Server is a running slapd.
type Server struct {
	URL          string // ldap://127.0.0.1:port, which takes StartTLS
	TLSURL       string // ldaps://127.0.0.1:port
	CA           *CA
	CAFile       string
	PasswordFile string // of the service account

	tb      testing.TB
	dir     string
	command *exec.Cmd
	ended   chan struct{}
}

// Start runs a server that has a service account, no people and no groups.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	if o.CA == nil {
		o.CA = NewCA(tb)
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = time.Now().Add(24 * time.Hour)
	}
	s := &Server{tb: tb, dir: tb.TempDir(), CA: o.CA}
	s.CAFile = s.write("ca.pem", o.CA.PEM)
	s.PasswordFile = s.write("password", ServicePassword+"\n")
	cert, key := o.CA.Issue(tb, o.NotAfter)
	s.write("cert.pem", cert)
	s.write("key.pem", key)
	s.write("slapd.conf", s.config(o))
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	for try := 1; ; try++ {
		s.URL, s.TLSURL = "ldap://"+doortest.FreeAddr(tb), "ldaps://"+doortest.FreeAddr(tb)
		err := s.run()
		if err == nil {
			break
		}
		if try == 3 { // another process may have taken the port meanwhile
			tb.Fatal(err)
		}
	}
	s.addTree()
	return s
}

func (s *Server) config(o Options) string {
	var b strings.Builder
	for _, schema := range []string{"core", "cosine", "nis", "inetorgperson"} {
		fmt.Fprintf(&b, "include /etc/ldap/schema/%s.schema\n", schema)
	}
	fmt.Fprintf(&b, `moduleload /usr/lib/ldap/back_mdb.so
moduleload /usr/lib/ldap/memberof.so
moduleload /usr/lib/ldap/ppolicy.so
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
idletimeout %[2]d
database mdb
directory %[1]s/db
maxsize 16777216
suffix %[3]s
rootdn %[4]s
rootpw "%[5]s"
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=%[6]s read by * none
overlay ppolicy
`, s.dir, o.IdleAfter, Base, rootDN, rootPassword, ServiceDN)
	if o.MemberOf {
		b.WriteString("overlay memberof\n")
	}
	return b.String()
}

// run starts slapd, and waits until it answers.
func (s *Server) run() error {
	var said strings.Builder
	s.command = exec.Command(s.binary(), "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", s.URL+" "+s.TLSURL)
	s.command.Stderr = &said
	if err := s.command.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func() { s.command.Wait(); close(s.ended) }()
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		if c, err := ldap.DialURL(s.URL); err == nil {
			c.Close()
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("slapd ended: %s", said.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.Stop()
	return errors.New("slapd does not answer")
}

// binary is slapd. Where AppArmor keeps it to the folders of the system's own, a copy is not kept to anything.
func (s *Server) binary() string {
	const usual = "/usr/sbin/slapd"
	if _, err := os.Stat("/etc/apparmor.d/usr.sbin.slapd"); err != nil {
		return usual
	}
	content, err := os.ReadFile(usual)
	if err != nil {
		s.tb.Fatal(err)
	}
	copied := s.write("slapd", string(content))
	if err := os.Chmod(copied, 0o700); err != nil {
		s.tb.Fatal(err)
	}
	return copied
}

// Stop ends the server. It may be called again.
func (s *Server) Stop() {
	if s.ended == nil {
		return
	}
	s.command.Process.Kill()
	<-s.ended
	s.ended = nil
}

// Restart runs a stopped server again, with the data it had, at the same addresses.
func (s *Server) Restart() {
	s.tb.Helper()
	if err := s.run(); err != nil {
		s.tb.Fatal(err)
	}
}

// Freeze has the server answer nothing while its connections stand, until Thaw.
func (s *Server) Freeze() { s.command.Process.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.command.Process.Signal(syscall.SIGCONT) }

func (s *Server) write(name, content string) string {
	s.tb.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	return path
}

// Silent is the address of a server that takes connections and never says a word.
func Silent(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tb.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

// as does something as the administrator.
func (s *Server) as(do func(*ldap.Conn) error) {
	s.tb.Helper()
	c, err := ldap.DialURL(s.URL)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Bind(rootDN, rootPassword), do(c)); err != nil {
		s.tb.Fatal(err)
	}
}
