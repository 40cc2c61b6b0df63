package ldap

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"brine/access"
)

func TestDisabledBy(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	const today = 20782 // days since 1970
	fileTime := func(t time.Time) string { return strconv.FormatInt((t.Unix()+11_644_473_600)*10_000_000, 10) }
	for _, c := range []struct {
		attribute, value string
		disabled         bool
	}{
		{lockedTime, lockedForGood, true},
		{lockedTime, "20261125115900Z", false}, // for a while, after wrong passwords
		{accountLock, "TRUE", true},
		{"NSACCOUNTLOCK", "true", true},
		{accountLock, "false", false},
		{accountBits, "514", true},
		{accountBits, "512", false},
		{accountBits, "-2147483134", true},
		{accountBits, "x", false},
		{accountEnd, "0", false},
		{accountEnd, "9223372036854775807", false},
		{accountEnd, fileTime(now), true},
		{accountEnd, fileTime(now.Add(time.Second)), false},
		{shadowEnd, strconv.Itoa(today), true},
		{shadowEnd, strconv.Itoa(today + 1), false},
		{shadowEnd, "0", true},
		{shadowEnd, "-1", false},
		{shadowEnd, "9223372036854775807", false},
	} {
		p := person{Entry: ldap.NewEntry("uid=anna", map[string][]string{c.attribute: {c.value}})}
		want := ""
		if c.disabled {
			want = strings.ToLower(c.attribute)
		}
		if got := p.disabled(now); strings.ToLower(got) != want {
			t.Errorf("%s: %s: disabled by %q", c.attribute, c.value, got)
		}
	}
}

func TestDNKey(t *testing.T) {
	same := []string{"cn=A b,dc=x", "CN=a B, DC=X", "cn = a b , dc = x", `cn=a\20b,dc=x`}
	for _, dn := range same {
		if dnKey(dn) != dnKey(same[0]) {
			t.Errorf("%s is %s", dn, dnKey(dn))
		}
	}
	if dnKey("cn=a,cn=b") == dnKey(`cn=a\,cn=b`) {
		t.Error("an escaped comma parts names")
	}
}

// FuzzFilter holds that a name is one value in the filter, whatever it is: the filter's shape does not change, and the
// server compares with what was typed.
func FuzzFilter(f *testing.F) {
	for _, name := range []string{"anna", "*", ")(uid=*", "a\x00b", `\2a`, "é", "\xff", "(", strings.Repeat("a", 200)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, filter := range []string{defaultFilter, "(&(objectClass=person)(mail=%s))"} {
			packet, err := ldap.CompileFilter(filterFor(filter, name))
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			if packet.Tag == ldap.FilterAnd {
				packet = packet.Children[1]
			}
			if got := packet.Children[1].Data.String(); packet.Tag != ldap.FilterEqualityMatch || len(packet.Children) != 2 || got != name {
				t.Errorf("%q became %q, tag %d", name, got, packet.Tag)
			}
		}
		if access.CheckName(name) == nil && (strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) || len(name) > access.MaxName || name == "") {
			t.Errorf("%q is a name", name)
		}
	})
}
