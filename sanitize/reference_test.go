package sanitize

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reference does to one value what the rules say, as plainly as it can be written: the measure of the query.
type reference struct{ salt, stream string }

// value follows a rule; nil is absent.
func (r reference) value(rule, value any) any {
	if value == nil {
		return nil
	}
	switch rule := rule.(type) {
	case string:
		return r.word(rule, value)
	case map[string]any:
		if len(rule) == 1 {
			for name, parameter := range rule {
				switch p := parameter.(type) {
				case []float64:
					return bucketOf(p, value.(json.Number))
				case []string:
					return only(p, value)
				case string:
					if name == "floor" && strings.ContainsAny(p, "1") {
						return floored(p, value)
					}
				}
			}
		}
		return r.fields(rule, value)
	}
	panic("no rule")
}

func (r reference) word(rule string, value any) any {
	switch rule {
	case "keep":
		return value
	case "hash":
		return hashAll(value, func(text string) []byte { return plainHMAC{r.salt}.Pseudonym(nil, []byte(text)) })
	case "hash_per_stream":
		return hashAll(value, func(text string) []byte {
			return plainHMAC{r.salt}.PseudonymPerStream(nil, r.stream, []byte(text))
		})
	}
	return nil
}

func hashAll(value any, hash func(string) []byte) any {
	switch v := value.(type) {
	case string:
		return string(hash(v))
	case json.Number:
		return string(hash(v.String()))
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = hashAll(v[i], hash)
		}
		return list
	}
	return nil
}

// fields keeps what is listed of an object, a map, or each object of an array. Nothing of a field that is listed for
// nothing but drop makes the object itself go.
func (r reference) fields(rules map[string]any, value any) any {
	if !keepsSome(rules) {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, rule := range rules {
			if member := r.value(rule, v[name]); member != nil {
				kept[name] = member
			}
		}
		return kept
	case []any:
		list := make([]any, len(v))
		for i := range v {
			if v[i] != nil {
				list[i] = r.fields(rules, v[i])
			}
		}
		return list
	}
	panic("no object")
}

func keepsSome(rules map[string]any) bool {
	for _, rule := range rules {
		below, isMap := rule.(map[string]any)
		if rule != "drop" && (!isMap || keepsSome(below)) {
			return true
		}
	}
	return false
}

func floored(every string, value any) any {
	d := map[string]time.Duration{"10m": 10 * time.Minute, "1h": time.Hour, "1d": 24 * time.Hour}[every]
	if text, isText := value.(string); isText {
		at, err := time.Parse(time.RFC3339, strings.ToUpper(text))
		if err != nil {
			return nil
		}
		return at.UTC().Truncate(d).Format("2006-01-02T15:04:05Z")
	}
	ms, _ := value.(json.Number).Int64()
	if ms < -62135596800000 || ms > 253402300799999 {
		return nil
	}
	whole := d.Milliseconds()
	return json.Number(strconv.FormatInt(int64(math.Floor(float64(ms)/float64(whole)))*whole, 10))
}

func bucketOf(edges []float64, value json.Number) any {
	v, _ := value.Float64()
	i := 0
	for i < len(edges) && v >= edges[i] {
		i++
	}
	text := func(e float64) string { return strconv.FormatFloat(e, 'f', -1, 64) }
	isWhole := func(e float64) bool { return e == math.Floor(e) }
	switch {
	case i == 0:
		return "<" + text(edges[0])
	case i == len(edges):
		return text(edges[i-1]) + "+"
	case !isWhole(edges[i-1]) || !isWhole(edges[i]):
		return text(edges[i-1]) + "-<" + text(edges[i])
	case edges[i]-edges[i-1] == 1:
		return text(edges[i-1])
	}
	return text(edges[i-1]) + "-" + text(edges[i]-1)
}

func only(values []string, value any) any {
	admits := func(item any) bool {
		if tuple, isTuple := item.([]any); isTuple {
			item = tuple[0]
		}
		text, isText := item.(string)
		return isText && slices.ContainsFunc(values, func(v string) bool {
			prefix, open := strings.CutSuffix(v, "*")
			return text == v || open && strings.HasPrefix(text, prefix)
		})
	}
	list, isList := value.([]any)
	if !isList {
		if admits(value) {
			return value
		}
		return nil
	}
	kept := []any{}
	for _, item := range list {
		if admits(item) {
			kept = append(kept, item)
		}
	}
	return kept
}
