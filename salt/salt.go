// Package salt keeps the keys that turn ids into pseudonyms: it makes them ahead, chooses by the
// hour, and destroys them on time, after which nothing ties a pseudonym to its id any more.
//
// It imports access/private of the house. The salts folder, an hour and the clock come in; a [Salt], which
// never shows itself, and records of what became of each salt go out. Nothing here caches: each call
// looks at the folder anew, under a lock, so that any number of processes may work on it at once.
package salt

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"unicode"
	"unicode/utf8"
)

// The length of a salt's text in bytes. Brine's own have freshBytes of randomness, in hex.
const (
	freshBytes = 32
	minBytes   = 32
	maxBytes   = 64 << 10 // bounds what is read into memory
)

// Salt is the key of one period. No way of printing or encoding it shows the key.
type Salt struct {
	Period Period
	key    func() []byte // a closure, as fmt and reflection see through pointers, and ask no method of what lies in an unexported field
}

// Fresh makes a salt that is stored nowhere and has no period: for a backfill of hours whose salt
// is gone. It ends with the process, at the latest.
func Fresh() (*Salt, error) { return &Salt{key: fresh()}, nil }

// fresh is 64 lower-case hex characters of the operating system's cryptographic source. Where that
// fails, the Go runtime ends the process.
func fresh() func() []byte {
	random := make([]byte, freshBytes)
	rand.Read(random)
	return hidden(hex.AppendEncode(nil, random))
}

func hidden(key []byte) func() []byte { return func() []byte { return key } }

// keyOf is the key in the content of a salt's file: the text without a final line break.
func keyOf(content []byte) ([]byte, error) {
	key := content
	if n := len(key); n > 0 && key[n-1] == '\n' {
		key = key[:n-1]
		if n := len(key); n > 0 && key[n-1] == '\r' {
			key = key[:n-1]
		}
	}
	switch {
	case len(key) < minBytes:
		return nil, fmt.Errorf("it holds %d bytes, a salt has at least %d (is it still being written, or was it emptied?)", len(key), minBytes)
	case len(key) > maxBytes:
		return nil, fmt.Errorf("it holds over %d bytes: that is no salt", maxBytes)
	case !isText(key):
		return nil, fmt.Errorf("it holds bytes that are no text: a salt is text, like 64 hex characters")
	}
	return key, nil
}

func isText(key []byte) bool {
	for _, r := range string(key) {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
	}
	return utf8.Valid(key)
}

// Fingerprint names the key without telling it: 16 hex characters, the first 64 bits of
// SHA-256 of a text of its own and the key. The text keeps it apart from every pseudonym; it cannot be turned
// back, as a key has 256 random bits; 64 bits tell any two keys of a folder apart.
func (s Salt) Fingerprint() string {
	h := sha256.New()
	h.Write([]byte("brine salt fingerprint\x00"))
	h.Write(s.key())
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// String is the name of its period, and the fingerprint.
func (s Salt) String() string {
	if s.Period.IsZero() {
		return "fresh salt " + s.Fingerprint()
	}
	return s.Period.Name() + " " + s.Fingerprint()
}

// Format prints [Salt.String] whatever the verb, %x and %#v among them.
func (s Salt) Format(state fmt.State, _ rune) { fmt.Fprint(state, s.String()) }

// MarshalText is [Salt.String]; JSON, YAML and XML use it.
func (s Salt) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is [Salt.String].
func (s Salt) LogValue() slog.Value { return slog.StringValue(s.String()) }
