package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/config"
	"brine/lake"
)

// grant is who can read, and by what: a person of the users file, or a group of the directory.
type grant struct {
	Who   string   `json:"who"` // a name, or a group's DN
	By    string   `json:"by"`  // like users file, or ldap group
	Roles []string `json:"roles"`
}

// grantsOf are all grants of a config: those of the groups of its LDAP servers, else of the users file.
func grantsOf(cfg *config.Config) ([]grant, error) {
	if len(cfg.LDAP.URLs) > 0 {
		return groupGrants(cfg.LDAP.Roles.ByName()), nil
	}
	all, _, err := openUsers(cfg).List() // brine check tells of faults: nobody is known by them
	grants := []grant{}
	for _, u := range all {
		grants = append(grants, grant{u.Name, "users file", strings.Split(u.Roles.String(), ", ")})
	}
	return grants, err
}

func groupGrants(byRole map[string][]string) []grant {
	roles := map[string][]string{}
	for _, role := range access.AllRoles {
		for _, group := range byRole[role.String()] {
			roles[group] = append(roles[group], role.String())
		}
	}
	grants := []grant{}
	for _, group := range slices.Sorted(maps.Keys(roles)) {
		grants = append(grants, grant{group, "LDAP group", roles[group]})
	}
	return grants
}

// lastRead is when somebody last read a dataset.
type lastRead struct {
	Who     string    `json:"who"`
	Dataset string    `json:"dataset"`
	Streams []string  `json:"streams"`
	Last    time.Time `json:"last"`
	Reads   int       `json:"reads"` // as far as the audit goes back
}

// accessReport is who can read what, and who did.
type accessReport struct {
	Roles  map[string][]string `json:"roles"` // the datasets that each role reads
	Grants []grant             `json:"grants"`
	Reads  []lastRead          `json:"reads"`
}

// reads are the datasets that each role reads.
var reads = map[access.Role][]string{
	access.Viewer:  {"figures"},
	access.Analyst: {"figures", lake.Sanitized},
	access.Raw:     {"figures", lake.Sanitized, lake.Raw, lake.Rejected, lake.Quarantine},
	access.Privacy: {"audit", "erasures"},
}

type auditAccessCmd struct{ auditFlags }

// Help is shown below the flags.
func (*auditAccessCmd) Help() string {
	return `Lists each group of LDAP, or without LDAP each person of the users file, that has a role, what the role reads, and for everybody who read something when they
last did, as far as the audit goes back. Users of this machine (os:) need no role: they read the data folder's files.

Example:
  brine audit access --json | jq .reads`
}

// Run reports.
func (c *auditAccessCmd) Run(g *globals) error {
	cfg, log, err := c.open()
	if err != nil {
		return err
	}
	report := accessReport{Roles: map[string][]string{}}
	for role, datasets := range reads {
		report.Roles[role.String()] = datasets
	}
	if report.Grants, err = grantsOf(cfg); err != nil {
		return err
	}
	if report.Reads, err = lastReads(g.ctx, log); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(report)
	}
	return report.print(g.stdout)
}

// lastReads are those of each person and dataset, in this order.
func lastReads(ctx context.Context, log *audit.Log) ([]lastRead, error) {
	type key struct{ who, dataset string }
	all := map[key]*lastRead{}
	for e, err := range log.Read(ctx, audit.Filter{Action: audit.ReadBegin}) {
		if err != nil {
			return nil, err
		}
		k := key{e.Who, e.Dataset}
		if all[k] == nil {
			all[k] = &lastRead{Who: e.Who, Dataset: e.Dataset, Last: e.Time}
		}
		all[k].Reads++
		if !slices.Contains(all[k].Streams, e.Stream) {
			all[k].Streams = append(all[k].Streams, e.Stream)
		}
	}
	sorted := []lastRead{}
	for _, r := range all {
		slices.Sort(r.Streams)
		sorted = append(sorted, *r)
	}
	slices.SortFunc(sorted, func(a, b lastRead) int {
		return slices.Compare([]string{a.Who, a.Dataset}, []string{b.Who, b.Dataset})
	})
	return sorted, nil
}

func (r accessReport) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHO\tBY\tROLES\tMAY READ")
	for _, gr := range r.Grants {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", printable(gr.Who), gr.By, strings.Join(gr.Roles, ", "), strings.Join(r.mayRead(gr.Roles), ", "))
	}
	if len(r.Grants) == 0 {
		fmt.Fprintln(w, "nobody, but users of this machine who may read the data folder")
	}
	fmt.Fprintln(w, "\nWHO DID\tDATASET\tLAST\tREADS\tSTREAMS")
	for _, l := range r.Reads {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", printable(l.Who), l.Dataset, l.Last.UTC().Format("2006-01-02 15:04"), l.Reads, strings.Join(l.Streams, ", "))
	}
	return w.Flush()
}

func (r accessReport) mayRead(roles []string) (datasets []string) {
	for _, role := range roles {
		for _, d := range r.Roles[role] {
			if !slices.Contains(datasets, d) {
				datasets = append(datasets, d)
			}
		}
	}
	return datasets
}
