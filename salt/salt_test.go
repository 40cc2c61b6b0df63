package salt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The key is the text as it stands, not what its hex stands for.
func TestPseudonym(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
	h := (&Salt{key: hidden(key)}).Hasher()
	// printf 'install-1' | openssl dgst -sha256 -hmac 0123…, and printf 'app_session\0install-1' | …
	for _, c := range []struct{ got, want string }{
		{string(h.Pseudonym([]byte("x"), []byte("install-1"))), "x469c37fd353fe9e19f1cd9adb2b1f1c4c5cb7a144ffa16d3f3e6f59ed91eb35d"},
		{string(h.PseudonymPerStream(nil, "app_session", []byte("install-1"))), "e4473bfa8de40239f631e6db1b5d11fac7f574c7ac7ba6a5c2ea05c0ab9d5021"},
		{string(h.Pseudonym(nil, nil)), "081247dc68bb7fafbf13220013a0ab71db8b628d679161f87b5e5bd9e19b1494"},
		{string(h.Pseudonym(nil, []byte("install-1"))), "469c37fd353fe9e19f1cd9adb2b1f1c4c5cb7a144ffa16d3f3e6f59ed91eb35d"}, // what was hashed between leaves no trace
	} {
		if c.got != c.want {
			t.Errorf("%s, want %s", c.got, c.want)
		}
	}
}

func TestHasherAllocatesNothing(t *testing.T) {
	salt, err := Fresh()
	if err != nil {
		t.Fatal(err)
	}
	h, dst, value := salt.Hasher(), make([]byte, 0, 64), []byte("00ab59ac-77a1-4484-b49d-a047a036c77b")
	h.PseudonymPerStream(dst, "app_session", value)
	if n := testing.AllocsPerRun(100, func() {
		h.Pseudonym(dst, value)
		h.PseudonymPerStream(dst, "app_session", value)
	}); n != 0 {
		t.Errorf("%v allocations a value", n)
	}
}

func BenchmarkPseudonym(b *testing.B) {
	salt, err := Fresh()
	if err != nil {
		b.Fatal(err)
	}
	h, dst, value := salt.Hasher(), make([]byte, 0, 64), []byte("00ab59ac-77a1-4484-b49d-a047a036c77b")
	for b.Loop() {
		h.Pseudonym(dst, value)
	}
}

func TestFresh(t *testing.T) {
	a, errA := Fresh()
	b, errB := Fresh()
	if errA != nil || errB != nil || !a.Period.IsZero() || a.Fingerprint() == b.Fingerprint() {
		t.Error(a, b, errA, errB)
	}
	if key := string(a.key()); len(key) != 64 || strings.Trim(key, "0123456789abcdef") != "" {
		t.Errorf("a salt of %d characters", len(key))
	}
}

// No way of printing, logging or encoding a salt, or what holds one, shows it.
func TestSaltIsNeverShown(t *testing.T) {
	key := []byte(testKey("secret"))
	salt := &Salt{must(ParseName("2026100100_2027010100_2027010300")), hidden(key)}
	hasher := salt.Hasher()
	hasher.Pseudonym(nil, []byte("x"))
	holder := struct {
		Shown  *Salt
		hidden Salt
		hasher Hasher
		entry  entry
	}{salt, *salt, *hasher, entry{salt: salt}}
	var out bytes.Buffer
	for _, v := range []any{salt, *salt, hasher, *hasher, holder, &holder, []*Salt{salt}, map[string]any{"salt": salt}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x", "%T", "%t", "%08b"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		fmt.Fprintln(&out, v)
		json.NewEncoder(&out).Encode(v)
		if text, err := xml.Marshal(v); err == nil {
			out.Write(text)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	}
	if !strings.Contains(out.String(), salt.Fingerprint()) {
		t.Error("the fingerprint is not shown")
	}
	asNumbers := strings.Trim(fmt.Sprint(key[:8]), "[]")
	if numbers := regexp.MustCompile(`(\d+,? ){8}`).FindString(out.String()); numbers != "" { // of a hasher's state
		t.Errorf("bytes are shown: %s", numbers)
	}
	for _, shape := range []string{string(key), string(key[:16]), hex.EncodeToString(key[:8]), strings.ToUpper(hex.EncodeToString(key[:8])),
		asNumbers, strings.ReplaceAll(asNumbers, " ", ", ")} {
		if i := strings.Index(out.String(), shape); i >= 0 {
			t.Errorf("shown as %s: %.200s", shape, out.String()[max(0, i-80):])
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestKeyOf(t *testing.T) {
	key := testKey("a")
	for _, c := range []struct{ content, key, says string }{
		{key, key, ""},
		{key + "\n", key, ""},
		{key + "\r\n", key, ""},
		{key + "\n\n", key + "\n", ""},
		{" " + key + " ", " " + key + " ", ""},
		{"zwölf Boxkämpfer jagen Viktor über", "zwölf Boxkämpfer jagen Viktor über", ""},
		{key[:32], key[:32], ""},
		{key[:31] + "\n", "", "it holds 31 bytes, a salt has at least 32"},
		{"", "", "it holds 0 bytes"},
		{strings.Repeat("\x00", 64), "", "no text"},
		{key + "\xff", "", "no text"},
		{strings.Repeat("a", maxBytes+1), "", "holds over"},
	} {
		got, err := keyOf([]byte(c.content))
		switch {
		case c.says != "":
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), key[:16]) {
				t.Errorf("%.20q: %v", c.content, err)
			}
		case err != nil || string(got) != c.key:
			t.Errorf("%.20q: %v", c.content, err)
		}
	}
}

// A process that may come to hold a salt leaves no core dump.
func TestNoCoreDumps(t *testing.T) {
	newHouse(t, "2026-11-25T11")
	limits, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if after, found := strings.CutPrefix(line, "Max core file size"); found {
			if got := strings.Fields(after); got[0] != "0" || got[1] != "0" {
				t.Error(line)
			}
			return
		}
	}
	t.Error("no limit of core files in /proc/self/limits")
}

func TestFreshHasNoPeriod(t *testing.T) {
	if got := must(Fresh()).String(); !strings.HasPrefix(got, "fresh salt ") {
		t.Error(got)
	}
	if p := (Period{}); !p.IsZero() || p.Holds(time.Now()) {
		t.Error("the zero period holds now")
	}
}
