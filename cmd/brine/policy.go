package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"brine/policy"
	"brine/publish"
)

// policyCmd prints the policy that the config makes, or what it changes for people.
type policyCmd struct {
	configFlag
	Diff string `placeholder:"OLD.yaml" help:"Say in plain words what would change for people from this config to the other."`
	Lang string `default:"en" help:"Language, ${languages}."`
	JSON bool   `help:"Print JSON." xor:"form"`
	HTML bool   `help:"Print a page of HTML." xor:"form"`
}

// Help is shown below the flags.
func (*policyCmd) Help() string {
	return `The policy is made from the config, the schemas and the allowlist, as the page /privacy of a server with this config.
Markdown, unless --json or --html say otherwise. OLD.yaml names its schemas and its allowlist from where it lies: keep it beside
the other, and where the allowlist changes, let its allowlist: name the old one.

Examples:
  brine policy --config /etc/brine/brine.yaml > PRIVACY.md
  brine policy --config /etc/brine/new.yaml --diff /etc/brine/brine.yaml`
}

// Run prints.
func (c *policyCmd) Run(g *globals) error {
	l, err := c.language()
	if err != nil {
		return err
	}
	p, turn, err := configuredPolicy(c.path())
	if err != nil {
		return err
	}
	if c.Diff != "" {
		return c.diff(g, p, l)
	}
	d := p.Document(l)
	d.SayNextTurn(l, turn)
	switch {
	case c.JSON:
		return json.NewEncoder(g.stdout).Encode(policy.Data{Policy: p, Language: l.Tag, Document: d})
	case c.HTML:
		page, err := policy.HTML(p, &d, l)
		if err != nil {
			return err
		}
		_, err = g.stdout.Write(page)
		return err
	}
	_, err = fmt.Fprint(g.stdout, d.Markdown())
	return err
}

func (c *policyCmd) language() (*policy.Language, error) {
	l, ok := policy.InLanguage(c.Lang)
	if !ok {
		return nil, fmt.Errorf("--lang %s: no such language (there are %s)", c.Lang, strings.Join(policy.Languages(), ", "))
	}
	return l, nil
}

// configuredPolicy is the policy that a config file makes, and when its salts turn next.
func configuredPolicy(path string) (p *policy.Policy, turn time.Time, err error) {
	cfg, registry, err := load(path)
	if err != nil {
		return nil, turn, err
	}
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return nil, turn, err
	}
	plans, err := compilePlans(cfg, streams)
	if err != nil {
		return nil, turn, err
	}
	periods, err := cfg.Salts.Periods()
	if err != nil {
		return nil, turn, err
	}
	defs, err := definitions(cfg, plansOf(cfg, streams))
	if err != nil {
		return nil, turn, err
	}
	now := time.Now()
	p = inForce(policyOf(cfg, streams), cfg, cfg.Rate, plans, now)
	p.Published = policyPublished(publish.FirstEdition(defs))
	return p, periods.At(now).End, nil
}

func (c *policyCmd) diff(g *globals, p *policy.Policy, l *policy.Language) error {
	old, _, err := configuredPolicy(c.Diff)
	if err != nil {
		return err
	}
	before, after := old.Document(l), p.Document(l)
	changes := policy.Diff(&before, &after)
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(map[string][]policy.Change{"changes": changes})
	}
	_, err = fmt.Fprint(g.stdout, l.DiffText(changes))
	return err
}
