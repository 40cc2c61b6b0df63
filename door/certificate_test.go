package door_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"brine/door"
	"brine/door/doortest"
)

// serve answers over TLS with what is in force, and gives a client that trusts the pair.
func serve(t *testing.T, c *door.Certificate, trusted ...*doortest.Pair) (url string, client *http.Client) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{TLSConfig: c.TLS(), ErrorLog: log.New(io.Discard, "", 0),
		Handler: door.Pages(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }), "")}
	go s.ServeTLS(l, "", "")
	t.Cleanup(func() { s.Close() })
	return "https://" + l.Addr().String(), doortest.Client(trusted...)
}

// serial is the number of the certificate that a new connection gets.
func serial(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	client.CloseIdleConnections()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.TLS.PeerCertificates[0].SerialNumber.String()
}

// The doors speak TLS 1.2 and newer, and HTTP/2.
func TestTLS(t *testing.T) {
	pair := doortest.NewPair(t, time.Hour)
	cert, key := pair.Files(t, t.TempDir())
	c, err := door.OpenCertificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	url, client := serve(t, c, pair)
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	if string(body) != "HTTP/2.0" || res.TLS.Version != tls.VersionTLS13 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s, TLS %x, %v", body, res.TLS.Version, res.Header)
	}
	for version, works := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true} {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{RootCAs: pair.Pool(), MinVersion: version, MaxVersion: version})
		if (err == nil) != works {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			conn.Close()
		}
	}
}

// A new pair is in force for the next connection. A broken one is told, and the one before stays.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	first, second := doortest.NewPair(t, time.Hour), doortest.NewPair(t, 2*time.Hour)
	cert, key := first.Files(t, dir)
	c, err := door.OpenCertificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	url, client := serve(t, c, first, second)
	was := serial(t, client, url)
	if changed, err := c.Reload(); changed || err != nil {
		t.Errorf("nothing changed: %t, %v", changed, err)
	}
	if err := os.WriteFile(cert, second.Cert, 0o600); err != nil { // its key is still to come
		t.Fatal(err)
	}
	var fault *door.Fault
	if _, err := c.Reload(); !errors.As(err, &fault) || fault.Key != "key" || !strings.Contains(fault.What, "is not the key of the first certificate") {
		t.Error(err)
	}
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "the certificate before is in force") {
		t.Error(err)
	}
	if got := serial(t, client, url); got != was {
		t.Errorf("with a broken pair %s is in force, not %s", got, was)
	}
	second.Files(t, dir)
	if changed, err := c.Reload(); !changed || err != nil || c.Err() != nil {
		t.Errorf("a new pair: %t, %v, %v", changed, err, c.Err())
	}
	if got := serial(t, client, url); got == was {
		t.Error("the new pair is not in force")
	}
}

// What is wrong with the files is told, with the one to blame and what to do.
func TestFaults(t *testing.T) {
	pair, other := doortest.NewPair(t, time.Hour), doortest.NewPair(t, time.Hour)
	for name, c := range map[string]struct {
		breaks    func(t *testing.T, cert, key string)
		key, says string
	}{
		"NoCertificate":    {func(t *testing.T, cert, _ string) { os.Remove(cert) }, "cert", "no file"},
		"NoKey":            {func(t *testing.T, _, key string) { os.Remove(key) }, "key", "no file"},
		"EmptyCertificate": {func(t *testing.T, cert, _ string) { write(t, cert, nil) }, "cert", "holds no certificate that can be used"},
		"EmptyKey":         {func(t *testing.T, _, key string) { write(t, key, nil) }, "key", "holds no private key that can be used"},
		"HalfAKey":         {func(t *testing.T, _, key string) { write(t, key, pair.Key[:len(pair.Key)/2]) }, "key", "holds no private key"},
		"Swapped":          {func(t *testing.T, cert, key string) { write(t, cert, pair.Key); write(t, key, pair.Cert) }, "cert", "holds no certificate"},
		"OfAnother":        {func(t *testing.T, _, key string) { write(t, key, other.Key) }, "key", "is not the key of"},
		"ForAll":           {func(t *testing.T, _, key string) { os.Chmod(key, 0o644) }, "key", "others may read"},
		"ForTheGroup":      {func(t *testing.T, _, key string) { os.Chmod(key, 0o640) }, "key", "mode is 0640 (chmod 600"},
		"AFolder":          {func(t *testing.T, cert, _ string) { os.Remove(cert); os.Mkdir(cert, 0o700) }, "cert", "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key := pair.Files(t, t.TempDir())
			c.breaks(t, cert, key)
			_, err := door.OpenCertificate(cert, key)
			var fault *door.Fault
			if !errors.As(err, &fault) || fault.Key != c.key || fault.Fix == "" || !strings.Contains(err.Error(), c.says) {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(pair.Key)) {
				if line = strings.TrimSpace(line); line != "" && strings.Contains(err.Error(), line) {
					t.Error("a line of the key is told")
				}
			}
		})
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestExpiry(t *testing.T) {
	for life, says := range map[time.Duration]string{60 * 24 * time.Hour: "", 24 * time.Hour: "expires on", -time.Hour: "has expired on"} {
		cert, key := doortest.NewPair(t, life).Files(t, t.TempDir())
		c, err := door.OpenCertificate(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		warning := c.Warning(time.Now())
		if (warning == nil) != (says == "") || warning != nil && !strings.Contains(warning.What, says) {
			t.Errorf("%s: %v", life, warning)
		}
		if err := c.Err(); (err != nil) != (life < 0) {
			t.Errorf("%s: %v", life, err)
		}
	}
}

// Every page is shut: it loads, runs and frames nothing, and says nothing of where a person was. Only over TLS does it ask for TLS.
func TestPageHeaders(t *testing.T) {
	w := httptest.NewRecorder()
	door.Pages(http.NotFoundHandler(), "").ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/", nil))
	for name, says := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Permissions-Policy": "geolocation=()", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := w.Header().Get(name); !strings.Contains(got, says) || strings.Contains(got, "unsafe") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := w.Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("without TLS: %s", got)
	}
}
