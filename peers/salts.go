package peers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"brine/lease"
	"brine/salt"
)

// Salts keeps the salts of all nodes the same. The node that leads makes them, and only when every node has told it in this term what it
// has: so no two nodes make salts for the same hours. What has ended anywhere ends everywhere, before anything else is done with salts; what
// lives is handed to the nodes that lack it. A salt is destroyed once every node says that nothing is left of it.
type Salts struct {
	Peers  *Peers
	Folder *salt.Folder      // with Shared set to [Salts.MayMake] and [Salts.MayUse]
	Agree  func() error      // an error says that the nodes do not agree on who they are
	Turn   func()            // rotates the folder; called when this node may make or use salts from now on
	Told   func(salt.Record) // that a salt is destroyed on every node

	mu      sync.Mutex
	lead    *lead  // of which all nodes have told what they have; nil while this node makes none
	settled bool   // this node has heard, since it started, what has ended
	why     string // why it has not
}

// stand is how a node stands with the salts.
type stand struct {
	Settled bool        `json:"settled"`
	Nodes   []string    `json:"nodes"` // as its config has them
	Copies  []salt.Copy `json:"copies"`
}

func (s *Salts) stand() (st stand, err error) {
	s.mu.Lock()
	st.Settled = s.settled
	s.mu.Unlock()
	for _, n := range s.Peers.o.Nodes {
		st.Nodes = append(st.Nodes, n.Name)
	}
	slices.Sort(st.Nodes)
	st.Copies, err = s.Folder.Copies()
	return st, err
}

// Open answers the others.
func (s *Salts) Open() {
	p := s.Peers
	p.handle("GET /salts", func(*http.Request, []byte) (any, error) { return s.stand() })
	p.handle("GET /salts/{name}", func(r *http.Request, _ []byte) (any, error) { return s.Folder.Hand(r.PathValue("name")) })
	p.handle("PUT /salts/{name}", func(r *http.Request, key []byte) (any, error) {
		return nil, s.Folder.Take(r.PathValue("name"), key)
	})
	p.handle("POST /salts/{name}/end", func(r *http.Request, fingerprint []byte) (any, error) {
		return nil, s.Folder.End(r.PathValue("name"), string(fingerprint))
	})
	p.handle("POST /salts/{name}/complete", func(r *http.Request, _ []byte) (any, error) {
		return nil, s.complete(r.PathValue("name"))
	})
	p.handle("POST /salts", func(*http.Request, []byte) (any, error) {
		if s.settle() {
			go s.Turn() // what it told to be missing may be here
		}
		return nil, nil
	})
}

// complete records here that a salt is destroyed everywhere, and tells it once.
func (s *Salts) complete(name string) error {
	rec, err := s.Folder.Complete(name)
	if rec != nil {
		s.Told(*rec)
	}
	return err
}

// settle says that this node knows what has ended, and whether that is news.
func (s *Salts) settle() (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news, s.settled = !s.settled, true
	return news
}

// MayUse is an error until this node knows what was destroyed while it was away.
func (s *Salts) MayUse() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.settled {
		return errors.New("since its start this node has not heard from the node that leads which salts were destroyed meanwhile (brine cluster status)")
	}
	return nil
}

// MayMake is an error unless this node leads, and every node has told it what it has.
func (s *Salts) MayMake() error {
	s.mu.Lock()
	l, why := s.lead, s.why
	s.mu.Unlock()
	switch {
	case l == nil && why != "":
		return errors.New(why)
	case l == nil:
		return errors.New("the node that leads makes the salts of all nodes, and hands them out")
	}
	if err := l.term(); err != nil {
		return err
	}
	return s.Peers.raise(l.epoch)
}

func (s *Salts) may(l *lead, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lead, s.why = l, why
}

// Lead is a term at the head of the nodes: rounds until its context ends. term is nil while it lasts.
func (s *Salts) Lead(ctx context.Context, epoch uint64, term func() error) {
	defer s.may(nil, "")
	defer s.Peers.note("salts", "")
	l := &lead{epoch, term}
	for {
		s.Round(ctx, l.epoch, l.term)
		if !lease.Pause(ctx, roundEvery) {
			return
		}
	}
}

// Round does once what can be done now, and tells what is waited for.
func (s *Salts) Round(ctx context.Context, epoch uint64, term func() error) {
	r := &saltRound{s: s, ctx: ctx, lead: &lead{epoch, term}, waits: map[string][]string{}}
	err := r.run()
	if ctx.Err() != nil {
		return
	}
	s.Peers.note("salts", r.text(err))
}

// saltRound is one round of the node that leads.
type saltRound struct {
	s      *Salts
	ctx    context.Context
	lead   *lead
	mine   map[string]salt.Copy
	theirs map[string]map[string]salt.Copy // by node that answered, by salt
	nodes  map[string]Node                 // that answered
	unsure map[string]bool                 // of them, those that have not settled since their start
	waits  map[string][]string             // what is waited for, and which nodes
	faults []string
}

func byName(copies []salt.Copy) map[string]salt.Copy {
	all := map[string]salt.Copy{}
	for _, c := range copies {
		all[c.Salt] = c
	}
	return all
}

func (r *saltRound) run() error {
	s, p := r.s, r.s.Peers
	if err := p.raise(r.lead.epoch); err != nil {
		return err
	}
	own, err := s.stand()
	if err != nil && !errors.Is(err, salt.ErrMissing) { // a folder that is not there yet holds none
		return err
	}
	r.mine, r.theirs, r.nodes, r.unsure = byName(own.Copies), map[string]map[string]salt.Copy{}, map[string]Node{}, map[string]bool{}
	answers, faults := each(p, func(n Node) (st stand, err error) {
		err = p.ask(r.ctx, r.lead, n, "GET", "/salts", nil, &st)
		return st, err
	})
	for _, n := range p.Others() {
		st, ok := answers[n.Name]
		if ok && !slices.Equal(st.Nodes, own.Nodes) {
			faults[n.Name] = fmt.Errorf("node %s: its log.nodes are %s, and here they are %s", n.Name, strings.Join(st.Nodes, ", "), strings.Join(own.Nodes, ", "))
			ok = false
		}
		if !ok {
			r.wait("what it has", n.Name)
			r.faults = append(r.faults, faults[n.Name].Error())
			continue
		}
		r.nodes[n.Name], r.theirs[n.Name], r.unsure[n.Name] = n, byName(st.Copies), !st.Settled
	}
	all := len(r.nodes) == len(p.Others())
	if s.Agree != nil {
		if err := s.Agree(); err != nil {
			all, r.faults = false, append(r.faults, err.Error())
		}
	}
	return r.act(all)
}

func (r *saltRound) wait(what string, nodes ...string) {
	r.waits[what] = append(r.waits[what], nodes...)
}

// act ends first, then hands out.
func (r *saltRound) act(all bool) error {
	s := r.s
	names := map[string]bool{}
	for _, copies := range append(slices.Collect(maps.Values(r.theirs)), r.mine) {
		for name := range copies {
			names[name] = true
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if r.ended(name) {
			errs = append(errs, r.end(name, all))
		}
	}
	if 2*(len(r.nodes)+1) > len(s.Peers.o.Nodes) && errors.Join(errs...) == nil {
		s.settle() // whatever a majority was told to end, one of these nodes was
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !r.ended(name) {
			errs = append(errs, r.hand(name))
		}
	}
	err := errors.Join(errs...)
	if err == nil {
		err = r.settle()
	}
	switch {
	case s.MayMake() == nil: // whatever a node had was told in this term, and it has got nothing since but from this node
	case err == nil && all:
		s.may(r.lead, "")
		s.Turn()
	default:
		s.may(nil, "not every node has told what it has: "+r.text(err))
	}
	return err
}

// settle tells the nodes that were away that they know what has ended.
func (r *saltRound) settle() (err error) {
	if r.s.MayUse() != nil {
		return nil // nor does this one
	}
	for _, name := range slices.Sorted(maps.Keys(r.unsure)) {
		if r.unsure[name] {
			err = errors.Join(err, r.s.Peers.ask(r.ctx, r.lead, r.nodes[name], "POST", "/salts", nil, nil))
		}
	}
	return err
}

// ended is whether any node has ended a salt.
func (r *saltRound) ended(name string) bool {
	if r.mine[name].Ended() {
		return true
	}
	for _, copies := range r.theirs {
		if copies[name].Ended() {
			return true
		}
	}
	return false
}

// fingerprint is the one that is known anywhere.
func (r *saltRound) fingerprint(name string) string {
	for _, copies := range append(slices.Collect(maps.Values(r.theirs)), r.mine) {
		if f := copies[name].Fingerprint; f != "" {
			return f
		}
	}
	return ""
}

// end destroys every copy, and records that it is done once every node says so.
func (r *saltRound) end(name string, all bool) error {
	s, p, path := r.s, r.s.Peers, "/salts/"+url.PathEscape(name)
	fingerprint := r.fingerprint(name)
	if !r.mine[name].Destroyed() {
		if err := s.Folder.End(name, fingerprint); err != nil {
			return err
		}
	}
	complete, waiting := r.complete(name), false
	var away []string
	var errs []error
	for _, n := range p.Others() {
		copies, ok := r.theirs[n.Name]
		switch {
		case !ok:
			away = append(away, n.Name)
		case !copies[name].Destroyed():
			waiting = true
			if err := p.ask(r.ctx, r.lead, n, "POST", path+"/end", []byte(fingerprint), nil); err != nil {
				away, errs = append(away, n.Name), append(errs, err)
			}
		case !copies[name].Complete():
			waiting = true
		}
	}
	if !waiting && r.mine[name].Complete() {
		return nil
	}
	if len(away) > 0 && !complete || len(errs) > 0 {
		r.wait("salt "+name+" is not destroyed", away...)
		return errors.Join(errs...)
	}
	if err := s.complete(name); err != nil {
		return err
	}
	for _, n := range r.nodes {
		errs = append(errs, p.ask(r.ctx, r.lead, n, "POST", path+"/complete", nil, nil))
	}
	return errors.Join(errs...)
}

// complete is whether any node knows that a salt was destroyed on every node.
func (r *saltRound) complete(name string) bool {
	for _, copies := range append(slices.Collect(maps.Values(r.theirs)), r.mine) {
		if copies[name].Complete() {
			return true
		}
	}
	return false
}

// hand brings a living salt to every node that lacks it, this one too.
func (r *saltRound) hand(name string) error {
	s, p, path := r.s, r.s.Peers, "/salts/"+url.PathEscape(name)
	if err := r.oneFingerprint(name); err != nil {
		return err
	}
	var missed error
	for _, node := range slices.Sorted(maps.Keys(r.theirs)) {
		copies := r.theirs[node]
		if c := copies[name]; !c.Here || c.Broken || r.mine[name].Here {
			continue
		}
		var key []byte
		err := p.ask(r.ctx, r.lead, r.nodes[node], "GET", path, nil, &key)
		if err == nil {
			err = s.Folder.Take(name, key)
		}
		clear(key)
		if missed = err; err == nil {
			r.mine[name] = copies[name]
			break
		}
	}
	switch {
	case missed != nil || r.mine[name].Broken: // which the folder tells
		return missed
	case !r.mine[name].Here: // as after a restore
		return fmt.Errorf("salt %s was there, and no node has it any more: put it back on one, or give it up: brine salt destroy %[1]s", name)
	}
	var errs []error
	for _, node := range slices.Sorted(maps.Keys(r.theirs)) { // in order, so that what is told stays the same text
		if r.theirs[node][name].Here {
			continue
		}
		key, err := s.Folder.Hand(name)
		if err == nil {
			err = p.ask(r.ctx, r.lead, r.nodes[node], "PUT", path, key, nil)
		}
		clear(key)
		if err != nil {
			r.wait("salt "+name+" is not there yet", node)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// oneFingerprint wants a salt to be the same wherever it is known. Which of two is right an operator must say.
func (r *saltRound) oneFingerprint(name string) error {
	first, at := r.mine[name].Fingerprint, r.s.Peers.o.Self
	for _, node := range slices.Sorted(maps.Keys(r.theirs)) {
		switch f := r.theirs[node][name].Fingerprint; {
		case first == "":
			first, at = f, node
		case f != "" && f != first:
			return fmt.Errorf("salt %s is %s on node %s and %s on node %s: end it (brine salt destroy %[1]s), or keep the data folder of one node out", name, first, at, f, node)
		}
	}
	return nil
}

// text is what is waited for, in words; "" for nothing.
func (r *saltRound) text(err error) string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(r.waits)) {
		all = append(all, fmt.Sprintf("%s; awaited: %s", what, strings.Join(r.waits[what], ", ")))
	}
	all = append(all, r.faults...)
	if err != nil {
		all = append(all, err.Error())
	}
	return strings.Join(all, "; ")
}
