package event

import (
	"bytes"
	"fmt"
	"strconv"

	"brine/event/scan"
)

// The limits of an event stream and of experiments.
const (
	maxEntries     = 200
	maxExperiments = 10
)

// readEventStream checks the list and parks it, written anew.
func (x *interaction) readEventStream() *Problem {
	const path = "/event_stream"
	if x.Peek() != scan.Array {
		return refuse(CodeType, path, "an array of [name, offset_ms, duration_ms, repeat] was expected")
	}
	x.Pos++
	x.eventStream.from = len(x.out)
	x.out = append(x.out, '[')
	for n := 0; ; n++ {
		more, err := x.More(n, ']')
		if err != nil {
			return malformed()
		}
		if !more {
			break
		}
		if n == maxEntries {
			return refuse(CodeLength, path, "at most 200 entries were expected")
		}
		if p := x.readEntry(n); p != nil {
			return p
		}
	}
	x.out = append(x.out, ']')
	x.eventStream.to = len(x.out)
	return nil
}

// readEntry parks entry n: a name and one to three numbers.
func (x *interaction) readEntry(n int) *Problem {
	if x.Peek() != scan.Array {
		return refuse(CodeType, entryPath(n), "an array of 2 to 4 parts was expected")
	}
	x.Pos++
	if n > 0 {
		x.out = append(x.out, ',')
	}
	parts, null := 0, 0
	for ; ; parts++ {
		more, err := x.More(parts, ']')
		if err != nil {
			return malformed()
		}
		if !more {
			break
		}
		if p := x.readPart(n, parts, &null); p != nil {
			return p
		}
	}
	if parts < 2 {
		return refuse(CodeLength, entryPath(n), "2 to 4 parts were expected")
	}
	x.out = append(x.out, ']')
	return nil
}

// readPart parks one part of entry n. null is the part from which on all were null, 0 if none
// was: null stands for a part that is absent, so none can follow it.
func (x *interaction) readPart(n, part int, null *int) *Problem {
	if part == 0 {
		return x.readName(n)
	}
	if part > len(partLimits) {
		return refuse(CodeLength, entryPath(n), "2 to 4 parts were expected")
	}
	if part > 1 && x.Peek() == scan.Null {
		if *null == 0 {
			*null = part
		}
		return x.null()
	}
	if *null != 0 {
		return refuse(CodeValue, indexPath(entryPath(n), *null), "null is for the last parts of an entry only")
	}
	limit := &partLimits[part-1]
	v, why := x.integer(limit.lo, limit.hi)
	if why != "" {
		return notInteger(why, indexPath(entryPath(n), part), limit.lo, limit.hi)
	}
	x.out = append(x.out, ',')
	x.out = strconv.AppendInt(x.out, v, 10)
	return nil
}

// partLimits are those of offset_ms, duration_ms and repeat.
var partLimits = [3]struct{ lo, hi int64 }{{0, 86_400_000}, {0, 86_400_000}, {1, 10_000}}

// readName parks the name of entry n.
func (x *interaction) readName(n int) *Problem {
	if x.Peek() != scan.String {
		return refuse(CodeType, indexPath(entryPath(n), 0), "a name was expected")
	}
	name, escaped, err := x.Text()
	if err != nil {
		return malformed()
	}
	if escaped {
		name = x.unescape(name)
	}
	if code, want := checkName(name); code != "" {
		return refuse(code, indexPath(entryPath(n), 0), want)
	}
	x.out = append(x.out, '[', '"')
	x.out = append(x.out, name...)
	x.out = append(x.out, '"')
	return nil
}

func entryPath(n int) string { return indexPath("/event_stream", n) }

// nested is an object inside an interaction: it must have all its members and no other.
type nested struct {
	path  string
	names []string
}

var (
	screenSize = nested{"/screen_size", []string{"width", "height"}}
	userAgent  = nested{"/user_agent", []string{"os", "browser", "version"}}
)

func (o *nested) index(name []byte) int {
	for i := range o.names {
		if string(name) == o.names[i] {
			return i
		}
	}
	return -1
}

func (x *interaction) readNested(o *nested) *Problem {
	if x.Peek() != scan.Object {
		return refuse(CodeType, o.path, "an object was expected")
	}
	x.Pos++
	var seen, has uint
	for n := 0; ; n++ {
		more, err := x.More(n, '}')
		if err != nil {
			return malformed()
		}
		if !more {
			return o.complete(has)
		}
		if p := x.readMember(o, &seen, &has); p != nil {
			return p
		}
	}
}

// complete finds the first member that is not there.
func (o *nested) complete(has uint) *Problem {
	for i, name := range o.names {
		if has&(1<<i) == 0 {
			return missing(o.path + "/" + name)
		}
	}
	return nil
}

func (x *interaction) readMember(o *nested, seen, has *uint) *Problem {
	name, err := x.name()
	if err != nil {
		return malformed()
	}
	i := o.index(name)
	if i < 0 {
		return unknownField(o.path, name)
	}
	if *seen&(1<<i) != 0 {
		return repeatedKey(o.path, name)
	}
	*seen |= 1 << i
	if x.Peek() == scan.Null {
		return x.null()
	}
	*has |= 1 << i
	if o == &screenSize {
		return x.readSide(i)
	}
	return x.readAgentPart(i)
}

// readSide reads the width (0) or the height (1).
func (x *interaction) readSide(i int) *Problem {
	if i == 0 {
		return x.readInteger(&x.screenWidth, "/screen_size/width", 0, 32767)
	}
	return x.readInteger(&x.screenHeight, "/screen_size/height", 0, 32767)
}

// readAgentPart reads the os (0), the browser (1) or the version (2).
func (x *interaction) readAgentPart(i int) *Problem {
	switch i {
	case 0:
		return x.readToken(&x.os, "/user_agent/os", &productRule)
	case 1:
		return x.readToken(&x.browser, "/user_agent/browser", &productRule)
	default:
		return x.readVersion()
	}
}

// readVersion reads a version, as text or as a number, and keeps the major number.
func (x *interaction) readVersion() *Problem {
	const path = "/user_agent/version"
	switch x.Peek() {
	case scan.String:
		var text []byte
		if p := x.readToken(&text, path, &productRule); p != nil {
			return p
		}
		x.version = majorOf(text)
		return nil
	case scan.Number:
		raw, err := x.Number()
		if err != nil {
			return malformed()
		}
		return x.setVersion(parseDecimal(raw))
	}
	return refuse(CodeType, path, "a string or a number was expected")
}

func (x *interaction) setVersion(d decimal) *Problem {
	if d.neg && d.n > 0 || !d.atMost(100_000) {
		return refuse(CodeValue, "/user_agent/version", "a number from 0 to 100000 was expected")
	}
	x.version, _ = d.truncated()
	if x.version > maxMajor {
		x.version = unknownMajor
	}
	return nil
}

// readExperiments checks the map and parks it, written anew in the order it came.
func (x *interaction) readExperiments() *Problem {
	const path = "/experiments"
	if x.Peek() != scan.Object {
		return refuse(CodeType, path, "an object of names and branches was expected")
	}
	x.Pos++
	x.experiments.from = len(x.out)
	x.out = append(x.out, '{')
	var names [maxExperiments][]byte
	for n := 0; ; n++ {
		more, err := x.More(n, '}')
		if err != nil {
			return malformed()
		}
		if !more {
			break
		}
		if n == maxExperiments {
			return refuse(CodeLength, path, fmt.Sprintf("at most %d experiments were expected", maxExperiments))
		}
		if p := x.readExperiment(names[:n+1]); p != nil {
			return p
		}
	}
	x.out = append(x.out, '}')
	x.experiments.to = len(x.out)
	return nil
}

// readExperiment parks one experiment and its branch; its name goes to the last of names.
func (x *interaction) readExperiment(names [][]byte) *Problem {
	const path = "/experiments"
	name, err := x.name()
	if err != nil {
		return malformed()
	}
	if code := variantRule.check(name); code != "" {
		return refuse(code, joinPath(path, string(name)), "as a name "+variantRule.want)
	}
	last := len(names) - 1
	for _, before := range names[:last] {
		if bytes.Equal(before, name) {
			return repeatedKey(path, name)
		}
	}
	names[last] = name
	if x.Peek() == scan.Null {
		return x.null()
	}
	return x.readBranch(name)
}

func (x *interaction) readBranch(name []byte) *Problem {
	var branch []byte
	if p := x.readToken(&branch, "", &variantRule); p != nil {
		if p.Code != CodeSyntax {
			p.Path = joinPath("/experiments", string(name))
		}
		return p
	}
	if x.out[len(x.out)-1] != '{' {
		x.out = append(x.out, ',')
	}
	x.out = append(x.out, '"')
	x.out = append(x.out, name...)
	x.out = append(x.out, '"', ':', '"')
	x.out = append(x.out, branch...)
	x.out = append(x.out, '"')
	return nil
}
