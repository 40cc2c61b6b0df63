package event

import (
	"slices"
	"strconv"

	"brine/event/scan"
)

// name reads a key and its colon.
func (x *interaction) name() ([]byte, error) {
	raw, escaped, err := x.Key()
	if escaped {
		raw = x.unescape(raw)
	}
	return raw, err
}

// unescape gives a text that stays where it is: what all texts of a blob need together is
// less than the blob has, so tmp never grows and is made at most once.
func (x *interaction) unescape(raw []byte) []byte {
	if x.tmp == nil {
		x.tmp = make([]byte, 0, len(x.Src))
	}
	from := len(x.tmp)
	x.tmp = scan.Unescape(x.tmp, raw)
	return x.tmp[from:]
}

func (x *interaction) null() *Problem {
	if x.Null() != nil {
		return malformed()
	}
	return nil
}

// text reads a string.
func (x *interaction) text(path string) ([]byte, *Problem) {
	if x.Peek() != scan.String {
		return nil, refuse(CodeType, path, "a string was expected")
	}
	raw, escaped, err := x.Text()
	if err != nil {
		return nil, malformed()
	}
	if escaped {
		raw = x.unescape(raw)
	}
	return raw, nil
}

// integer reads an integer from lo to hi; why is "" or the code of what is wrong.
func (x *interaction) integer(lo, hi int64) (v int64, why string) {
	if x.Peek() != scan.Number {
		return 0, CodeType
	}
	raw, err := x.Number()
	if err != nil {
		return 0, CodeSyntax
	}
	return parseInteger(raw, lo, hi)
}

func (x *interaction) readInteger(to *int64, path string, lo, hi int64) *Problem {
	v, why := x.integer(lo, hi)
	if why != "" {
		return notInteger(why, path, lo, hi)
	}
	*to = v
	return nil
}

func (x *interaction) readToken(to *[]byte, path string, rule *tokenRule) *Problem {
	text, p := x.text(path)
	if p != nil {
		return p
	}
	if code := rule.check(text); code != "" {
		return refuse(code, path, rule.want)
	}
	*to = text
	return nil
}

func (x *interaction) readID() *Problem {
	text, p := x.text("/id")
	if p != nil {
		return p
	}
	id, ok := parseUUID(text)
	if !ok || !isVersion4(id) {
		return refuse(CodeValue, "/id", "a UUID version 4 was expected")
	}
	x.key.ID = id
	return nil
}

func (x *interaction) readTimestamp() *Problem {
	const path = "/timestamp"
	if p := x.readInteger(&x.key.Time, path, 0, maxMillis); p != nil {
		return p
	}
	x.key.Time = FloorMillis(x.key.Time)
	if x.arrival.AnyAge {
		return nil
	}
	now := FloorMillis(x.arrival.Now.UnixMilli())
	if x.key.Time < now-maxAge.Milliseconds() {
		return refuse(CodeTime, path, "a time in ms, not older than 7 days, was expected")
	}
	if x.key.Time > now+maxFuture.Milliseconds() {
		return refuse(CodeTime, path, "a time in ms, not over 1 hour in the future, was expected")
	}
	return nil
}

func (x *interaction) readEmailType() *Problem {
	const path = "/email_type"
	text, p := x.text(path)
	if p != nil {
		return p
	}
	if string(text) != "primary" && string(text) != "secondary" {
		return refuse(CodeValue, path, "primary or secondary was expected")
	}
	x.emailType = text
	return nil
}

func (x *interaction) readCount(to *int64, path string) *Problem {
	return x.readInteger(to, path, 0, 10_000)
}

func (x *interaction) readNewAccount() *Problem {
	if x.Peek() != scan.Bool {
		return refuse(CodeType, "/new_account", "true or false was expected")
	}
	v, err := x.Bool()
	if err != nil {
		return malformed()
	}
	x.newAccount = v
	return nil
}

func (x *interaction) readLanguage() *Problem {
	const path = "/language"
	text, p := x.text(path)
	if p != nil {
		return p
	}
	if !isLanguage(text) {
		return refuse(CodeValue, path, "a language tag like en, en_US or zh-Hant-TW was expected")
	}
	x.language = text
	return nil
}

func (x *interaction) readSampleRate() *Problem {
	const path = "/sample_rate"
	if x.Peek() != scan.Number {
		return refuse(CodeType, path, "a number from 0.0001 to 1 was expected")
	}
	raw, err := x.Number()
	if err != nil {
		return malformed()
	}
	d := parseDecimal(raw)
	// 0.0001 is 0.1 × 10^-3: whatever has its point there is at least that.
	if d.neg || d.n == 0 || d.point < -3 || !d.atMost(1) {
		return refuse(CodeValue, path, "a number from 0.0001 to 1 was expected")
	}
	if x.sampleRate, err = strconv.ParseFloat(string(raw), 64); err != nil {
		return refuse(CodeValue, path, "a number from 0.0001 to 1 was expected")
	}
	if !x.arrival.AnyAge && !slices.Contains(x.arrival.Rates, x.sampleRate) {
		return refuse(CodeRate, path, "a rate that is in force now, or was in the last 8 days, was expected")
	}
	return nil
}
