package peers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"brine/access/private"
	"brine/lease"
)

// File is a small file that is to be the same on all nodes, and that commands change on any.
type File struct {
	Name    string // as nodes call it
	Path    string
	Merge   Merge
	Changed func() // called when its content is another than before, by whatever; default: nobody is told
}

// Merge puts what theirs has changed since base into mine.
type Merge func(base, mine, theirs []byte) ([]byte, error)

// Files keeps them the same. Each node keeps beside a file what all agreed on last, its base, with a version: what a node's file differs
// from its own base by is what was changed there. The node that leads takes the newest base, puts every node's changes into it, and gives it
// to all. The bases follow once a majority has it, so that a change which too few have is a change still, on whichever node.
type Files struct {
	Peers *Peers
	Dir   string // of the bases, 0700
	Files []File

	mu   sync.Mutex
	last map[string]string // hash of a file's content, when it was looked at last
}

// version orders what nodes agreed on.
type version struct {
	Epoch uint64 `json:"epoch"`
	N     uint64 `json:"n"`
}

func (v version) newer(than version) bool {
	return v.Epoch > than.Epoch || v.Epoch == than.Epoch && v.N > than.N
}

// agreed is what nodes agreed on.
type agreed struct {
	Version version `json:"version"`
	Base    []byte  `json:"base"`
}

// held is a file as a node has it.
type held struct {
	agreed
	Content []byte `json:"content"`
}

// brief is the same in short.
type brief struct {
	Version version `json:"version"`
	Base    string  `json:"base"` // hash
	Content string  `json:"content"`
}

func (h held) brief() brief { return brief{h.Version, hashOf(h.Base), hashOf(h.Content)} }

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// change is what the node that leads gives another.
type change struct {
	Seen    string  `json:"seen"` // hash of the content that it is made of
	Version version `json:"version"`
	Content []byte  `json:"content"`
	Agree   bool    `json:"agree,omitempty"` // a majority has it: it is the base from now on
}

// Open answers the others.
func (s *Files) Open() {
	s.last = map[string]string{}
	p := s.Peers
	p.handle("GET /files", func(*http.Request, []byte) (any, error) {
		all := map[string]brief{}
		for _, f := range s.Files {
			h, err := s.read(f)
			if err != nil {
				return nil, err
			}
			all[f.Name] = h.brief()
		}
		return all, nil
	})
	p.handle("GET /files/{name}", func(r *http.Request, _ []byte) (any, error) {
		f, err := s.find(r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		return s.read(f)
	})
	p.handle("PUT /files/{name}", func(r *http.Request, body []byte) (any, error) {
		f, err := s.find(r.PathValue("name"))
		var c change
		if err == nil {
			err = json.Unmarshal(body, &c)
		}
		if err != nil {
			return nil, err
		}
		return nil, s.take(f, c)
	})
}

func (s *Files) find(name string) (File, error) {
	i := slices.IndexFunc(s.Files, func(f File) bool { return f.Name == name })
	if i < 0 {
		return File{}, errors.New("nodes have no such file in common")
	}
	return s.Files[i], nil
}

func (s *Files) basePath(f File) string { return filepath.Join(s.Dir, f.Name+".json") }

// read is a file as this node has it; one that is not there is empty.
func (s *Files) read(f File) (h held, err error) {
	if h.Content, err = readPrivate(f.Path, maxFile); err != nil {
		return h, err
	}
	base, err := readPrivate(s.basePath(f), 2*maxFile)
	if err == nil && len(base) > 0 {
		err = json.Unmarshal(base, &h.agreed)
	}
	if err != nil {
		return h, fmt.Errorf("%s: %w (remove it: what nodes agreed on is learned anew)", s.basePath(f), err)
	}
	s.look(f, hashOf(h.Content))
	return h, nil
}

// look tells whom it concerns that a file has changed.
func (s *Files) look(f File, hash string) {
	s.mu.Lock()
	before, known := s.last[f.Name]
	s.last[f.Name] = hash
	s.mu.Unlock()
	if known && before != hash && f.Changed != nil {
		f.Changed()
	}
}

// maxFile bounds a file: it and its base go in one body, in base64.
const maxFile = maxBody / 4

func readPrivate(path string, most int64) ([]byte, error) {
	file, err := private.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(content)) > most {
		err = fmt.Errorf("%s: it is larger than %d bytes, and nodes share none that is", path, most)
	}
	return content, err
}

// errChanged is a file that a command has changed while nodes spoke of it: the next round takes that up.
var errChanged = errors.New("it has been changed meanwhile")

// take replaces a file, if it is still what the change was made of.
func (s *Files) take(f File, c change) error {
	unlock, err := private.Lock(f.Path)
	if err != nil {
		return err
	}
	defer unlock()
	h, err := s.read(f)
	switch {
	case err != nil:
		return err
	case hashOf(h.Content) != c.Seen:
		return fmt.Errorf("%s: %w", f.Name, errChanged)
	case h.Version.newer(c.Version):
		return fmt.Errorf("%s: %w: version %v, and here is %v", f.Name, ErrOld, c.Version, h.Version)
	}
	if !bytes.Equal(h.Content, c.Content) {
		if err := private.Replace(f.Path, c.Content); err != nil {
			return err
		}
		s.look(f, hashOf(c.Content))
	}
	if !c.Agree || h.Version == c.Version && bytes.Equal(h.Base, c.Content) {
		return nil
	}
	base, err := json.Marshal(agreed{c.Version, c.Content})
	if err != nil {
		return err
	}
	return private.Replace(s.basePath(f), base)
}

// Lead is a term at the head of the nodes: rounds until its context ends. term is nil while it lasts.
func (s *Files) Lead(ctx context.Context, epoch uint64, term func() error) {
	defer s.Peers.note("files", "")
	for {
		s.Round(ctx, epoch, term)
		if !lease.Pause(ctx, roundEvery) {
			return
		}
	}
}

// Round makes the files the same on all nodes that answer, where they are a majority.
func (s *Files) Round(ctx context.Context, epoch uint64, term func() error) {
	l := &lead{epoch, term}
	if s.Peers.raise(epoch) != nil {
		return
	}
	answers, faults := each(s.Peers, func(n Node) (has map[string]brief, err error) {
		err = s.Peers.ask(ctx, l, n, "GET", "/files", nil, &has)
		return has, err
	})
	if 2*(1+len(answers)) <= len(s.Peers.o.Nodes) {
		s.Peers.note("files", "no majority of the nodes answers: tokens, users and changes are this node's own until then")
		return
	}
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(faults)) {
		var refused *refusal
		if err := faults[node]; errors.As(err, &refused) { // one that is down is told with the salts, or by brine cluster status
			errs = append(errs, err)
		}
	}
	for _, f := range s.Files {
		if err := s.round(ctx, l, f, answers); err != nil && !errors.Is(err, errChanged) && !strings.Contains(err.Error(), errChanged.Error()) {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, err))
		}
	}
	if ctx.Err() != nil {
		return
	}
	what := ""
	if err := errors.Join(errs...); err != nil {
		what = "files are not the same on every node: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	s.Peers.note("files", what)
}

// round is that of one file.
func (s *Files) round(ctx context.Context, l *lead, f File, answers map[string]map[string]brief) error {
	own, err := s.read(f)
	if err != nil {
		return err
	}
	copies := map[string]held{s.Peers.o.Self: own}
	same := bytes.Equal(own.Content, own.Base)
	for _, n := range s.Peers.Others() {
		has, ok := answers[n.Name]
		if !ok {
			continue
		}
		copies[n.Name] = own
		if has[f.Name] != own.brief() {
			var copy held
			if err := s.Peers.ask(ctx, l, n, "GET", "/files/"+f.Name, nil, &copy); err != nil {
				return err
			}
			copies[n.Name], same = copy, false
		}
	}
	if same {
		return nil
	}
	c, err := s.merge(f, l.epoch, copies)
	if err != nil {
		return err
	}
	return s.give(ctx, l, f, c, copies)
}

// merge is what all nodes' copies are together. Nodes come in their order, so that it does not matter which leads.
func (s *Files) merge(f File, epoch uint64, copies map[string]held) (c change, err error) {
	var newest agreed
	for _, h := range copies {
		if h.Version.newer(newest.Version) {
			newest = h.agreed
		}
	}
	c = change{Version: newest.Version, Content: newest.Base}
	for _, n := range s.Peers.o.Nodes {
		h, ok := copies[n.Name]
		if !ok {
			continue
		}
		if c.Content, err = f.Merge(h.Base, c.Content, h.Content); err != nil {
			return c, fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	switch {
	case bytes.Equal(c.Content, newest.Base):
	case epoch > newest.Version.Epoch:
		c.Version = version{epoch, 1}
	default: // also where epochs have begun anew, with a new log
		c.Version.N++
	}
	return c, nil
}

// give brings the content to all, and once a majority has it, tells them that it is agreed on. A node that is lost between leaves
// changes behind that others still know for changes.
func (s *Files) give(ctx context.Context, l *lead, f File, c change, copies map[string]held) error {
	seen := map[string]string{}
	for node, h := range copies {
		seen[node] = hashOf(h.Content)
	}
	have, err := s.put(ctx, l, f, c, seen)
	if 2*len(have) <= len(s.Peers.o.Nodes) {
		return err
	}
	c.Agree = true
	_, agreeErr := s.put(ctx, l, f, c, have)
	return errors.Join(err, agreeErr)
}

// put brings a change to nodes, by the hash of what they have: the others first. It gives those that have it now, likewise.
func (s *Files) put(ctx context.Context, l *lead, f File, c change, seen map[string]string) (have map[string]string, err error) {
	have = map[string]string{}
	for _, n := range append(s.Peers.Others(), Node{Name: s.Peers.o.Self}) {
		var one error
		if c.Seen = seen[n.Name]; c.Seen == "" {
			continue
		}
		if n.Name == s.Peers.o.Self {
			one = s.take(f, c)
		} else if body, bad := json.Marshal(c); bad != nil {
			one = bad
		} else {
			one = s.Peers.ask(ctx, l, n, "PUT", "/files/"+f.Name, body, nil)
		}
		if one == nil {
			have[n.Name] = hashOf(c.Content)
		}
		err = errors.Join(err, one)
	}
	return have, err
}
