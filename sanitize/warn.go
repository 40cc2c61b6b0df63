package sanitize

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"brine/event"
)

// warnBelow warns of what is kept at a path, or below it, and looks like more than should be kept.
func (c *compiler) warnBelow(n *node, path []string, column event.Column) {
	switch column.Kind {
	case event.Struct:
		for _, f := range column.Fields {
			c.warnBelow(n, append(slices.Clone(path), f.Name), f)
		}
		return
	case event.Map:
		c.warnBelow(n, path, event.Column{Name: column.Name, Kind: column.Fields[0].Kind, Fields: column.Fields[0].Fields})
		return
	case event.List:
		element := column.Fields[0]
		element.Name = column.Name
		c.warnBelow(n, path, element)
		return
	}
	if why := c.identifies(path, column); why != "" {
		c.warn(n, path, identifierFix, keptIdentifier(why))
	}
	if c.fineTime(path, column) {
		c.warn(n, path, timeFix, keptTime)
	}
}

// What is said of values that tell people or moments apart.
const (
	identifierFix = "say hash, hash_per_stream or drop, unless it tells nobody apart"
	keptTime      = "a time finer than 10 minutes, and the rule is keep"
	timeFix       = "say {floor: 10m}, or coarser"
)

func keptIdentifier(why string) string {
	return "it looks like an identifier (" + why + "), and the rule is keep"
}

func (c *compiler) warn(n *node, path []string, fix, what string) {
	c.warnings = append(c.warnings, c.finding(n, path, fix, what))
}

// identifies says why a column looks as if its values told people or devices apart; "" if not.
func (c *compiler) identifies(path []string, column event.Column) string {
	switch column.Kind {
	case event.Bool, event.Double, event.Tuple:
		return ""
	case event.UUID:
		return "a UUID"
	}
	for _, says := range c.says(path) {
		if says["format"] == "uuid" || column.Kind == event.String && takesUUIDs(says) {
			return "its schema takes UUIDs"
		}
	}
	if isIdentifierName(path[len(path)-1]) {
		return "its name"
	}
	return ""
}

// identifierWords end the names of what tells people, devices or visits apart.
var identifierWords = []string{"id", "ids", "uid", "uuid", "guid", "token", "tokens", "session", "sessionid", "sessiontoken",
	"cookie", "fingerprint", "username", "email", "phone", "ip"}

func isIdentifierName(name string) bool {
	words := wordsOf(name)
	last := words[len(words)-1]
	return slices.Contains(identifierWords, last) || strings.HasSuffix(last, "sessionid") ||
		len(words) > 1 && last == "name" && words[len(words)-2] == "user"
}

// wordsOf splits a name at _, -, points and capitals: user_id, user-id and userID alike.
func wordsOf(name string) []string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		startsWord := i > 0 && unicode.IsUpper(r) &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if startsWord || strings.ContainsRune("_-.", r) {
			b.WriteRune(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	if words := strings.FieldsFunc(b.String(), func(r rune) bool { return strings.ContainsRune(" _-.", r) }); len(words) > 0 {
		return words
	}
	return []string{name}
}

// takesUUIDs says whether a schema's pattern is made for UUIDs: it takes one and no ordinary word.
func takesUUIDs(says map[string]any) bool {
	pattern, _ := says["pattern"].(string)
	if pattern == "" {
		return false
	}
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString("35dab852-74db-43f4-8aa0-88884211e545") &&
		!slices.ContainsFunc([]string{"en", "a", "Windows", "some-name", "screen.rp_info"}, re.MatchString)
}

// says is what the schemas of the stream say of a field.
func (c *compiler) says(path []string) (all []map[string]any) {
	for _, s := range c.stream.Schemas {
		if d := describe(s, path); d != nil {
			all = append(all, d)
		}
	}
	return all
}

// describe finds what a schema says of a field, or of what is in it where it is an array: paths of an
// allowlist have no step for arrays.
func describe(s *event.Schema, path []string) map[string]any {
	var at []string
	says := map[string]any{}
	for _, name := range append(slices.Clone(path), "") {
		for says = s.Describe(at); says != nil && isArray(says); says = s.Describe(at) {
			at = append(at, event.Elements)
		}
		at = append(at, name)
	}
	return says
}

func isArray(says map[string]any) bool {
	_, items := says["items"].(map[string]any)
	_, prefix := says["prefixItems"]
	return items && !prefix
}

// isTime says whether a schema calls the text at a path a time.
func (c *compiler) isTime(path []string) bool {
	return slices.ContainsFunc(c.says(path), func(says map[string]any) bool { return says["format"] == "date-time" })
}

// fineTime says whether a column holds times that nobody has made coarse. The built-in stream's, and
// when an event was received, are.
func (c *compiler) fineTime(path []string, column event.Column) bool {
	at := strings.Join(path, ".")
	if at == "received" || c.stream.Name == event.Interaction {
		return false
	}
	switch column.Kind {
	case event.String:
		return at == c.stream.Time || c.isTime(path)
	case event.Int64:
		return at == c.stream.Time || isTimeName(path[len(path)-1])
	}
	return false
}

func isTimeName(name string) bool {
	words := wordsOf(name)
	return slices.ContainsFunc([]string{"dt", "ts", "timestamp"}, func(w string) bool { return words[len(words)-1] == w })
}
