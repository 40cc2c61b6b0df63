package access

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"anna", "Anna Berg", "anna@example.org", "jo\u0308rg", "李", "*", ")(uid=*", strings.Repeat("a", MaxName)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", " anna", "anna ", "an\x00na", "an\nna", "an\tna", "an\u00a0na", "an\u200bna", "an\u00adna", "an\u202ena", "anna\ufe0f", "an\u3164na", "\xffanna", strings.Repeat("a", MaxName+1)} {
		if err := CheckName(name); err == nil {
			t.Errorf("%q is a name", name)
		} else if len(name) > 1 && strings.Contains(err.Error(), name) {
			t.Errorf("the error repeats %q", name)
		}
	}
}

func TestNameKey(t *testing.T) {
	for _, same := range [][]string{{"anna", "ANNA", "ａnna"}, {"Anna Berg", "anna   BERG"}, {"jörg", "jo\u0308rg", "JÖRG"}, {"straße", "STRASSE"}} {
		for _, name := range same {
			if NameKey(name) != NameKey(same[0]) {
				t.Errorf("%q is not %q", name, same[0])
			}
		}
	}
	if NameKey("anna") == NameKey("anne") || NameKey("annaberg") == NameKey("anna berg") {
		t.Error("two names are one")
	}
}

func TestCheckPassword(t *testing.T) {
	if CheckPassword("") == nil || CheckPassword(strings.Repeat("x", MaxPassword+1)) == nil || CheckPassword("x") != nil {
		t.Error("empty, too long, or good")
	}
}
