// Package users is a directory in one file, for a team without LDAP: names, roles and password hashes.
//
// It imports access and access/private of the house. Names and passwords come in by Login, and by Add and its like from commands on the machine; people and
// roles go out. Passwords are kept as argon2id hashes (RFC 9106), and are in no error.
//
// The file is one line a person, name:roles:hash. Each call looks at it anew under no other agreement than that it is
// replaced whole, so commands may change it while a server reads it.
package users

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"brine/access"
)

// MinPassword is the least number of characters in a password that Add and SetPassword take.
const MinPassword = 12

// File is an [access.Directory] in a file.
type File struct {
	path string
	busy chan struct{} // holds a token for each hash that is being made: each takes memory
}

// New is the file at the path, which need not be there yet: then nobody gets in.
func New(path string) *File {
	return &File{path: path, busy: make(chan struct{}, hashesAtOnce)}
}

// Path is where the file is.
func (f *File) Path() string { return f.path }

// User is a person in the file.
type User struct {
	Name  string
	Roles access.Roles
}

// Login checks a name and a password: see [access.Directory]. An unknown name takes as long as a known one.
func (f *File) Login(ctx context.Context, name, password string) (access.Account, error) {
	if err := errors.Join(access.CheckName(name), access.CheckPassword(password)); err != nil {
		return access.Account{}, denied(err)
	}
	u, err := f.find(name)
	if err != nil && !errors.Is(err, access.ErrDenied) {
		return access.Account{}, err
	}
	h := u.hash
	if err != nil {
		h = decoy()
	}
	fits, hashErr := f.fits(ctx, h, password)
	switch {
	case hashErr != nil:
		return access.Account{}, hashErr
	case err != nil:
		return access.Account{}, err
	case !fits:
		return access.Account{}, denied(errors.New("wrong password"))
	}
	return u.account(), nil
}

// Find is the account of a name: see [access.Directory].
func (f *File) Find(_ context.Context, name string) (access.Account, error) {
	u, err := f.find(name)
	if err != nil {
		return access.Account{}, err
	}
	return u.account(), nil
}

// account is the person of a line. Each hash has a salt of its own, and so every password and every person that was added an ID.
func (l line) account() access.Account {
	id := sha256.Sum256(l.hash.salt)
	return access.Account{Name: l.name, Roles: l.roles, ID: string(id[:])}
}

// find is the person's line. One that is broken is nobody's, and says where it is.
func (f *File) find(name string) (line, error) {
	lines, err := f.read()
	if err != nil {
		return line{}, fmt.Errorf("%w: %w", access.ErrUnavailable, err)
	}
	i := slices.IndexFunc(lines, func(l line) bool { return l.name == fold(name) })
	switch {
	case i < 0:
		return line{}, denied(errors.New("no such person in " + f.path))
	case lines[i].fault != nil:
		return line{}, denied(lines[i].fault)
	}
	return lines[i], nil
}

// fold is how a name is spelled in the file.
func fold(name string) string { return strings.ToLower(name) }

// Fault is a line by which nobody gets in.
type Fault struct {
	File string
	Line int // from 1
	What string
}

func (f *Fault) Error() string { return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.What) }

// List is all people whose lines are in order, and what is wrong with the other lines.
func (f *File) List() (all []User, faults []*Fault, err error) {
	lines, err := f.read()
	for _, l := range lines {
		switch {
		case l.fault != nil:
			faults = append(faults, l.fault)
		case l.name != "":
			all = append(all, User{l.name, l.roles})
		}
	}
	return all, faults, err
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

// Add adds a person.
func (f *File) Add(ctx context.Context, name, password string, roles access.Roles) error {
	if !nameForm.MatchString(name) {
		return errors.New("a name is 1 to 64 of a to z, 0 to 9 and . _ @ + -, and begins with a letter or digit")
	}
	if roles == 0 {
		return errors.New("a person needs a role: viewer, analyst, raw or privacy")
	}
	hash, err := f.newHash(ctx, name, password)
	if err != nil {
		return err
	}
	return f.change(func(lines []line) ([]line, error) {
		if slices.ContainsFunc(lines, func(l line) bool { return l.name == name }) {
			return nil, fmt.Errorf("%s is there already (brine user passwd changes the password; remove it first to change roles)", name)
		}
		return append(lines, line{name: name, roles: roles, hash: hash}), nil
	})
}

// Remove removes a person, also one whose line is broken.
func (f *File) Remove(name string) error {
	name = fold(name)
	return f.change(func(lines []line) ([]line, error) {
		left := slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return l.name == name })
		if name == "" || len(left) == len(lines) {
			return nil, f.nobody(name)
		}
		return left, nil
	})
}

// SetPassword gives a person another password.
func (f *File) SetPassword(ctx context.Context, name, password string) error {
	if _, err := f.find(name); err != nil {
		return err // before the work of hashing
	}
	hash, err := f.newHash(ctx, name, password)
	if err != nil {
		return err
	}
	return f.change(func(lines []line) ([]line, error) {
		i := slices.IndexFunc(lines, func(l line) bool { return l.name == fold(name) && l.fault == nil })
		if i < 0 {
			return nil, f.nobody(name)
		}
		lines[i] = line{name: lines[i].name, roles: lines[i].roles, hash: hash}
		return lines, nil
	})
}

func (f *File) nobody(name string) error {
	return fmt.Errorf("nobody in %s is called %q", f.path, name)
}

func denied(why error) error { return fmt.Errorf("%w: %w", access.ErrDenied, why) }
