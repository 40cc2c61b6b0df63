package event

import (
	"strconv"
	"strings"
)

// maxPathName is how many bytes of a client's field name stand in a [Problem]'s path.
const maxPathName = 64

func refuse(code, path, message string) *Problem {
	return &Problem{Code: code, Path: path, Message: message}
}

func malformed() *Problem {
	return refuse(CodeSyntax, "", "one JSON value was expected (RFC 8259, UTF-8, at most 32 levels)")
}

func unknownField(path string, name []byte) *Problem {
	return refuse(CodeUnknown, joinPath(path, string(name)), "the schema has no such field")
}

func repeatedKey(path string, name []byte) *Problem {
	return refuse(CodeDuplicate, joinPath(path, string(name)), "the same key came before")
}

func missing(path string) *Problem {
	return refuse(CodeRequired, path, "this field is required, and null counts as absent")
}

// notInteger words what [parseInteger] found wrong, with code why.
func notInteger(why, path string, lo, hi int64) *Problem {
	if why == CodeSyntax {
		return malformed()
	}
	return refuse(why, path, "an integer from "+strconv.FormatInt(lo, 10)+" to "+strconv.FormatInt(hi, 10)+" was expected")
}

// below puts the path of what the problem's value stands in before its own. Malformed JSON
// has no path.
func (p *Problem) below(path string) *Problem {
	if p.Code != CodeSyntax {
		p.Path = path + p.Path
	}
	return p
}

// joinPath appends a name to a JSON pointer (RFC 6901): escaped, cut, and without what
// is not printable ASCII, since the name may be a client's.
func joinPath(path, name string) string {
	var b strings.Builder
	b.WriteString(path)
	b.WriteByte('/')
	for i := 0; i < min(len(name), maxPathName); i++ {
		switch c := name[i]; {
		case c == '~':
			b.WriteString("~0")
		case c == '/':
			b.WriteString("~1")
		case c >= ' ' && c <= '~':
			b.WriteByte(c)
		}
	}
	return b.String()
}

func indexPath(path string, i int) string {
	return path + "/" + strconv.Itoa(i)
}
