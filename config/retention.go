package config

import "time"

// Retention says how much is kept. Quarantine has the age of raw.
type Retention struct {
	Raw             RawLimit `yaml:"raw"`                // events as they were sent
	RawBeyond90Days bool     `yaml:"raw_beyond_90_days"` // raw and rejected may be kept longer than the promise says; default false
	Sanitized       Limit    `yaml:"sanitized"`          // what the allowlist kept
	Rejected        Limit    `yaml:"rejected"`           // the shape of what was refused
	Audit           AgeLimit `yaml:"audit"`              // the record of who read what
	Guard           float64  `yaml:"guard"`              // share of a dataset that a purge drops at once without --yes; default 0.2, 1 for no guard
	MinFree         Bytes    `yaml:"min_free"`           // free disk under which the public door answers 503; default 1GB, 0 for no limit
}

// Limit is how much of a dataset is kept.
type Limit struct {
	MaxAge   time.Duration `yaml:"max_age"`   // full hours, 0 for ever; default 0, rejected 7d
	MaxBytes Bytes         `yaml:"max_bytes"` // of its files, 0 for no limit; default 0
}

// AgeLimit is how long something is kept.
type AgeLimit struct {
	MaxAge time.Duration `yaml:"max_age"` // full hours, 0 for ever; default 365d
}

// RawLimit is how much of raw is kept.
type RawLimit struct {
	MaxAge          time.Duration `yaml:"max_age"`          // full hours; default 90d
	MaxBytes        Bytes         `yaml:"max_bytes"`        // of its files, 0 for no limit; default 0
	DropUnsanitized bool          `yaml:"drop_unsanitized"` // for space also hours that are not sanitized; default false
}

const (
	day          = 24 * time.Hour
	maxRawAge    = 90 * day // the promise
	auditAge     = 365 * day
	minAge       = day
	defaultGuard = 0.2
)

func defaultRetention() Retention {
	return Retention{Raw: RawLimit{MaxAge: maxRawAge}, Rejected: Limit{MaxAge: 7 * day}, Audit: AgeLimit{auditAge}, Guard: defaultGuard, MinFree: 1e9}
}

func (c *Config) checkRetention(d *decoder) {
	r := c.Retention
	r.checkPromised(d, "retention.raw.max_age", r.Raw.MaxAge)
	r.checkPromised(d, "retention.rejected.max_age", r.Rejected.MaxAge)
	checkAge(d, "retention.sanitized.max_age", r.Sanitized.MaxAge)
	checkAge(d, "retention.audit.max_age", r.Audit.MaxAge)
	if age := r.Sanitized.MaxAge; age != 0 && (r.Raw.MaxAge == 0 || age < r.Raw.MaxAge) {
		d.mistake("retention.sanitized.max_age", "at least as long, or 0", "shorter than retention.raw.max_age: it would be made of raw again")
	}
	if !(r.Guard > 0 && r.Guard <= 1) {
		d.mistake("retention.guard", "0.2 is 20 %, 1 is no guard", "expected a share above 0, up to 1")
	}
}

// checkPromised holds what did not pass the allowlist to the promise.
func (r Retention) checkPromised(d *decoder, path string, age time.Duration) {
	if (age == 0 || age > maxRawAge) && !r.RawBeyond90Days {
		what := "0 is for ever, and"
		if age > 0 {
			what = "over 90 days, and"
		}
		d.mistake(path, "at most 90d, or say retention.raw_beyond_90_days: true", "%s what did not pass the allowlist is promised to go", what)
		return
	}
	checkAge(d, path, age)
}

func checkAge(d *decoder, path string, age time.Duration) {
	if age != 0 && (age < minAge || age%time.Hour != 0) {
		d.mistake(path, "like 90d or 36h", "expected full hours, at least 1 day, or 0")
	}
}
