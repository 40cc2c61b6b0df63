package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"

	"brine/access/private"
	"brine/config"
)

// permissions is what check --permissions finds: whether one user, whom the data folder belongs to, can reach data and secrets, and
// no other. Access lists count too: their mask shows in the bits of the group.
type permissions struct {
	User   string          `json:"user"`
	Paths  int             `json:"paths"` // that were looked at
	faults config.Mistakes // they go with those of the config
	uid    int
}

// mostFaults is how many paths are told one by one.
const mostFaults = 50

// checkPermissions looks at everything that holds data or a secret, and at what decides where those go.
func (r *report) checkPermissions(cfg *config.Config) {
	p := &permissions{uid: ownerOf(cfg.Data)}
	p.User = userName(p.uid)
	p.above(cfg.Data)
	p.below(cfg.Data)
	if rel, err := filepath.Rel(cfg.Data, cfg.SaltsPath()); err != nil || strings.HasPrefix(rel, "..") {
		p.above(cfg.SaltsPath())
		p.below(cfg.SaltsPath())
	}
	for _, path := range append(secretFiles(reflect.ValueOf(*cfg)), cfg.CSRFKeyPath()) {
		p.private(path)
	}
	if a, _, err := cfg.LakeAddress(); err == nil && a.CredentialsFile != "" {
		p.private(a.CredentialsFile)
	}
	for _, path := range []string{cfg.Path(), cfg.Allowlist, cfg.KPI, cfg.Schemas} {
		p.unwritable(path)
	}
	r.Permissions = p
	r.Mistakes = append(r.Mistakes, p.told()...)
}

// String says that all is well.
func (p *permissions) String() string {
	return fmt.Sprintf("permissions ok: %d paths, for the user %s alone", p.Paths, p.User)
}

// told is what is wrong, shortened where it is much.
func (p *permissions) told() config.Mistakes {
	if len(p.faults) <= mostFaults {
		return p.faults
	}
	more := len(p.faults) - mostFaults
	return append(p.faults[:mostFaults:mostFaults], config.Mistake{File: "permissions", What: fmt.Sprintf("%d more paths", more), Fix: "mend these and run it again"})
}

// secretFiles are the files that keys of the config name and that hold a secret: all that end in _file but those of
// public certificates, and the keys of TLS.
func secretFiles(v reflect.Value) (files []string) {
	for i := range v.NumField() {
		key, value := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
		switch {
		case key == "":
		case value.Kind() == reflect.Struct:
			files = append(files, secretFiles(value)...)
		case value.Kind() == reflect.String && value.String() != "" && isSecret(key):
			files = append(files, value.String())
		}
	}
	return files
}

func isSecret(key string) bool {
	return key == "key" || strings.HasSuffix(key, "_file") && key != "ca_file"
}

// below wants all of a folder for its user alone.
func (p *permissions) below(folder string) {
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			p.unseen(path, err)
			return fs.SkipDir
		}
		p.private(path)
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.unseen(folder, err)
	}
}

// private wants a path for its user alone. What is not there is no fault: what Brine makes it makes so.
func (p *permissions) private(path string) {
	info, ok := p.look(path)
	if !ok {
		return
	}
	if owner := uidOf(info); owner != p.uid && !(owner == 0 && private.IsCredential(path)) {
		p.fault(path, "chown "+p.User+" "+path, "it belongs to %s, and what Brine keeps must belong to %s", userName(owner), p.User)
	}
	if mode := info.Mode().Perm(); private.Exposed(path, mode) {
		p.fault(path, fmt.Sprintf("chmod %o %s", mode&0o700, path), "its mode is %04o: %s may reach it", mode, others(mode))
	}
}

// unwritable wants that nobody but its owner, this user or root, can change a path and what it holds.
func (p *permissions) unwritable(path string) {
	info, ok := p.look(path)
	if !ok {
		return
	}
	if owner := uidOf(info); owner != p.uid && owner != 0 && owner != os.Geteuid() {
		p.fault(path, "chown root "+path, "it belongs to %s, who could change what Brine does", userName(owner))
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 && !isDevice(info) {
		p.fault(path, "chmod go-w "+path, "its mode is %04o: %s may change it, and with it what Brine does", mode, others(mode&0o022))
	}
}

// above wants that nobody can put another folder in the place of this one.
func (p *permissions) above(path string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return
	}
	for path != "/" {
		path = filepath.Dir(path)
		info, ok := p.look(path)
		if ok && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
			p.fault(path, "chmod o-w "+path, "everyone may put another folder in the place of one in it")
		}
	}
}

// look is what stands at a path, where there is anything.
func (p *permissions) look(path string) (info fs.FileInfo, ok bool) {
	if path == "" {
		return nil, false
	}
	info, err := os.Stat(path)
	if err != nil {
		p.unseen(path, err)
		return nil, false
	}
	p.Paths++
	return info, true
}

// unseen is for what could not be looked at. A running brine removes files at any time.
func (p *permissions) unseen(path string, err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		p.fault(path, "run this as root or as "+p.User, "it cannot be looked at: %v", err)
	}
}

func (p *permissions) fault(path, fix, what string, args ...any) {
	p.faults = append(p.faults, config.Mistake{File: path, What: fmt.Sprintf(what, args...), Fix: fix})
}

// others says who beside the owner a mode lets in.
func others(mode fs.FileMode) string {
	if mode&0o007 != 0 {
		return "everyone"
	}
	return "its group"
}

func isDevice(info fs.FileInfo) bool { return info.Mode()&fs.ModeDevice != 0 }

func uidOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// ownerOf is whom a folder belongs to, or who would make it.
func ownerOf(path string) int {
	if info, err := os.Stat(path); err == nil {
		return uidOf(info)
	}
	return os.Geteuid()
}

// userName is a user's name, or the number where there is none.
func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}
