package access

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The limits of what a person may type, in bytes.
const (
	MaxName     = 128
	MaxPassword = 1024
)

// CheckName refuses what is no name in any directory, before one sees it: nothing, more than MaxName, bytes that are no UTF-8,
// spaces at the ends, and characters that are not seen. The error does not repeat the name.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > MaxName:
		return errors.New("the name is too long")
	case !utf8.ValidString(name):
		return errors.New("the name is no UTF-8")
	case strings.TrimSpace(name) != name:
		return errors.New("the name begins or ends with a space")
	case strings.ContainsFunc(name, unseen):
		return errors.New("the name has characters that are not seen")
	}
	return nil
}

// unseen is any character but letters, marks, digits, signs and the plain space: NUL, line breaks, zero-width
// ones. A directory may overlook them, and one person would have many names.
func unseen(r rune) bool {
	return !unicode.IsPrint(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r)
}

// CheckPassword refuses what no directory may see. An empty password is the one that matters: many directories
// take a bind with it for an anonymous one, and answer that it went well (RFC 4513, 5.1.2).
func CheckPassword(password string) error {
	switch {
	case password == "":
		return errors.New("the password is empty")
	case len(password) > MaxPassword:
		return errors.New("the password is too long")
	}
	return nil
}

// NameKey is the same for all the spellings of a name that a directory may take for one: case, compatible characters
// and runs of spaces do not count (RFC 4518). It is for counting and caching, never for asking.
func NameKey(name string) string {
	return strings.Join(strings.Fields(norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))), " ")
}
