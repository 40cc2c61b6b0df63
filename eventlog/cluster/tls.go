package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
)

// TLS is what the nodes know each other by now, for servers and clients: certificates of the cluster's own roots on both sides. That of this node is
// asked for with each connection.
func TLS(opts Options) *tls.Config {
	roots := opts.CA()
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return opts.Certificate(), nil },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return opts.Certificate(), nil },
		RootCAs:              roots,
		ClientCAs:            roots,
		ClientAuth:           tls.RequireAndVerifyClientCert,
	}
}

// CheckTLS says why a node with these options could not prove itself to the others now; nil when it can.
func CheckTLS(opts Options) error { return opts.proves(opts.CA()) }

// proves says why the others would refuse this node's certificate.
func (o Options) proves(roots *x509.CertPool) error {
	var chain []*x509.Certificate
	for _, der := range o.Certificate().Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("the node's certificate: %w", err)
		}
		chain = append(chain, c)
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: poolOf(chain[1:]), KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
			return fmt.Errorf("the other nodes will refuse this node's certificate, which serves and asks: %w", err)
		}
	}
	if host := o.host(); chain[0].VerifyHostname(host) != nil {
		return fmt.Errorf("the other nodes will refuse this node's certificate: they know this node as %s, and it is not for that", host)
	}
	return nil
}

func poolOf(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}

// host is the one that the others know this node by.
func (o Options) host() string {
	for _, n := range o.Nodes {
		if n.Name == o.Name {
			host, _, _ := net.SplitHostPort(n.Addr) // an address without a port is refused when it is listened on
			return host
		}
	}
	return ""
}
