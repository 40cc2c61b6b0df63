package salt

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPeriodsAt(t *testing.T) {
	for _, c := range []struct{ period, start, at, want string }{
		{"quarter", "", "2026-12-31T23", "2026100100_2027010100_2027010300"},
		{"quarter", "", "2027-01-01T00", "2027010100_2027040100_2027040300"},
		{"quarter", "", "2028-02-29T12", "2028010100_2028040100_2028040300"},
		{"quarter", "2026-05-05", "2026-05-05T00", "2026040100_2026070100_2026070300"}, // a quarter has no start
		{"", "", "1969-12-31T23", "1969100100_1970010100_1970010300"},
		{"90d", "2026-01-01", "2026-01-01T00", "2026010100_2026040100_2026040300"},
		{"90d", "2026-01-01", "2025-12-31T23", "2025100300_2026010100_2026010300"}, // backwards
		{"90 days", "2028-01-01", "2028-02-29T23", "2028010100_2028033100_2028040200"},
		{"1d", "", "2028-02-29T05", "2028022900_2028030100_2028030300"},
		{"1 day", "2026-01-01T06:00:00Z", "2026-03-01T05", "2026022806_2026030106_2026030306"},
		{"12h", "", "2026-03-01T12", "2026030112_2026030200_2026030400"},
		{"7 hours", "2026-01-01", "2026-01-01T13", "2026010107_2026010114_2026010314"},
		{"1 hour", "2026-01-01T02:00:00+02:00", "2026-01-01T00", "2026010100_2026010101_2026010301"},
		{"3660d", "0001-01-01", "2026-01-01T00", "2025031100_2035031900_2035032100"},
	} {
		p := mustPeriods(t, c.period, c.start, 48*time.Hour)
		if got := p.At(at(c.at)).Name(); got != c.want {
			t.Errorf("%s from %s at %s: %s, want %s", c.period, c.start, c.at, got, c.want)
		}
		if got := p.At(at(c.at).Add(time.Hour - 1)).Name(); got != c.want {
			t.Errorf("%s from %s, the last nanosecond of %s: %s, want %s", c.period, c.start, c.at, got, c.want)
		}
	}
}

// Whatever the period, each moment lies in exactly one, and periods follow one another without gap or overlap.
func TestPeriodsCoverTime(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	units := []string{"quarter", "d", "h"}
	for range 20_000 {
		text := units[random.IntN(3)]
		if text != "quarter" {
			text = strconv.Itoa(1+random.IntN(999)) + text
		}
		grace := time.Duration(random.IntN(100)) * time.Hour
		p := mustPeriods(t, text, at("2026-01-01T00").Add(time.Duration(random.IntN(9999))*time.Hour).Format(time.RFC3339), grace)
		moment := at("2020-01-01T00").Add(time.Duration(random.Int64N(int64(20 * 365 * day))))
		period := p.At(moment)
		next, before := p.At(period.End), p.At(period.Start.Add(-1))
		switch {
		case !period.Holds(moment), p.At(period.Start) != period, p.At(period.End.Add(-1)) != period:
			t.Fatalf("%s: %s does not hold %s", text, period.Name(), moment)
		case next.Start != period.End, before.End != period.Start:
			t.Fatalf("%s: %s, %s and %s do not meet", text, before.Name(), period.Name(), next.Name())
		case period.Deletion.Sub(period.End) != grace:
			t.Fatalf("%s: grace of %s is not %s", text, period.Name(), grace)
		}
		if again, err := ParseName(period.Name()); err != nil || again != period {
			t.Fatalf("%s reads back as %+v, %v", period.Name(), again, err)
		}
	}
}

func TestParsePeriodsMistakes(t *testing.T) {
	for _, c := range []struct {
		period, start string
		grace         time.Duration
		says          string
	}{
		{"month", "", 0, "period: expected quarter, days like 90d, or hours like 12h"},
		{"0d", "", 0, "period: expected at least 1 hour"},
		{"-1d", "", 0, "period: expected quarter"},
		{"3661d", "", 0, "at most 3660 days"},
		{"999999h", "", 0, "at most 3660 days"},
		{"1.5d", "", 0, "period: expected quarter"},
		{"90m", "", 0, "period: expected quarter"},
		{"quarter", "yesterday", 0, "start: expected a day"},
		{"quarter", "2026-01-01T00:30:00Z", 0, "start: expected a day"},
		{"quarter", "2026-02-30", 0, "start: expected a day"},
		{"quarter", "", 90 * time.Minute, "grace: expected full hours"},
		{"quarter", "", -time.Hour, "grace: expected full hours"},
		{"quarter", "", 91 * day, "from 0 to 90 days"},
	} {
		if _, err := ParsePeriods(c.period, c.start, c.grace); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestParseNameMistakes(t *testing.T) {
	for name, says := range map[string]string{
		"":                                   "not a name of a salt",
		"2026100100":                         "not a name of a salt",
		"2026100100_2027010100_":             "DELETION is no time",
		"2026100100_2027010100_2027010300_":  "not a name of a salt",
		"2026100100_2027010100_2027010324":   "DELETION is no time: hour out of range",
		"2026100100_2027022900_2027030300":   "END is no time: day out of range",
		"20261001_2027010100_2027010300":     "START is no time",
		"2026100100_2027010100_2027010300x":  "DELETION is no time",
		"2026100100_2026090100_2027010300":   "END is not after its START",
		"2026100100_2027010100_2027010300\n": "DELETION",
		"+026100100_2027010100_2027010300":   "START is no time",
	} {
		if _, err := ParseName(name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", name, err, says)
		}
	}
}
