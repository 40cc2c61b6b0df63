package users

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"brine/access"
	"brine/access/private"
)

// line is one line of the file: a person, or something that is kept as it stands.
type line struct {
	name  string // "" for a comment, or a line that names nobody
	roles access.Roles
	hash  hash
	raw   string // what was read, "" for a line that is to be written anew
	fault *Fault // why nobody gets in by it
}

func (l line) String() string {
	if l.raw != "" || l.name == "" {
		return l.raw
	}
	return l.name + ":" + strings.ReplaceAll(l.roles.String(), " ", "") + ":" + l.hash.String()
}

const (
	maxSize = 1 << 20
	header  = "# Who may read. Change it with brine user. name:roles:hash"
)

// read is the file's lines; none where there is no file. The error says what keeps all of it from being believed.
func (f *File) read() ([]line, error) {
	content, err := f.content()
	if err != nil || len(content) == 0 {
		return nil, err
	}
	var lines []line
	for i, text := range strings.Split(strings.TrimSuffix(content, "\n"), "\n") {
		l, err := parseLine(text)
		if err != nil {
			l.fault = &Fault{f.path, i + 1, err.Error()}
		}
		lines = append(lines, l)
	}
	f.refuseTwins(lines)
	return lines, nil
}

func (f *File) content() (string, error) {
	file, err := private.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if len(content) > maxSize {
		return "", fmt.Errorf("%s is larger than %d bytes", f.path, maxSize)
	}
	return string(content), err
}

// parseLine reads a line. Its error says nothing of the hash.
func parseLine(text string) (line, error) {
	l := line{raw: text}
	if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") {
		return l, nil
	}
	name, rest, _ := strings.Cut(text, ":")
	if !nameForm.MatchString(name) {
		return l, errors.New("no line of the form name:roles:hash, or its name is none (brine user list shows who is in order)")
	}
	l.name = name
	roles, hash, _ := strings.Cut(rest, ":")
	var rolesErr, hashErr error
	l.roles, rolesErr = access.ParseRoles(strings.Split(roles, ","))
	l.hash, hashErr = parseHash(hash)
	if err := cmp.Or(rolesErr, hashErr); err != nil {
		return l, fmt.Errorf("%s: %w (remove %s with brine user remove, and add it anew)", name, err, name)
	}
	return l, nil
}

// refuseTwins lets nobody in by a name that is there twice.
func (f *File) refuseTwins(lines []line) {
	first := map[string]int{}
	for i, l := range lines {
		j, twin := first[l.name]
		switch {
		case l.name == "":
		case twin:
			lines[i].fault, lines[j].fault = f.twin(l.name, i, j), f.twin(l.name, j, i)
		default:
			first[l.name] = i
		}
	}
}

func (f *File) twin(name string, at, other int) *Fault {
	return &Fault{f.path, at + 1, fmt.Sprintf("%s is in line %d too (remove it with brine user remove, and add it anew)", name, other+1)}
}

// change replaces the file by what becomes of its lines, while no other command can.
func (f *File) change(do func([]line) ([]line, error)) error {
	unlock, err := private.Lock(f.path)
	if err != nil {
		return err
	}
	defer unlock()
	lines, err := f.read()
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		lines = []line{{raw: header}}
	}
	if lines, err = do(lines); err != nil {
		return err
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.String() + "\n")
	}
	return private.Replace(f.path, []byte(b.String()))
}
