package event

import (
	"slices"

	"github.com/goccy/go-yaml"

	"brine/event/scan"
)

// clientFields are the names of fields that hold a client's address or headers of its request, in
// the spelling of [plainName]. What they hold is removed from every app event on receipt, at any
// depth and in maps too, unless the stream's config asks for it by name.
//
// Names that end in one of clientEndings are of the same kind, like user_ip.
var (
	clientFields = map[string]bool{
		"ip": true, "ips": true, "ip4": true, "ip6": true, "ipv4": true, "ipv6": true, "ip_v4": true, "ip_v6": true, "client_ip": true,
		"ip_address": true, "ip_addresses": true, "ip_addr": true, "ip_addrs": true, "ipaddr": true, "ipaddress": true, "ipaddresses": true,
		"remote_addr": true, "remote_address": true, "remote_host": true, "client_addr": true, "client_address": true, "client_addresses": true,
		"peer_addr": true, "peer_address": true, "clientip": true, "remoteip": true, "remoteaddr": true,
		"forwarded": true, "forwarded_for": true, "x_forwarded_for": true, "xforwardedfor": true, "xff": true, "via": true,
		"headers": true, "user_agent": true, "user_agents": true, "user_agent_string": true, "useragent": true, "useragents": true,
		"cookie": true, "cookies": true, "set_cookie": true, "authorization": true, "proxy_authorization": true,
	}
	clientEndings = byLastByte("_ip", "_ips", "_ip4", "_ip6", "_ipv4", "_ipv6", "_ip_v4", "_ip_v6", "_ip_address", "_ip_addresses", "_ip_addr", "_ip_addrs",
		"_remote_addr", "_headers", "_forwarded_for", "_user_agent", "_user_agents", "_user_agent_string")
)

// byLastByte spares a name all endings but a few.
func byLastByte(endings ...string) (by [256][]string) {
	for _, ending := range endings {
		last := ending[len(ending)-1]
		by[last] = append(by[last], ending)
	}
	return by
}

// isClientField says whether a name, in whatever spelling, is that of a client's address or headers.
// It makes nothing: most names of most events pass here.
func isClientField[T string | []byte](name T) bool {
	var room [64]byte
	plain := appendPlainName(room[:0], name)
	if clientFields[string(plain)] {
		return true
	}
	if len(plain) == 0 {
		return false
	}
	for _, ending := range clientEndings[plain[len(plain)-1]] {
		if n := len(plain) - len(ending); n > 0 && string(plain[n:]) == ending {
			return true
		}
	}
	return false
}

// plainName spells a name in lower case with low lines: clientIp, Client-IP and client_ip are one, and so are clientIPAddress and client_ip_address.
func plainName(name string) string { return string(appendPlainName(nil, name)) }

func appendPlainName[T string | []byte](dst []byte, name T) []byte {
	var last byte
	for i := range len(name) {
		c := name[i]
		switch {
		case isCapital(c):
			if isSmall(last) || '0' <= last && last <= '9' || isCapital(last) && beginsWord(name[i+1:]) {
				dst = append(dst, '_')
			}
			dst = append(dst, c|0x20)
		case c == '-' || c == '.' || c == ' ':
			dst = append(dst, '_')
		default:
			dst = append(dst, c)
		}
		last = c
	}
	return dst
}

// beginsWord says whether the last capital of several, with this behind it, is the first letter of a word, as in IPAddress, and none of the acronym, as in IPs and IPv4.
func beginsWord[T string | []byte](rest T) bool {
	switch {
	case len(rest) == 0 || !isSmall(rest[0]):
		return false
	case rest[0] == 's':
		return len(rest) > 1 && isSmall(rest[1])
	case rest[0] == 'v':
		return len(rest) > 1 && (rest[1] < '0' || rest[1] > '9')
	}
	return true
}

func isCapital(c byte) bool { return 'A' <= c && c <= 'Z' }
func isSmall(c byte) bool   { return 'a' <= c && c <= 'z' }

// removeClientFields takes the fields that are a client's address or headers out of a value, at
// any depth, but for those that keep names.
func (t *tree) removeClientFields(in int, keep []string) {
	if t.nodes[in].typ == scan.Object {
		t.removeIf(in, func(name []byte) bool {
			return isClientField(name) && !slices.Contains(keep, plainName(string(name)))
		})
	}
	for i := t.nodes[in].first; i != 0; i = t.nodes[i].next {
		if t.nodes[i].first != 0 {
			t.removeClientFields(i, keep)
		}
	}
}

// checkKeep finds what is wrong with the names that a stream's config keeps.
func checkKeep(columns []Column, keep []string) error {
	var known []string
	eachName(columns, func(name string) {
		if isClientField(name) && !slices.Contains(known, name) {
			known = append(known, name)
		}
	})
	for _, name := range keep {
		if !isClientField(name) {
			return &StreamError{Key: "keep_fields", What: name + ": not a field that is removed on receipt, so it is kept anyway", Fix: "take it off the list"}
		}
		same := func(k string) bool { return plainName(k) == plainName(name) }
		if !slices.ContainsFunc(known, same) && !hasMap(columns) {
			return &StreamError{Key: "keep_fields", What: name + ": no schema of this stream has such a field", Fix: LikelyFix(name, known)}
		}
	}
	return nil
}

// checkRequired finds a field that a schema requires and that is removed on receipt, so that no event could be valid.
func checkRequired(schemas []*Schema, keep []string) error {
	for _, s := range schemas {
		for _, name := range requiredNames(s.document) {
			if isClientField(name) && !slices.Contains(keep, plainName(name)) {
				return &StreamError{Key: "keep_fields", What: s.File + " requires " + name + ", which is removed on receipt", Fix: "list it here, or take it off required"}
			}
		}
	}
	return nil
}

// requiredNames are the names that stand in required, in the schema or anywhere below.
func requiredNames(node any) (names []string) {
	switch node := node.(type) {
	case yaml.MapSlice:
		for _, item := range node {
			list, _ := item.Value.([]any)
			for _, v := range list {
				if name, ok := v.(string); ok && item.Key == "required" {
					names = append(names, name)
				}
			}
			if item.Key != "examples" {
				names = append(names, requiredNames(item.Value)...)
			}
		}
	case []any:
		for _, v := range node {
			names = append(names, requiredNames(v)...)
		}
	}
	return names
}

// eachName calls f with the name of every column and of every member below it.
func eachName(columns []Column, f func(name string)) {
	for _, c := range columns {
		f(c.Name)
		eachName(c.Fields, f)
	}
}

func hasMap(columns []Column) bool {
	return slices.ContainsFunc(columns, func(c Column) bool { return c.Kind == Map || hasMap(c.Fields) })
}
