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
// at the file anew for each login; what it knows of roles is up to 60 s old.
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

// load reads the config alone: a broken schema must not keep a user from being removed.
func (f userFlags) load() (*config.Config, error) {
	cfg, err := config.Load(f.path())
	if err == nil && f.Data != "" {
		cfg.Data = f.Data
	}
	return cfg, err
}

func (f userFlags) open(g *globals) (*users.File, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	if len(cfg.LDAP.URLs) > 0 {
		fmt.Fprintln(g.stderr, "the config names LDAP servers: brine serve asks those, and not the users file")
	}
	return openUsers(cfg), nil
}

// record writes down what was done with a user.
func (f userFlags) record(route, note string) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	return recordCommand(cfg, audit.User, route, note)
}

type userAddCmd struct {
	userFlags
	Name string   `arg:"" help:"Name to log in with: a to z, 0 to 9 and . _ @ + -"`
	Role []string `required:"" placeholder:"ROLE" help:"viewer, analyst, raw or privacy; may be given again."`
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
	var roles access.Roles
	for _, name := range c.Role {
		role, err := access.ParseRole(name)
		if err != nil {
			return fmt.Errorf("--role: %w", err)
		}
		roles |= access.RolesOf(role)
	}
	file, err := c.open(g)
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
	if err := file.Add(g.ctx, c.Name, password, roles); err != nil {
		return err
	}
	if err := c.record("brine user add", c.Name+": "+roles.String()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.stdout, "added %s: %s\n", c.Name, roles)
	return err
}

type userRemoveCmd struct {
	userFlags
	Name string `arg:"" help:"Who."`
}

// Help is shown below the flags.
func (*userRemoveCmd) Help() string {
	return `The user's sessions and tokens end within 60 seconds.

Example:
  brine user remove anna`
}

// Run removes.
func (c *userRemoveCmd) Run(g *globals) error {
	file, err := c.open(g)
	if err != nil {
		return err
	}
	if err := file.Remove(c.Name); err != nil {
		return err
	}
	if err := c.record("brine user remove", c.Name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.stdout, "removed %s\n", c.Name)
	return err
}

type userPasswdCmd struct {
	userFlags
	Name string `arg:"" help:"Whose."`
}

// Help is shown below the flags.
func (*userPasswdCmd) Help() string {
	return `The new password, of at least 12 characters, is asked for on a terminal, and is else the first line of standard input.

Example:
  brine user passwd anna`
}

// Run changes the password.
func (c *userPasswdCmd) Run(g *globals) error {
	file, err := c.open(g)
	if err != nil {
		return err
	}
	password, err := newPassword(g)
	if err != nil {
		return err
	}
	if err := file.SetPassword(g.ctx, c.Name, password); err != nil {
		return err
	}
	if err := c.record("brine user passwd", c.Name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.stdout, "changed the password of %s\n", c.Name)
	return err
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

// Run lists.
func (c *userListCmd) Run(g *globals) error {
	file, err := c.open(g)
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
		list.Users = append(list.Users, listedUser{u.Name, strings.Split(u.Roles.String(), ", ")})
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
