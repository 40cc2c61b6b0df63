package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"brine/access"
	"brine/access/audit"
	"brine/access/users"
	"brine/config"
)

// usersFile is the file in the data folder that says who may read where there is no LDAP.
const usersFile = "users"

// openUsers is the directory of the users file.
func openUsers(cfg *config.Config) *users.File { return users.New(filepath.Join(cfg.Data, usersFile)) }

// userCmd is what an operator does with users. All of it is safe beside a running brine, which looks
// at the file anew for each login, and remembers roles for at most 60 s.
type userCmd struct {
	Add    userAddCmd    `cmd:"" help:"Add a user."`
	Remove userRemoveCmd `cmd:"" help:"Remove a user."`
	List   userListCmd   `cmd:"" help:"List users and their roles."`
	Passwd userPasswdCmd `cmd:"" help:"Change a user's password."`
}

// Help is shown below the flags.
func (*userCmd) Help() string {
	return `Users are for a Brine without LDAP: they are in the file users of the data folder, with hashes of their passwords.
Where the config names LDAP servers, the file is not used.

Example:
  brine user add anna --role analyst --config /etc/brine/brine.yaml`
}

// userFlags are the flags of all of them.
type userFlags struct{ dataFlag }

func (f userFlags) open(g *globals) (*config.Config, *users.File, error) {
	cfg, err := f.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	if len(cfg.LDAP.URLs) > 0 {
		fmt.Fprintln(g.stderr, "the config names LDAP servers: brine serve asks those, and not the users file")
	}
	return cfg, openUsers(cfg), nil
}

// changeUser writes down what is about to be done with a user before it is done, and that it failed where it does.
func changeUser(cfg *config.Config, route, note string, do func() error) error {
	record, err := recorderOf(cfg)
	if err != nil {
		return err
	}
	rec := audit.Record{Action: audit.User, Who: osUser(), Route: route, Outcome: "begun", Note: note}
	if err := record(rec); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	if err := do(); err != nil {
		rec.Outcome = "failed"
		return errors.Join(err, record(rec))
	}
	return nil
}

type userAddCmd struct {
	userFlags
	Name string   `arg:"" help:"Name to log in with: a to z, 0 to 9 and . _ @ + -"`
	Role []string `required:"" placeholder:"ROLE" help:"viewer, analyst, raw or privacy; may be given again."`
	JSON bool     `help:"Print JSON."`
}

// Help is shown below the flags.
func (*userAddCmd) Help() string {
	return `The password, of at least 12 characters, is asked for on a terminal, and is else the first line of standard input.
raw includes analyst, which includes viewer; privacy stands apart.

Examples:
  brine user add anna --role analyst
  pwgen 20 1 | tee /dev/tty | brine user add anna --role raw --role privacy`
}

// Run adds.
func (c *userAddCmd) Run(g *globals) error {
	roles, err := parseRoles(c.Role)
	if err != nil {
		return err
	}
	cfg, file, err := c.open(g)
	if err != nil {
		return err
	}
	password, err := newPassword(g)
	if err != nil {
		return err
	}
	if err := makeFolder(filepath.Dir(file.Path())); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if err := changeUser(cfg, "brine user add", c.Name+": "+roles.String(), func() error { return file.Add(g.ctx, c.Name, password, roles) }); err != nil {
		return err
	}
	return c.tell(g, fmt.Sprintf("added %s: %s", c.Name, roles), listed(c.Name, roles), c.JSON)
}

// Validate finds a role that there is not.
func (c *userAddCmd) Validate() error {
	_, err := parseRoles(c.Role)
	return err
}

// parseRoles reads the roles of the flag.
func parseRoles(names []string) (access.Roles, error) {
	roles, err := access.ParseRoles(names)
	if err != nil {
		return 0, fmt.Errorf("--role: %w", err)
	}
	return roles, nil
}

// tell prints what was done, in words or as JSON.
func (userFlags) tell(g *globals, words string, done any, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(g.stdout).Encode(done)
	}
	_, err := fmt.Fprintln(g.stdout, words)
	return err
}

type userRemoveCmd struct {
	userFlags
	Name string `arg:"" help:"Who."`
	JSON bool   `help:"Print JSON."`
}

// Help is shown below the flags.
func (*userRemoveCmd) Help() string {
	return `The user's sessions end within 60 seconds, and reads that run within some seconds more. Their tokens are revoked, so that they work for nobody
who gets the name later.

Example:
  brine user remove anna`
}

// Run removes.
func (c *userRemoveCmd) Run(g *globals) error {
	cfg, file, err := c.open(g)
	if err != nil {
		return err
	}
	if err := mustExist(cfg.Data); err != nil {
		return err
	}
	tokens := 0
	err = changeUser(cfg, "brine user remove", c.Name, func() (err error) {
		tokens, err = removeUser(cfg, file, c.Name)
		return err
	})
	if err != nil {
		return err
	}
	return c.tell(g, fmt.Sprintf("removed %s; tokens revoked: %d", c.Name, tokens), removedUser{c.Name, tokens}, c.JSON)
}

// removedUser is somebody who is gone.
type removedUser struct {
	Name    string `json:"name"`
	Revoked int    `json:"tokens_revoked"`
}

// removeUser removes a user, and their tokens. With LDAP tokens are those of its people, whoever was in the file.
func removeUser(cfg *config.Config, file *users.File, name string) (tokens int, err error) {
	if err := file.Remove(name); err != nil || len(cfg.LDAP.URLs) > 0 {
		return 0, err
	}
	tokens, err = openTokens(cfg.Data).RevokeOf(name)
	if err != nil {
		return 0, fmt.Errorf("%s is removed, but not their tokens (brine token revoke ends one): %w", name, err)
	}
	return tokens, nil
}

type userPasswdCmd struct {
	userFlags
	Name string `arg:"" help:"Whose."`
	JSON bool   `help:"Print JSON."`
}

// Help is shown below the flags.
func (*userPasswdCmd) Help() string {
	return `The new password, of at least 12 characters, is asked for on a terminal, and is else the first line of standard input. The
user's sessions end within 60 seconds; their tokens go on working (brine token revoke ends one).

Example:
  brine user passwd anna`
}

// Run changes the password.
func (c *userPasswdCmd) Run(g *globals) error {
	cfg, file, err := c.open(g)
	if err != nil {
		return err
	}
	if err := mustExist(cfg.Data); err != nil {
		return err
	}
	password, err := newPassword(g)
	if err != nil {
		return err
	}
	if err := changeUser(cfg, "brine user passwd", c.Name, func() error { return file.SetPassword(g.ctx, c.Name, password) }); err != nil {
		return err
	}
	words := fmt.Sprintf("changed the password of %s: sessions end within 60 s, tokens stay", c.Name)
	return c.tell(g, words, struct {
		Name string `json:"name"`
	}{c.Name}, c.JSON)
}

type userListCmd struct {
	userFlags
	JSON bool `help:"Print JSON."`
}

// Help is shown below the flags.
func (*userListCmd) Help() string {
	return `Exit code 1 when a line of the file is not in order: nobody gets in by it.

Example:
  brine user list --json`
}

// userList is what the users file holds.
type userList struct {
	Users  []listedUser `json:"users"`
	Faults []string     `json:"faults"` // lines by which nobody gets in
}

type listedUser struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles"`
}

func listed(name string, roles access.Roles) listedUser {
	return listedUser{name, strings.Split(roles.String(), ", ")}
}

// Run lists.
func (c *userListCmd) Run(g *globals) error {
	_, file, err := c.open(g)
	if err != nil {
		return err
	}
	list, err := listUsers(file)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(g.stdout).Encode(list)
	} else {
		err = list.print(g.stdout)
	}
	if err == nil && len(list.Faults) > 0 {
		return errTold
	}
	return err
}

func listUsers(file *users.File) (userList, error) {
	list := userList{Users: []listedUser{}, Faults: []string{}}
	all, faults, err := file.List()
	for _, u := range all {
		list.Users = append(list.Users, listed(u.Name, u.Roles))
	}
	for _, fault := range faults {
		list.Faults = append(list.Faults, fault.Error())
	}
	return list, err
}

func (l userList) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, u := range l.Users {
		fmt.Fprintf(w, "%s\t%s\n", u.Name, strings.Join(u.Roles, ", "))
	}
	if len(l.Users) == 0 {
		fmt.Fprintln(w, "there is no user (brine user add NAME --role ROLE)")
	}
	for _, fault := range l.Faults {
		fmt.Fprintf(w, "NOT IN ORDER: %s\n", fault)
	}
	return w.Flush()
}

// newPassword asks for a password twice on a terminal, and reads the first line of standard input elsewhere.
func newPassword(g *globals) (string, error) {
	in, ok := g.stdin.(*os.File)
	if !ok || !isTerminal(in) {
		return firstLine(g.stdin)
	}
	first, err := askPassword(g, in, "New password (at least 12 characters, not shown): ")
	if err != nil {
		return "", err
	}
	second, err := askPassword(g, in, "The same again: ")
	if err == nil && first != second {
		err = errors.New("the two passwords differ: nothing was changed")
	}
	return first, err
}

// askPassword gives the terminal its echo back also when the command is interrupted meanwhile.
func askPassword(g *globals, in *os.File, prompt string) (string, error) {
	state, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(g.ctx, func() {
		term.Restore(int(in.Fd()), state)
		fmt.Fprintln(g.stderr)
		os.Exit(exitFailed)
	})
	defer stop()
	fmt.Fprint(g.stderr, prompt)
	password, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(g.stderr)
	return string(password), err
}

func firstLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, access.MaxPassword+2)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return "", errors.New("no password on standard input (its first line is taken)")
	}
	return line, nil
}
