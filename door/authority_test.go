package door_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"brine/door"
	"brine/door/doortest"
)

// A file that breaks leaves what it held before in force; another one is in force at once, and what it no longer has vouches for nobody.
func TestAuthority(t *testing.T) {
	one, other := doortest.NewPair(t, time.Hour), doortest.NewPair(t, time.Hour)
	path := filepath.Join(t.TempDir(), "ca.pem")
	write := func(content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	chains := func(p *doortest.Pair) [][]*x509.Certificate {
		pair, err := tls.X509KeyPair(p.Cert, p.Key)
		if err != nil {
			t.Fatal(err)
		}
		return [][]*x509.Certificate{{pair.Leaf}}
	}
	vouches := func(a *door.Authority) [2]bool {
		return [2]bool{a.Vouches(chains(one), time.Now()), a.Vouches(chains(other), time.Now())}
	}
	if _, err := door.OpenAuthority(path); err == nil {
		t.Error("a file that is not there is opened")
	}
	write(one.Cert)
	a, err := door.OpenAuthority(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := vouches(a); got != [2]bool{true, false} {
		t.Error(got)
	}
	if a.Vouches(chains(one), time.Now().Add(2*time.Hour)) {
		t.Error("a certificate is good after its end")
	}
	for _, broken := range []string{"", "none", string(one.Key)} {
		write([]byte(broken))
		if changed, err := a.Reload(); err == nil || changed || a.Err() == nil || vouches(a) != [2]bool{true, false} {
			t.Errorf("with %.10q: changed: %t, %v, %v, vouches for %v", broken, changed, err, a.Err(), vouches(a))
		}
	}
	write(other.Cert)
	if changed, err := a.Reload(); err != nil || !changed || a.Err() != nil || vouches(a) != [2]bool{false, true} {
		t.Errorf("changed: %t, %v, %v, vouches for %v", changed, err, a.Err(), vouches(a))
	}
	if changed, err := a.Reload(); err != nil || changed {
		t.Errorf("read again: changed: %t, %v", changed, err)
	}
}
