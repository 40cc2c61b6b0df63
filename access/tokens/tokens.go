// Package tokens keeps the tokens by which scripts read: one file, which holds a hash of each.
//
// It imports access and access/private. Owners, roles and times come in from whoever makes a token; the token itself goes out once.
// What a request shows comes in to [File.Find], and the token that it stands for goes out. A process that serves and
// commands beside it share the file: every change is made under a lock, and a changed file is read anew.
package tokens

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"brine/access"
)

// Token is what is stored of a token: not the token.
type Token struct {
	Number  int       `json:"number"` // 1, 2, 3, …; never used again
	Owner   string    `json:"owner"`  // as the directory spells the name
	Roles   []string  `json:"roles"`  // at most; what the owner has at each use counts
	Note    string    `json:"note,omitempty"`
	Made    time.Time `json:"made"`               // UTC, whole seconds
	Expires time.Time `json:"expires"`            // the first moment at which it does not work
	LastUse string    `json:"last_use,omitempty"` // a day, like 2026-11-21 (UTC)
	Revoked time.Time `json:"revoked,omitzero"`
	Hash    string    `json:"hash,omitempty"` // SHA-256 of the whole token, lower-case hex
}

// Set is the roles that the token has at most.
func (t *Token) Set() (set access.Roles) {
	for _, name := range t.Roles {
		if r, err := access.ParseRole(name); err == nil {
			set |= access.RolesOf(r)
		}
	}
	return set
}

// State says whether a token works, in a word.
func (t *Token) State(now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked"
	case !now.Before(t.Expires):
		return "expired"
	case now.Before(t.Made.Add(-clockSlack)):
		return "made later than now" // the clock went back: nobody knows whether it has expired
	}
	return "works"
}

// Limits of a token.
const (
	MaxAge     = 365 * 24 * time.Hour
	MaxNote    = 200   // bytes
	maxTokens  = 1_000 // that work at a time
	clockSlack = time.Minute
)

// Prefix is how every token begins, so that scanners of code and people know what they found.
const Prefix = "brine_"

// tokenLength is that of 32 random bytes in base64url behind the prefix.
const tokenLength = len(Prefix) + 43

// ErrUnknown is of a token that never was, is expired, or is revoked. It does not tell which.
var ErrUnknown = errors.New("unknown, expired or revoked token")

// New makes a token of 256 random bits. Only its hash is to be kept.
func New() (secret string) {
	var b [32]byte
	rand.Read(b[:])
	return Prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// Hash is what is kept of a token. A token is random throughout, so that a plain hash is as good as a slow one; and who
// compares hashes in whatever time tells nothing of the token.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Is says whether a text has the form of a token.
func Is(text string) bool { return len(text) == tokenLength && strings.HasPrefix(text, Prefix) }

// Create makes a token that works until expires, for roles that its owner has now, and gives it. It is shown this once: it is not kept.
func (f *File) Create(owner string, roles access.Roles, expires time.Time, note string) (secret string, t Token, err error) {
	now := f.now().UTC().Truncate(time.Second)
	expires = expires.UTC().Truncate(time.Second)
	switch {
	case owner == "":
		return "", t, errors.New("a token has an owner: name a person of the directory")
	case roles == 0:
		return "", t, errors.New("a token has a role: viewer, analyst, raw or privacy")
	case !expires.After(now):
		return "", t, errors.New("the token would be expired already: give a time to come")
	case expires.Sub(now) > MaxAge:
		return "", t, errors.New("a token lives a year at most: give 365d or less")
	}
	if err := checkNote(note); err != nil {
		return "", t, err
	}
	secret = New()
	t = Token{Owner: owner, Roles: names(roles), Note: note, Made: now, Expires: expires, Hash: Hash(secret)}
	err = f.change(func(c *content) error {
		if c.working(now) >= maxTokens {
			return fmt.Errorf("%d tokens work already: revoke some", maxTokens)
		}
		c.Last++
		t.Number = c.Last
		c.Tokens = append(c.Tokens, t)
		return nil
	})
	return secret, t, err
}

func checkNote(note string) error {
	if len(note) > MaxNote || !utf8.ValidString(note) || strings.ContainsFunc(note, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("a note is one line of at most %d bytes that can be printed", MaxNote)
	}
	if strings.Contains(note, Prefix) {
		return errors.New("a note holds no token: it is stored as it is")
	}
	return nil
}

func names(set access.Roles) (all []string) {
	for _, r := range access.AllRoles {
		if set&access.RolesOf(r) != 0 {
			all = append(all, r.String())
		}
	}
	return all
}

// List is all tokens by number, without their hashes: also those that are revoked or expired, for a year after.
func (f *File) List() (all []Token, err error) {
	c, err := f.read()
	if err != nil {
		return nil, err
	}
	for _, t := range c.Tokens {
		t.Hash = ""
		all = append(all, t)
	}
	return all, nil
}

// Revoke ends a token. One that is revoked already stays as it is.
func (f *File) Revoke(number int) (t Token, err error) {
	err = f.change(func(c *content) error {
		i := c.at(number)
		if i < 0 {
			return fmt.Errorf("there is no token %d: brine token list shows them", number)
		}
		if c.Tokens[i].Revoked.IsZero() {
			c.Tokens[i].Revoked = f.now().UTC().Truncate(time.Second)
		}
		t = c.Tokens[i]
		t.Hash = ""
		return nil
	})
	return t, err
}

// RevokeOf ends all tokens of an owner, and says how many worked still.
func (f *File) RevokeOf(owner string) (n int, err error) {
	now := f.now().UTC().Truncate(time.Second)
	err = f.change(func(c *content) error {
		for i := range c.Tokens {
			t := &c.Tokens[i]
			if access.NameKey(t.Owner) != access.NameKey(owner) || !t.Revoked.IsZero() {
				continue
			}
			if t.State(now) == "works" {
				n++
			}
			t.Revoked = now
		}
		return nil
	})
	return n, err
}

// Find gives the token that a text is, if it works. The error is ErrUnknown, or of the file. The first use of a day is
// noted; where that cannot be written, used says why, and the token works all the same.
func (f *File) Find(text string) (t Token, used error, err error) {
	if !Is(text) {
		return t, nil, ErrUnknown
	}
	c, err := f.read()
	if err != nil {
		return t, nil, err
	}
	now := f.now()
	i, ok := c.byHash[Hash(text)]
	if !ok || c.Tokens[i].State(now) != "works" {
		return t, nil, ErrUnknown
	}
	t = c.Tokens[i]
	if day := now.UTC().Format(time.DateOnly); t.LastUse != day {
		used = f.use(t.Number, day)
	}
	t.Hash = ""
	return t, used, nil
}

// use notes the day of a use. It never goes back, and is tried once a day, so that a full disk does not make every request wait for it.
func (f *File) use(number int, day string) error {
	f.mu.Lock()
	tried := f.tried[number] == day
	f.tried[number] = day
	f.mu.Unlock()
	if tried {
		return nil
	}
	return f.change(func(c *content) error {
		if i := c.at(number); i >= 0 && c.Tokens[i].LastUse < day {
			c.Tokens[i].LastUse = day
		}
		return nil
	})
}
