package config

import (
	"os"
	"strings"
	"time"

	"brine/event"
)

// Canary is what a process that collects sends by itself: package canary.
type Canary struct {
	Name  string        `yaml:"name"`  // of this collector, which no other has; default the machine's name up to its first dot. Read it by [Canary.Self]
	Every time.Duration `yaml:"every"` // 10s to 10m, 0 for none; default 1m
}

// Self is the name of this collector.
func (c Canary) Self() string {
	if c.Name != "" {
		return c.Name
	}
	if name := machineName(); event.CollectorName.MatchString(name) {
		return name
	}
	return "collector"
}

// machineName is the machine's name up to its first dot, "" where it is not known.
func machineName() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(host, ".")
	return strings.ToLower(name)
}

const (
	minCanaryEvery = 10 * time.Second
	maxCanaryEvery = 10 * time.Minute
)

func (c *Config) checkCanary(d *decoder) {
	if every := c.Canary.Every; every != 0 && (every < minCanaryEvery || every > maxCanaryEvery) {
		d.mistake("canary.every", "1m is the default", "expected %s to %s, or 0", minCanaryEvery, maxCanaryEvery)
	}
	if name := c.Canary.Name; name != "" && !event.CollectorName.MatchString(name) {
		d.mistake("canary.name", "like web1", "%q is no name: small letters, digits and . _ - within, at most 64", name)
	}
}
