package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"brine/access"
	"brine/access/tokens"
)

// identify says who asks, with the roles that they have now. A request that shows a token is judged by it alone.
func (g *Gate) identify(w http.ResponseWriter, r *http.Request) (Person, error) {
	if shown, ok := r.Header["Authorization"]; ok {
		return g.byToken(r, shown)
	}
	return g.bySession(w, r)
}

const howToGetIn = "log in at /login, or send a token: Authorization: Bearer brine_…"

func (g *Gate) bySession(w http.ResponseWriter, r *http.Request) (p Person, err error) {
	cookie := g.cookie(r)
	if cookie == "" {
		return p, unauthorized("this door is for people with a role: " + howToGetIn)
	}
	s, ok := g.sessions.use(cookie)
	if !ok {
		g.dropCookie(w, g.sessionCookie())
		return p, unauthorized("the session has ended: " + howToGetIn)
	}
	ask := func(ctx context.Context) (Person, error) { return g.ofSession(ctx, s) }
	p, err = ask(r.Context())
	p.cookie, p.ask = cookie, ask
	why := "the directory gives this person no role"
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, errOther):
		why = err.Error()
	case !errors.Is(err, access.ErrDenied):
		return p, g.unavailable(err)
	}
	g.sessions.end(cookie)
	g.dropCookie(w, g.sessionCookie())
	return p, unauthorized("the session has ended, because " + why + ": " + howToGetIn)
}

// errOther is of a session whose account is not the one that it began with.
var errOther = errors.New("the password was changed, or the name is another person's now")

// ofSession is whose a session is, with the roles that they have now.
func (g *Gate) ofSession(ctx context.Context, s session) (p Person, err error) {
	p = Person{Name: s.person, Via: "session"}
	if s.guest != g.SettingUp() { // a guest may have the name of a person whom the directory has since
		return p, errOther
	}
	account, err := g.account(ctx, s.person)
	if err == nil && account.ID != s.id {
		err = errOther
	}
	p.Roles = account.Roles
	return p, err
}

// byToken knows whoever a token is of. Every token that does not work gets the same answer.
func (g *Gate) byToken(r *http.Request, shown []string) (p Person, err error) {
	text, ok := bearer(shown)
	if !ok {
		return p, unauthorized("the Authorization header is not understood; send one: Bearer and a token")
	}
	ask := func(ctx context.Context) (Person, error) { return g.ofToken(ctx, text) }
	p, err = ask(r.Context())
	p.ask = ask
	switch {
	case errors.Is(err, tokens.ErrUnknown):
		return p, unauthorized(err.Error() + ": brine token create makes one")
	case errors.Is(err, errTokens):
		g.say("the file of tokens cannot be read", err)
		return p, &Error{Status: http.StatusServiceUnavailable, Reason: "tokens cannot be checked now, so none works; Brine's log says why", retry: 10}
	case errors.Is(err, access.ErrDenied):
		return p, unauthorized("the owner of this token has none of its roles any more")
	case err != nil:
		return p, g.unavailable(err)
	}
	return p, nil
}

// errTokens is of a file of tokens that cannot be read.
var errTokens = errors.New("tokens cannot be checked")

// ofToken is whose a token is, with those of its roles that they have now.
func (g *Gate) ofToken(ctx context.Context, text string) (p Person, err error) {
	if p, ok := g.guests.byToken(text); ok && g.SettingUp() {
		return p, nil
	}
	t, err := g.find(text)
	if err != nil {
		return p, err
	}
	p = Person{Name: t.Owner, Via: "token " + strconv.Itoa(t.Number)}
	account, err := g.account(ctx, t.Owner)
	if err != nil {
		return p, err
	}
	p.Name, p.Roles = account.Name, account.Roles.And(t.Set())
	if p.Roles == 0 {
		return p, access.ErrDenied
	}
	return p, nil
}

func bearer(shown []string) (text string, ok bool) {
	if len(shown) != 1 {
		return "", false
	}
	scheme, text, _ := strings.Cut(shown[0], " ")
	return strings.TrimSpace(text), strings.EqualFold(scheme, "Bearer")
}

func (g *Gate) find(text string) (tokens.Token, error) {
	if g.Tokens == nil || g.SettingUp() {
		return tokens.Token{}, tokens.ErrUnknown
	}
	t, unnoted, err := g.Tokens.Find(text)
	if unnoted != nil {
		g.say("the day of a token's use could not be noted", unnoted)
	}
	if err != nil && !errors.Is(err, tokens.ErrUnknown) {
		err = fmt.Errorf("%w: %w", errTokens, err)
	}
	return t, err
}

// account asks who has which roles now. Of several errors only ErrDenied says that somebody has none.
func (g *Gate) account(ctx context.Context, name string) (access.Account, error) {
	if g.SettingUp() {
		return g.guests.find(name)
	}
	account, err := g.Directory.Find(ctx, name)
	if err == nil && account.Roles == 0 {
		err = access.ErrDenied
	}
	return account, err
}

func unauthorized(reason string) error {
	return &Error{Status: http.StatusUnauthorized, Reason: reason}
}

// unavailable is the answer where the directory does not answer. Nobody is let in meanwhile.
func (g *Gate) unavailable(err error) error {
	g.say("the directory does not answer, so nobody is let in", err)
	return &Error{Status: http.StatusServiceUnavailable, Reason: "the directory does not answer, so nobody is let in: try again later, or tell whoever runs Brine", retry: 10}
}
