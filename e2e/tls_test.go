package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/door/doortest"
)

// A served certificate is renewed when its files change, without a restart; while they do not fit together the one before is served, and the
// heartbeat says so.
func TestCertificateIsRenewedWhileServing(t *testing.T) {
	b := newBrine(t, "public: {tls: {cert: door.pem, key: door.key}}")
	first, second := doortest.NewPair(t, time.Hour), doortest.NewPair(t, time.Hour)
	first.Files(t, b.dir)
	client := doortest.Client(first, second)
	url := strings.Replace(b.public, "http:", "https:", 1)
	b.launch()
	// look is which certificate a new connection gets, and what the heartbeat says of it.
	look := func() (number, check string) {
		client.CloseIdleConnections()
		res, err := client.Get(url + "/__heartbeat__")
		if err != nil {
			return "", ""
		}
		defer res.Body.Close()
		var beat struct{ Checks map[string]string }
		if err := json.NewDecoder(res.Body).Decode(&beat); err != nil {
			t.Fatal(err)
		}
		return res.TLS.PeerCertificates[0].SerialNumber.String(), beat.Checks["tls"]
	}
	var was string
	b.eventually(30*time.Second, "the door is open", func() bool {
		number, check := look()
		was = number
		return check == "ok"
	})
	if err := os.WriteFile(filepath.Join(b.dir, "door.pem"), second.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	b.eventually(30*time.Second, "the heartbeat tells of files that do not fit together", func() bool {
		number, check := look()
		return number == was && check == "error"
	})
	second.Files(t, b.dir)
	b.eventually(30*time.Second, "the new certificate is served", func() bool {
		number, check := look()
		return number != "" && number != was && check == "ok"
	})
	if strings.Contains(b.output(), "127.0.0.1:") && strings.Contains(b.output(), "handshake") {
		t.Error("the log has a client's address")
	}
}
