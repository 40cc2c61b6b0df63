package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of a line.
const (
	maxText = 500      // bytes of each text of a record; what is longer is cut
	maxLine = 64 << 10 // bytes of a line: all texts at their longest, each byte escaped, are shorter
)

// genesis stands for the hash of the line before the first.
var genesis = strings.Repeat("0", 2*sha256.Size)

// Anchor is the place of a record in the chain: its number, and the SHA-256 of its line in hex.
type Anchor struct {
	Number uint64
	Hash   string
}

// String is NUMBER:HASH.
func (a Anchor) String() string { return fmt.Sprintf("%d:%s", a.Number, a.Hash) }

// ParseAnchor reads NUMBER:HASH.
func ParseAnchor(text string) (a Anchor, err error) {
	number, hash, _ := strings.Cut(text, ":")
	a.Hash = hash
	if a.Number, err = strconv.ParseUint(number, 10, 64); err != nil || !isHash(hash) {
		return Anchor{}, fmt.Errorf("%q is not NUMBER:HASH, like brine audit verify prints it", text)
	}
	return a, nil
}

func isHash(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == len(genesis) && text == strings.ToLower(text)
}

// hashOf is the hash of a line, without its line break.
func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// follow makes a record the next of the chain, and gives its line with the line break.
func (a *Anchor) follow(r *Record) ([]byte, error) {
	r.Number, r.Before = a.Number+1, a.Hash
	for _, text := range []*string{&r.Who, &r.Via, &r.Route, &r.Dataset, &r.Stream, &r.Purpose, &r.Outcome, &r.Note} {
		*text = bounded(*text)
	}
	line, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	*a = Anchor{r.Number, hashOf(line)}
	return append(line, '\n'), nil
}

// bounded cuts a text that is too long at the end of a character.
func bounded(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= maxText {
		return text
	}
	n := maxText
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

var errNoRecord = errors.New("this line is not a record")

// parseLine reads a line without its line break.
func parseLine(line []byte) (r Record, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || d.InputOffset() != int64(len(line)) || r.Number == 0 {
		return Record{}, errNoRecord
	}
	return r, nil
}
