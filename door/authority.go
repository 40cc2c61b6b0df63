package door

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Authority is a file of certificates, in PEM, that vouch for others. What was right last is in force. Its methods may be called from
// any goroutine.
type Authority struct {
	path string

	mu      sync.Mutex
	content []byte
	inForce *x509.CertPool
	all     map[string]bool // its certificates, as DER
	err     error           // why the file is not in force as it is; nil when it is
}

// OpenAuthority reads the file. The error is a [Fault] of the key ca.
func OpenAuthority(path string) (*Authority, error) {
	a := &Authority{path: path}
	if _, err := a.Reload(); err != nil {
		return nil, err
	}
	return a, nil
}

// Reload reads the file again and tells whether what it holds is new. With an error, a [Fault], what it held before stays in force.
func (a *Authority) Reload() (changed bool, err error) {
	content, err := readFile("ca", a.path)
	pool, all := x509.NewCertPool(), map[string]bool{}
	for rest := content; err == nil; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if cert, parseErr := x509.ParseCertificate(block.Bytes); parseErr == nil {
			pool.AddCert(cert)
			all[string(cert.Raw)] = true
		}
	}
	if err == nil && len(all) == 0 {
		err = &Fault{"ca", a.path + " holds no certificate that can be used", "name a file of certificates in PEM"}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err = err; err != nil || bytes.Equal(content, a.content) {
		return false, err
	}
	a.content, a.inForce, a.all = content, pool, all
	return true, nil
}

// Pool is what is in force.
func (a *Authority) Pool() *x509.CertPool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inForce
}

// Vouches says whether what a connection was let in by at its beginning still holds: one of the chains leads to a certificate
// that is in force, and has not ended.
func (a *Authority) Vouches(chains [][]*x509.Certificate, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool {
		return a.all[string(chain[len(chain)-1].Raw)] && !now.After(chain[0].NotAfter)
	})
}

// Err is nil when the file is in force as it is.
func (a *Authority) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err != nil {
		return fmt.Errorf("what it held before is in force still: %w", a.err)
	}
	return nil
}
