package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Bytes is a size. In the file it has a unit, 1GB or 512 MiB, or is 0.
type Bytes int64

// String is the size with its unit.
func (b Bytes) String() string { return humanize.Bytes(uint64(b)) }

// UnmarshalText reads a size with its unit.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := string(text)
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 {
		return errors.New("expected a size with its unit, like 1GB or 32MB, or 0")
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil && n > 0 {
		return fmt.Errorf("a size needs its unit, like %sMB or %sGB", s, s)
	}
	*b = Bytes(n)
	return nil
}

// Until is the last day, in UTC, on which something is done; the zero value is never. In the file
// it is a day, 2026-12-31, or never.
type Until struct{ day time.Time }

// Passed is whether the last day is over at a time.
func (u Until) Passed(now time.Time) bool {
	return !u.day.IsZero() && !now.Before(u.day.AddDate(0, 0, 1))
}

// String is the day, or never.
func (u Until) String() string {
	if u.day.IsZero() {
		return "never"
	}
	return u.day.Format(time.DateOnly)
}

// MarshalText is the day, or never.
func (u Until) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads a day, or never.
func (u *Until) UnmarshalText(text []byte) error {
	if string(text) == "never" {
		*u = Until{}
		return nil
	}
	day, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return errors.New("expected a day, like 2026-12-31, or never")
	}
	*u = Until{day}
	return nil
}

// parseDuration reads 90d, 48h, 1d12h, 5s or 0.
func parseDuration(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	wrong := errors.New("expected a duration with its unit, like 90d, 48h or 5s, or 0")
	var days int
	var err error
	count, rest, inDays := strings.Cut(s, "d")
	if inDays {
		if days, err = strconv.Atoi(count); err != nil || days < 0 || days > int(math.MaxInt64/day)-1 {
			return 0, wrong
		}
	} else {
		rest = s
	}
	var below time.Duration
	if rest != "" || !inDays {
		if below, err = time.ParseDuration(rest); err != nil || below < 0 || inDays && below >= day {
			return 0, wrong
		}
	}
	return time.Duration(days)*day + below, nil
}

// parseNetwork reads a CIDR, or an address, which is the network of itself alone.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errors.New("expected an address or a network, like 10.0.0.7 or 10.0.0.0/8")
	}
	if network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s has bits beyond its mask; the network is %s", network, network.Masked())
	}
	return network, nil
}
