package users

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"brine/access"
)

// hashesAtOnce bounds the memory of logins to 128 MB. The others wait.
const hashesAtOnce = 2

// hash is a password's argon2id hash, as the PHC string format writes it:
// $argon2id$v=19$m=65536,t=3,p=4$salt$key.
type hash struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
	salt   []byte
	key    []byte
}

// usual is what new hashes are made with: the second recommendation of RFC 9106, section 4, for machines that have other work too.
var usual = hash{memory: 64 << 10, passes: 3, lanes: 4}

// The limits of what a line may ask for: too little is no protection, too much would let one line take the machine's memory.
const (
	minMemory, maxMemory = 8 << 10, 256 << 10
	maxPasses, maxLanes  = 10, 16
	saltLength           = 16
	keyLength            = 32
)

// decoy is compared with for a person that is not there. No password fits: no hash is all zero.
func decoy() hash {
	h := usual
	h.salt, h.key = make([]byte, saltLength), make([]byte, keyLength)
	return h
}

var b64 = base64.RawStdEncoding.Strict()

func (h hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

var hashForm = regexp.MustCompile(`^\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$`)

// parseHash reads what String writes. The error does not repeat the text.
func parseHash(text string) (hash, error) {
	part := hashForm.FindStringSubmatch(text)
	if part == nil {
		return hash{}, errors.New("the hash is no argon2id hash, or not all of it is there")
	}
	memory, passes, lanes := number(part[1]), number(part[2]), number(part[3])
	if memory < minMemory || memory > maxMemory || passes < 1 || passes > maxPasses || lanes < 1 || lanes > maxLanes {
		return hash{}, fmt.Errorf("the hash asks for m=%d,t=%d,p=%d: out of bounds", memory, passes, lanes)
	}
	salt, saltErr := b64.DecodeString(part[4])
	key, keyErr := b64.DecodeString(part[5])
	if errors.Join(saltErr, keyErr) != nil || len(salt) < saltLength || len(key) != keyLength {
		return hash{}, errors.New("the hash is cut short or altered")
	}
	return hash{uint32(memory), uint32(passes), uint8(lanes), salt, key}, nil
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // the form has said that it is one
	return n
}

func (h hash) keyOf(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, keyLength)
}

// fits is whether a hash is of this password. It waits for its turn.
func (f *File) fits(ctx context.Context, h hash, password string) (bool, error) {
	if err := f.turn(ctx); err != nil {
		return false, err
	}
	defer func() { <-f.busy }()
	return subtle.ConstantTimeCompare(h.keyOf(password), h.key) == 1, nil
}

func (f *File) turn(ctx context.Context) error {
	select {
	case f.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: too many logins at once: %w", access.ErrUnavailable, context.Cause(ctx))
	}
}

// newHash is the hash of a new password, if that is good enough.
func (f *File) newHash(ctx context.Context, name, password string) (hash, error) {
	if err := checkNew(name, password); err != nil {
		return hash{}, err
	}
	if err := f.turn(ctx); err != nil {
		return hash{}, err
	}
	defer func() { <-f.busy }()
	h := usual
	h.salt = make([]byte, saltLength)
	rand.Read(h.salt)
	h.key = h.keyOf(password)
	return h, nil
}

func checkNew(name, password string) error {
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("the password has characters that cannot be typed at a login")
	case utf8.RuneCountInString(password) < MinPassword:
		return fmt.Errorf("a password needs at least %d characters", MinPassword)
	case len(bytes.Trim([]byte(password), password[:1])) == 0:
		return errors.New("the password is one character again and again")
	case strings.Contains(fold(password), fold(name)) && len(password)-len(name) < MinPassword/2:
		return errors.New("the password is little more than the name")
	}
	return access.CheckPassword(password)
}
