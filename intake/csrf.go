package intake

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"sync"
	"time"
)

// A session is what the session cookie holds: 16 random bytes, 22 characters of base64url.
// A token is bound to it and needs no memory of the server:
//
//	base64url(expiry, 8 bytes big-endian Unix seconds ‖ HMAC-SHA256(key, session ‖ expiry))
//
// So any collector with the same key accepts it (the "signed double-submit cookie" of the
// OWASP Cross-Site Request Forgery Prevention Cheat Sheet).
const (
	sessionBytes = 16
	expiryBytes  = 8
	tokenBytes   = expiryBytes + sha256.Size
	tokenLife    = 6 * time.Hour
)

var (
	encoding   = base64.RawURLEncoding.Strict() // one spelling of one token
	sessionLen = encoding.EncodedLen(sessionBytes)
	tokenLen   = encoding.EncodedLen(tokenBytes)
)

var (
	errTokenWrong   = errors.New("the CSRF token is wrong or belongs to another session")
	errTokenExpired = errors.New("the CSRF token has expired")
)

// signer makes and checks tokens. Its pool holds HMACs whose key schedule is done.
type signer struct {
	macs sync.Pool
}

// A mac is a keyed HMAC with the buffers of one computation, to be used again.
type mac struct {
	hash hash.Hash
	in   [64]byte
	sum  [sha256.Size]byte
	raw  [tokenBytes]byte
}

func newSigner(key []byte) *signer {
	return &signer{macs: sync.Pool{New: func() any {
		return &mac{hash: hmac.New(sha256.New, key)}
	}}}
}

func newSession() string {
	var b [sessionBytes]byte
	rand.Read(b[:])
	return encoding.EncodeToString(b[:])
}

// validSession tells whether a cookie's value could come from newSession.
func validSession(session string) bool {
	if len(session) != sessionLen {
		return false
	}
	for i := range len(session) {
		c := session[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && !('0' <= c && c <= '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func (s *signer) token(session string, now time.Time) string {
	m := s.macs.Get().(*mac)
	defer s.macs.Put(m)
	binary.BigEndian.PutUint64(m.raw[:], uint64(now.Add(tokenLife).Unix()))
	copy(m.raw[expiryBytes:], m.sign(session, m.raw[:expiryBytes]))
	return encoding.EncodeToString(m.raw[:])
}

// check returns nil when the token was made for this session and has not expired.
func (s *signer) check(session string, token []byte, now time.Time) error {
	if len(token) != tokenLen {
		return errTokenWrong
	}
	m := s.macs.Get().(*mac)
	defer s.macs.Put(m)
	if n, err := encoding.Decode(m.raw[:], token); err != nil || n != tokenBytes {
		return errTokenWrong
	}
	expiry, sum := m.raw[:expiryBytes], m.raw[expiryBytes:]
	if !hmac.Equal(sum, m.sign(session, expiry)) {
		return errTokenWrong
	}
	if now.Unix() >= int64(binary.BigEndian.Uint64(expiry)) {
		return errTokenExpired
	}
	return nil
}

// sign hashes through the mac's own buffers, so that nothing of a request escapes to the heap.
func (m *mac) sign(session string, expiry []byte) []byte {
	n := copy(m.in[:], session)
	n += copy(m.in[n:], expiry)
	m.hash.Reset()
	m.hash.Write(m.in[:n])
	return m.hash.Sum(m.sum[:0])
}
