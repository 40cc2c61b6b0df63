package door

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"brine/access/private"
)

// Fault is what is wrong with the files of a certificate.
type Fault struct {
	Key  string // cert or key, as the config calls the file to blame
	What string
	Fix  string // the likely one
}

func (f *Fault) Error() string { return f.What + " (" + f.Fix + ")" }

// Certificate is a certificate with its key, from two files of PEM. What was right last is in force.
// Its methods may be called from any goroutine.
type Certificate struct {
	cert, key string // paths

	mu      sync.Mutex
	inForce *tls.Certificate
	err     error // why the files are not in force as they are; nil when they are
}

// OpenCertificate reads a certificate, with those that link it to a root, and its key. The error is a [Fault].
func OpenCertificate(cert, key string) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key}
	if _, err := c.Reload(); err != nil {
		return nil, err
	}
	return c, nil
}

// Reload reads the files again and tells whether what they hold is new. With an error, a [Fault], the pair before stays in force.
func (c *Certificate) Reload() (changed bool, err error) {
	pair, err := readPair(c.cert, c.key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	if err != nil {
		return false, err
	}
	changed = c.inForce == nil || !pair.Leaf.Equal(c.inForce.Leaf) || len(pair.Certificate) != len(c.inForce.Certificate)
	c.inForce = pair
	return changed, nil
}

// Expires is when the certificate in force does.
func (c *Certificate) Expires() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inForce.Leaf.NotAfter
}

// Err is nil when the files are in force and have not expired. It costs nothing.
func (c *Certificate) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return fmt.Errorf("the certificate before is in force still: %w", c.err)
	case time.Now().After(c.inForce.Leaf.NotAfter):
		return c.fault("cert", "renew it", "%s has expired on %s", c.cert, day(c.inForce.Leaf.NotAfter))
	}
	return nil
}

// warnBefore is how long before its end a certificate is warned of: renewal by ACME is due earlier.
const warnBefore = 14 * 24 * time.Hour

// Warning says that the certificate ends soon, or has; nil where it does not.
func (c *Certificate) Warning(now time.Time) *Fault {
	switch end := c.Expires(); {
	case now.After(end):
		return c.fault("cert", "renew it", "%s has expired on %s: clients refuse it", c.cert, day(end))
	case now.Add(warnBefore).After(end):
		return c.fault("cert", "renew it; Brine takes the new files on by itself", "%s expires on %s", c.cert, day(end))
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// InForce is the pair in force, for settings that are not those of a door.
func (c *Certificate) InForce() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inForce
}

// TLS are the settings of a door with this certificate: TLS 1.2 and newer, with Go's own choice of ciphers and curves.
func (c *Certificate) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.InForce(), nil }}
}

func (c *Certificate) fault(key, fix, what string, args ...any) *Fault {
	return &Fault{key, fmt.Sprintf(what, args...), fix}
}

func readPair(certPath, keyPath string) (*tls.Certificate, error) {
	cert, err := readFile("cert", certPath)
	if err != nil {
		return nil, err
	}
	if err := keptFromOthers(keyPath); err != nil {
		return nil, err
	}
	key, err := readFile("key", keyPath)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, pairFault(err, certPath, keyPath)
	}
	return &pair, nil
}

func readFile(which, path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Fault{which, "no file " + path, "name a file of PEM"}
	case errors.Is(err, fs.ErrPermission):
		return nil, &Fault{which, "this user may not read " + path, "chown it to the user that runs brine serve"}
	case err != nil:
		return nil, &Fault{which, err.Error(), "name a file of PEM"}
	}
	return content, nil
}

// keptFromOthers refuses a key that more than its owner may read.
func keptFromOthers(path string) error {
	info, err := os.Stat(path)
	if err == nil && private.Exposed(path, info.Mode()) {
		return &Fault{"key", fmt.Sprintf("others may read %s: its mode is %04o", path, info.Mode().Perm()), "chmod 600 " + path}
	}
	return nil // readFile says what is wrong
}

// pairFault says which file is to blame. crypto/tls names only what it did not find; no byte of a key is in its errors.
func pairFault(err error, cert, key string) *Fault {
	switch text := err.Error(); {
	case strings.Contains(text, "does not match"):
		return &Fault{"key", fmt.Sprintf("%s is not the key of the first certificate in %s", key, cert), "name the two files of one pair"}
	case strings.Contains(text, "certificate input"): // it goes on to tell of keys
	case strings.Contains(text, "key input"), strings.Contains(text, "private key"):
		return &Fault{"key", key + " holds no private key that can be used", "a key in PEM without a passphrase, of RSA, ECDSA or Ed25519"}
	}
	return &Fault{"cert", cert + " holds no certificate that can be used", "PEM: the server's certificate first, then those that link it to a root"}
}
