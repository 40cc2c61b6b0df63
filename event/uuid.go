package event

import "crypto/rand"

// uuidLen is the length of a UUID as text: 8-4-4-4-12 hexadecimal digits.
const uuidLen = 36

// NewID makes a UUID version 4 from the system's cryptographic source.
func NewID() [16]byte {
	var id [16]byte
	rand.Read(id[:]) // never fails
	return asVersion4(id)
}

// DerivedID is like [NewID], but of a SHA-256: the same each time.
func DerivedID(sum [32]byte) [16]byte { return asVersion4([16]byte(sum[:16])) }

func asVersion4(id [16]byte) [16]byte {
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

var nibble = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range uint8(16) {
		t["0123456789abcdef"[i]] = i
		t["0123456789ABCDEF"[i]] = i
	}
	return t
}()

// parseUUID reads the text of a UUID of any version, in either case.
func parseUUID(b []byte) (id [16]byte, ok bool) {
	if len(b) != uuidLen || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return id, false
	}
	at := 0
	for i := range id {
		if b[at] == '-' {
			at++
		}
		high, low := nibble[b[at]], nibble[b[at+1]]
		if high|low > 0x0f {
			return id, false
		}
		id[i] = high<<4 | low
		at += 2
	}
	return id, true
}

// isVersion4 says whether the id is a random one, which tells nothing of place and time.
func isVersion4(id [16]byte) bool { return id[6]>>4 == 4 && id[8]>>6 == 0b10 }

// appendUUID appends the id's text, in lower case.
func appendUUID(dst []byte, id [16]byte) []byte {
	const digits = "0123456789abcdef"
	text := [uuidLen]byte{8: '-', 13: '-', 18: '-', 23: '-'}
	at := 0
	for _, c := range id {
		if text[at] == '-' {
			at++
		}
		text[at], text[at+1] = digits[c>>4], digits[c&0x0f]
		at += 2
	}
	return append(dst, text[:]...)
}

// holdsUUID says whether there is a UUID anywhere in b.
func holdsUUID(b []byte) bool {
	for i := 0; i+uuidLen <= len(b); i++ {
		if b[i+8] != '-' || b[i+13] != '-' {
			continue
		}
		if _, ok := parseUUID(b[i : i+uuidLen]); ok {
			return true
		}
	}
	return false
}
