package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/tokens"
	"brine/config"
)

// tokenCmd is about the tokens of scripts.
type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token, and print it this once."`
	List   tokenListCmd   `cmd:"" help:"List tokens, never their text."`
	Revoke tokenRevokeCmd `cmd:"" help:"End a token."`
	Setup  tokenSetupCmd  `cmd:"" help:"Print a token for an hour, before there are people."`
}

// Help is shown below the flags.
func (*tokenCmd) Help() string {
	return `Scripts read with a token, people with a login. A token has an owner, and at most the roles that the directory gives them at each use. Only
a hash of it is kept, in the file tokens of the data folder.

Example:
  brine token create --owner mira --role analyst`
}

// tokenCreateCmd makes a token.
type tokenCreateCmd struct {
	dataFlag
	Owner   string   `required:"" help:"Whose it is: it works only while the directory gives them the role."`
	Role    []string `required:"" help:"viewer, analyst, raw or privacy; several with commas between."`
	Expires string   `default:"90d" help:"When it ends: a number of days or hours, like 90d or 12h, a year at most."`
	Note    string   `help:"What it is for."`
	JSON    bool     `help:"Print JSON."`
}

// Help is shown below the flags.
func (*tokenCreateCmd) Help() string {
	return `Prints a token once; only its hash is kept. Send it as Authorization: Bearer brine_…. It works only while the directory gives its owner the
role. A brine that is serving takes it on at once.

Example:
  brine token create --owner mira --role analyst --expires 90d --note "weekly report"`
}

// made is a token as it is printed once.
type made struct {
	tokens.Token
	Secret string `json:"token"`
}

// Run makes the token.
func (c *tokenCreateCmd) Run(g *globals) error {
	roles, err := parseRoles(c.Role)
	if err != nil {
		return err
	}
	lasts, err := parseAge(c.Expires)
	if err != nil {
		return err
	}
	cfg, err := c.existing()
	if err != nil {
		return err
	}
	owner, err := checkOwner(g.ctx, cfg, c.Owner, roles)
	if err != nil {
		return err
	}
	var m made
	if m.Secret, m.Token, err = openTokens(cfg.Data).Create(owner, roles, time.Now().Add(lasts), c.Note); err != nil {
		return err
	}
	m.Hash = ""
	what := fmt.Sprintf("token %d made for %s: %s, until %s", m.Number, m.Owner, roles, m.Expires.Format(time.DateOnly))
	if err := recordCommand(cfg, audit.Token, "brine token", what); err != nil {
		_, undo := openTokens(cfg.Data).Revoke(m.Number)
		return errors.Join(err, undo)
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(m)
	}
	fmt.Fprintln(g.stderr, what+". It is shown this once:")
	_, err = fmt.Fprintln(g.stdout, m.Secret)
	return err
}

// Validate finds a role that there is not, and a time that no token has.
func (c *tokenCreateCmd) Validate() error {
	_, err := parseRoles(c.Role)
	if err == nil {
		_, err = parseAge(c.Expires)
	}
	return err
}

// parseAge reads a number of days or hours, of a year at most.
func parseAge(text string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour} {
		number, ok := strings.CutSuffix(text, suffix)
		n, err := strconv.Atoi(number)
		switch {
		case !ok || err != nil || n <= 0:
		case n > int(tokens.MaxAge/unit):
			return 0, fmt.Errorf("--expires %s is too long: a token lives a year at most, 365d", text)
		default:
			return time.Duration(n) * unit, nil
		}
	}
	return 0, fmt.Errorf("--expires %q is no number of days or hours, like 90d or 12h", text)
}

// checkOwner refuses roles that the owner has not. It gives the name as the directory spells it.
func checkOwner(ctx context.Context, cfg *config.Config, owner string, roles access.Roles) (string, error) {
	directory, empty, leave, err := openDirectory(cfg)
	if err != nil {
		return "", err
	}
	defer leave()
	if directory == nil || empty != nil && empty() {
		return "", errors.New("access is not set up, so nobody can own a token: set ldap in the config, or brine user add; until then brine token setup gives one for an hour")
	}
	account, err := directory.Find(ctx, owner)
	if err != nil {
		return "", fmt.Errorf("ask the directory for %q: %w", owner, err)
	}
	for _, r := range access.AllRoles {
		if roles&access.RolesOf(r) != 0 && !account.Roles.Has(r) {
			return "", fmt.Errorf("%s has not the role %s (has: %s): a token has no more than its owner", account.Name, r, account.Roles)
		}
	}
	return account.Name, nil
}

// existing is the config, with a data folder that is there.
func (f dataFlag) existing() (*config.Config, error) {
	cfg, _, err := f.load()
	if err != nil {
		return nil, err
	}
	return cfg, mustExist(cfg.Data)
}

// tokenListCmd lists tokens.
type tokenListCmd struct {
	dataFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown below the flags.
func (*tokenListCmd) Help() string {
	return `Lists tokens with owner, roles, and the day of their last use. Those that ended stay in the list for a year.

Example:
  brine token list --config /etc/brine/brine.yaml`
}

// Run lists.
func (c *tokenListCmd) Run(g *globals) error {
	cfg, err := c.existing()
	if err != nil {
		return err
	}
	all, err := openTokens(cfg.Data).List()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(append([]tokens.Token{}, all...))
	}
	return printTokens(g.stdout, all)
}

func printTokens(out io.Writer, all []tokens.Token) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no tokens")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "number\towner\troles\tstate\texpires\tlast use\tnote")
	for _, t := range all {
		last := t.LastUse
		if last == "" {
			last = "never"
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Number, t.Owner, strings.Join(t.Roles, ", "), t.State(time.Now()), t.Expires.Format(time.DateOnly), last, t.Note)
	}
	return w.Flush()
}

// tokenRevokeCmd ends a token.
type tokenRevokeCmd struct {
	dataFlag
	Number int  `arg:"" help:"The token's number in brine token list."`
	JSON   bool `help:"Print JSON."`
}

// Help is shown below the flags.
func (*tokenRevokeCmd) Help() string {
	return `Ends a token; a brine that is serving refuses it from the next request on.

Example:
  brine token revoke 3`
}

// Run revokes.
func (c *tokenRevokeCmd) Run(g *globals) error {
	cfg, err := c.existing()
	if err != nil {
		return err
	}
	t, err := openTokens(cfg.Data).Revoke(c.Number)
	if err != nil {
		return err
	}
	if err := recordCommand(cfg, audit.Token, "brine token", fmt.Sprintf("token %d of %s revoked", t.Number, t.Owner)); err != nil {
		return fmt.Errorf("the token is revoked, but that could not be recorded: %w", err)
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(t)
	}
	_, err = fmt.Fprintf(g.stdout, "token %d of %s is revoked\n", t.Number, t.Owner)
	return err
}

// tokenSetupCmd asks the brine that serves for a guest's token.
type tokenSetupCmd struct {
	dataFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown below the flags.
func (*tokenSetupCmd) Help() string {
	return `Before access is set up (no ldap in the config, nobody added by brine user add), prints a link that signs in once, and a token: both with all
roles, for one hour. The one before ends. They are held by the brine that serves, in memory only. Reads are recorded as those of "setup".

Example:
  brine token setup --config /etc/brine/brine.yaml`
}

// Run asks.
func (c *tokenSetupCmd) Run(g *globals) error {
	cfg, err := c.existing()
	if err != nil {
		return err
	}
	var s setup
	ask, err := json.Marshal(setupAsk{osUser()})
	if err != nil {
		return err
	}
	if err := askSocket(g.ctx, cfg.Data, "POST", "/setup", bytes.NewReader(ask), &s); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(s)
	}
	_, err = fmt.Fprint(g.stdout, s)
	return err
}

// setupAsk is what a terminal asks the brine that serves.
type setupAsk struct {
	Who string `json:"who"` // who asks, for the audit
}

// postSetup answers it.
func (h *house) postSetup(w http.ResponseWriter, r *http.Request) {
	var ask setupAsk
	err := json.NewDecoder(r.Body).Decode(&ask)
	var s setup
	if err == nil {
		s, err = h.setup(ask.Who)
	}
	if err != nil {
		writeSocketError(w, err)
		return
	}
	json.NewEncoder(w).Encode(s)
}
