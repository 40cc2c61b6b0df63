package gate

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"brine/access/tokens"
)

// The length of a purpose, in bytes.
const (
	minPurpose = 3
	maxPurpose = 200
)

// PurposeParameter is the query parameter that stands for the X-Purpose header in links.
const PurposeParameter = "purpose"

// purpose is what a read of raw is for: the header, or for links the parameter.
func purpose(r *http.Request) (string, error) {
	header, query := r.Header.Values("X-Purpose"), r.URL.Query()[PurposeParameter]
	all := append(header, query...)
	if len(all) == 0 {
		return "", badPurpose("a read of raw events needs a purpose, which is recorded: send it as the header X-Purpose, like X-Purpose: ticket 123, why users stop at the code")
	}
	if len(all) > 1 {
		return "", badPurpose("give one purpose: the header X-Purpose or the parameter purpose")
	}
	if err := CheckPurpose(all[0]); err != nil {
		return "", badPurpose(err.Error())
	}
	return strings.TrimSpace(all[0]), nil
}

// CheckPurpose says what is wrong with a purpose.
func CheckPurpose(text string) error {
	text = strings.TrimSpace(text)
	if len(text) < minPurpose || len(text) > maxPurpose || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("a purpose is one line of 3 to 200 bytes that can be printed (UTF-8)")
	}
	if !strings.ContainsFunc(text, unicode.IsLetter) {
		return errors.New("a purpose has words")
	}
	if strings.Contains(text, tokens.Prefix) {
		return errors.New("a purpose is kept for others to read, and this one holds a token: revoke it")
	}
	return nil
}

func badPurpose(reason string) error { return &Error{Status: http.StatusBadRequest, Reason: reason} }
