package salt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Hasher makes pseudonyms under one salt. It is for one goroutine; take one for each.
type Hasher struct {
	mac hash.Hash // keeps the state after the key, so a value costs two blocks of SHA-256
	sum [sha256.Size]byte
	// prefix is what PseudonymPerStream hashes before the value.
	prefix []byte
}

// Hasher is a new one of this salt.
func (s *Salt) Hasher() *Hasher { return &Hasher{mac: hmac.New(sha256.New, *s.key)} }

// Pseudonym appends HMAC-SHA-256 (RFC 2104) of the value, 64 lower-case hex characters: the same
// for equal values of every stream, field and file of the period.
func (h *Hasher) Pseudonym(dst, value []byte) []byte {
	h.mac.Reset()
	h.mac.Write(value)
	return hex.AppendEncode(dst, h.mac.Sum(h.sum[:0]))
}

// PseudonymPerStream is [Hasher.Pseudonym] of the stream's name, a NUL byte and the value: equal
// values of two streams give different pseudonyms. A stream's name holds no NUL, so no two pairs meet.
func (h *Hasher) PseudonymPerStream(dst []byte, stream string, value []byte) []byte {
	h.mac.Reset()
	h.prefix = append(append(h.prefix[:0], stream...), 0)
	h.mac.Write(h.prefix)
	h.mac.Write(value)
	return hex.AppendEncode(dst, h.mac.Sum(h.sum[:0]))
}
