package salt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Hasher makes pseudonyms under one salt. It is for one goroutine; take one for each.
type Hasher struct {
	state func() *hashing // a closure, as the key of [Salt] is
}

type hashing struct {
	mac    hash.Hash // keeps its state after the key, so that a short value costs two blocks of SHA-256
	sum    [sha256.Size]byte
	prefix []byte
}

// Hasher is a new one of this salt.
func (s *Salt) Hasher() *Hasher {
	state := &hashing{mac: hmac.New(sha256.New, s.key())}
	return &Hasher{func() *hashing { return state }}
}

// Pseudonym appends HMAC-SHA-256 (RFC 2104) of the value, 64 lower-case hex characters: the same
// for equal values of every stream, field and file of the period.
func (h *Hasher) Pseudonym(dst, value []byte) []byte {
	state := h.state()
	state.mac.Reset()
	state.mac.Write(value)
	return hex.AppendEncode(dst, state.mac.Sum(state.sum[:0]))
}

// PseudonymPerStream is [Hasher.Pseudonym] of the stream's name, a NUL byte and the value: equal
// values of two streams give different pseudonyms. A stream's name holds no NUL, so no two pairs meet.
func (h *Hasher) PseudonymPerStream(dst []byte, stream string, value []byte) []byte {
	state := h.state()
	state.prefix = append(append(state.prefix[:0], stream...), 0)
	state.mac.Reset()
	state.mac.Write(state.prefix)
	state.mac.Write(value)
	return hex.AppendEncode(dst, state.mac.Sum(state.sum[:0]))
}
