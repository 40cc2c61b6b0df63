// Package doortest makes certificates and addresses for the tests of what listens.
//
// It imports nothing of the house, and is imported by tests alone.
package doortest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Pair is a certificate of localhost, for server or client, that signed itself, and its key, both in PEM.
type Pair struct{ Cert, Key []byte }

// NewPair makes one that is good for so long from now, for these addresses too; less than nothing makes one that has expired.
func NewPair(tb testing.TB, life time.Duration, addrs ...net.IP) *Pair {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	number, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	of := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: append(addrs, net.IPv4(127, 0, 0, 1), net.IPv6loopback), NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return &Pair{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})}
}

// Files writes the pair into a folder, as door.pem and door.key.
func (p *Pair) Files(tb testing.TB, dir string) (cert, key string) {
	tb.Helper()
	cert, key = filepath.Join(dir, "door.pem"), filepath.Join(dir, "door.key")
	for path, content := range map[string][]byte{cert: p.Cert, key: p.Key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return cert, key
}

// Pool trusts the pair alone.
func (p *Pair) Pool() *x509.CertPool { return pool(p) }

func pool(pairs ...*Pair) *x509.CertPool {
	all := x509.NewCertPool()
	for _, p := range pairs {
		all.AppendCertsFromPEM(p.Cert)
	}
	return all
}

// Client trusts these pairs alone, and speaks HTTP/2 where it can.
func Client(trusted ...*Pair) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool(trusted...)}}}
}
