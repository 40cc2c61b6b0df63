package event

// alphabet is a set of ASCII characters, one bit for each class that a text rule knows.
type alphabet uint8

const (
	eventName alphabet = 1 << iota // [A-Za-z0-9._:/-]
	product                        // [A-Za-z0-9 ._-]
	word                           // [a-z0-9_]
	release                        // [0-9A-Za-z._-]
	variant                        // [a-z0-9_.-]
	letter                         // [A-Za-z]
	alnum                          // [A-Za-z0-9]
)

var alphabets = func() (t [256]alphabet) {
	add := func(from, to byte, sets alphabet) {
		for c := int(from); c <= int(to); c++ {
			t[c] |= sets
		}
	}
	add('a', 'z', eventName|product|word|release|variant|letter|alnum)
	add('A', 'Z', eventName|product|release|letter|alnum)
	add('0', '9', eventName|product|word|release|variant|alnum)
	add('.', '.', eventName|product|release|variant)
	add('-', '-', eventName|product|release|variant)
	add('_', '_', product|word|release|variant|eventName)
	add(':', ':', eventName)
	add('/', '/', eventName)
	add(' ', ' ', product)
	return t
}()

// allIn says whether b is made of the set's characters only.
func allIn(b []byte, set alphabet) bool {
	for _, c := range b {
		if alphabets[c]&set == 0 {
			return false
		}
	}
	return true
}

// tokenRule is a text of 1 to max characters of one set.
type tokenRule struct {
	set  alphabet
	max  int
	want string
}

var (
	productRule = tokenRule{product, 32, "1 to 32 of letters, digits, space, . _ - were expected"}
	dialogRule  = tokenRule{word, 32, "1 to 32 of a-z, 0-9, _ were expected"}
	releaseRule = tokenRule{release, 32, "1 to 32 of letters, digits, . _ - were expected"}
	variantRule = tokenRule{variant, 32, "1 to 32 of a-z, 0-9, _ . - were expected"}
)

// check returns "" or the code of what is wrong.
func (r *tokenRule) check(b []byte) string {
	if len(b) == 0 || len(b) > r.max {
		return CodeLength
	}
	if !allIn(b, r.set) {
		return CodeValue
	}
	return ""
}

// The rules of an event's name. Digits and UUIDs in it would tell one person's things from another's.
const (
	maxName   = 64
	maxDigits = 7
)

// checkName returns "" or the code and what was expected of a name in event_stream.
func checkName(b []byte) (code, want string) {
	if len(b) == 0 || len(b) > maxName {
		return CodeLength, "a name of 1 to 64 characters was expected"
	}
	digits := 0
	for _, c := range b {
		if alphabets[c]&eventName == 0 {
			return CodeValue, "a name of letters, digits, . _ : / - was expected"
		}
		digits++
		if c-'0' > 9 {
			digits = 0
		}
		if digits > maxDigits {
			return CodeValue, "a name without 8 digits in a row was expected"
		}
	}
	if len(b) >= uuidLen && holdsUUID(b) {
		return CodeValue, "a name without a UUID was expected"
	}
	return "", ""
}

// isLanguage says whether b is like en, en_US or zh-Hant-TW:
// ^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$.
func isLanguage(b []byte) bool {
	part, rest := cutSubtag(b)
	if len(part) < 2 || len(part) > 3 || !allIn(part, letter) {
		return false
	}
	for n := 0; len(rest) > 0; n++ {
		part, rest = cutSubtag(rest[1:])
		if n == 3 || len(part) < 2 || len(part) > 8 || !allIn(part, alnum) {
			return false
		}
	}
	return true
}

// cutSubtag splits b before its first - or _.
func cutSubtag(b []byte) (part, rest []byte) {
	for i, c := range b {
		if c == '-' || c == '_' {
			return b[:i], b[i:]
		}
	}
	return b, nil
}
