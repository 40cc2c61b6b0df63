package gate

import (
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"brine/access"
	"brine/access/tokens"
)

// guests are people whom no directory knows: whoever sits at the machine, in the demo and before access is set up. They are
// held in memory only, and are nobody from the moment that there is a directory with somebody in it.
type guests struct {
	now func() time.Time

	mu    sync.Mutex
	all   map[string]guest
	links map[hash]link
}

type guest struct {
	roles access.Roles
	until time.Time
	token hash
}

type link struct {
	person string
	until  time.Time
}

func newGuests(now func() time.Time) *guests {
	return &guests{now: now, all: map[string]guest{}, links: map[hash]link{}}
}

// linkTime is how long a link that signs in works, once.
const linkTime = 10 * time.Minute

// Invite lets a guest in for a while, while no directory is set up. It gives a token, and the path of a link that signs in once, within
// 10 minutes. What an earlier call gave for the same name ends.
func (g *Gate) Invite(name string, roles access.Roles, lasts time.Duration) (token, path string) {
	return g.guests.invite(name, roles, lasts)
}

// SettingUp says whether there is no directory, or nobody in it, so that guests may be invited.
func (g *Gate) SettingUp() bool { return g.Directory == nil || g.Empty != nil && g.Empty() }

func (g *guests) invite(name string, roles access.Roles, lasts time.Duration) (token, path string) {
	token, code := tokens.New(), rand.Text()
	now := g.now().Round(0)
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.links, func(_ hash, l link) bool { return l.person == name })
	g.all[name] = guest{roles, now.Add(lasts), sha256.Sum256([]byte(token))}
	g.links[sha256.Sum256([]byte(code))] = link{name, now.Add(min(lasts, linkTime))}
	return token, "/login?once=" + code
}

// find is a guest whose time is not over.
func (g *guests) find(name string) (access.Account, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if who, ok := g.all[name]; ok && g.now().Before(who.until) {
		return access.Account{Name: name, Roles: who.roles}, nil
	}
	return access.Account{}, access.ErrDenied
}

func (g *guests) byToken(token string) (p Person, ok bool) {
	h := hash(sha256.Sum256([]byte(token)))
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, who := range g.all {
		if who.token == h && g.now().Before(who.until) {
			return Person{Name: name, Roles: who.roles, Via: "token of the terminal"}, true
		}
	}
	return p, false
}

// redeem gives the person of a link, once.
func (g *guests) redeem(code string) (person string, ok bool) {
	h := hash(sha256.Sum256([]byte(code)))
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.links[h]
	delete(g.links, h)
	return l.person, ok && g.now().Before(l.until)
}
