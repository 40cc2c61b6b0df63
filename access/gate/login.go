package gate

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"brine/access"
	"brine/access/audit"
	"brine/door"
)

var (
	//go:embed pages.html
	pagesText string

	//go:embed access.css
	style string

	pages = template.Must(template.New("pages").Parse(pagesText))
)

// pageData is what the pages show.
type pageData struct {
	Title string
	Alert string // what went wrong; "" where nothing did
	Name  string // of who is logged in
	Typed string // the name that was typed
	Token string // for the form
	Next  string
}

func (g *Gate) page(w http.ResponseWriter, status int, name string, data pageData) error {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="brine"`)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	return pages.ExecuteTemplate(w, name, data)
}

// Routes are the gate's own.
func (g *Gate) Routes() []Route {
	return []Route{
		{Pattern: "GET /login", Need: Anyone, Handle: g.showLogin},
		{Pattern: "POST /login", Need: Anyone, Handle: g.login},
		{Pattern: "POST /logout", Need: Anyone, Handle: g.logout},
		{Pattern: "GET /access.css", Need: Anyone, Handle: showStyle},
	}
}

func showStyle(w http.ResponseWriter, _ *http.Request, _ Person) error {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, err := w.Write([]byte(door.BaseStyle + style))
	return err
}

// showLogin is the login page, or where there is nobody to log in, how to set access up. A link that signs in comes here too.
func (g *Gate) showLogin(w http.ResponseWriter, r *http.Request, _ Person) error {
	next := localPath(r.URL.Query().Get("next"))
	if code := r.URL.Query().Get("once"); code != "" && r.Method == http.MethodGet {
		person, ok := g.guests.redeem(code)
		if ok && g.SettingUp() {
			return g.enter(w, r, access.Account{Name: person}, true, next)
		}
		g.record(r, Person{}, "a link that signs in was used before, or is too old")
		return g.loginPage(w, r, http.StatusForbidden, pageData{Alert: "This link was used before, or is too old. On the machine, brine token setup prints a new one.", Next: next})
	}
	if _, err := g.bySession(w, r); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return nil
	}
	return g.loginPage(w, r, http.StatusOK, pageData{Next: next})
}

// loginPage shows the form, with a token that belongs to a cookie of this browser.
func (g *Gate) loginPage(w http.ResponseWriter, r *http.Request, status int, data pageData) error {
	if g.SettingUp() {
		if !WantsHTML(r) {
			return &Error{Status: http.StatusUnauthorized, Reason: howToSetUp}
		}
		data.Title = "Set up access"
		return g.page(w, status, "setup", data)
	}
	cookie := valueOf(r, g.formCookie())
	if cookie == "" {
		cookie = rand.Text()
		g.setCookie(w, g.formCookie(), cookie)
	}
	data.Title, data.Token = "Log in", g.formToken(cookie)
	return g.page(w, status, "login", data)
}

// login checks a name and a password.
func (g *Gate) login(w http.ResponseWriter, r *http.Request, _ Person) error {
	if !isForm(r) {
		return &Error{Status: http.StatusUnsupportedMediaType, Reason: "this is for the form at GET /login; programs send a token"}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	name, password, next := r.PostForm.Get("name"), r.PostForm.Get("password"), localPath(r.PostForm.Get("next"))
	again := func(status int, why, alert string) error {
		g.record(r, Person{}, why)
		return g.loginPage(w, r, status, pageData{Alert: alert, Typed: name, Next: next})
	}
	if g.SettingUp() {
		return again(http.StatusForbidden, "access is not set up yet", "")
	}
	if err := g.checkForm(w, r, valueOf(r, g.formCookie())); err != nil {
		return again(http.StatusForbidden, "a login from elsewhere, or too old", "This form was too old. Please try once more.")
	}
	account, err := g.attempt(r, name, password)
	var wait *access.TooMany
	switch {
	case errors.As(err, &wait):
		w.Header().Set("Retry-After", waitText(wait))
		return again(http.StatusTooManyRequests, "too many attempts to log in", "Too many attempts. Please wait "+seconds(wait)+" and try again.")
	case errors.Is(err, access.ErrDenied):
		return again(http.StatusUnauthorized, access.ErrDenied.Error(), "Wrong name or password, or this person has no role in Brine.")
	case err != nil:
		g.say("the directory does not answer, so nobody is let in", err)
		w.Header().Set("Retry-After", "10")
		return again(http.StatusServiceUnavailable, access.ErrUnavailable.Error(), "The directory does not answer, so nobody is let in. Please try again later, or tell whoever runs Brine.")
	}
	return g.enter(w, r, account, false, next)
}

func waitText(wait *access.TooMany) string {
	return strconv.Itoa(int(math.Ceil(max(wait.Wait.Seconds(), 1))))
}

// seconds is that wait for people.
func seconds(wait *access.TooMany) string {
	if text := waitText(wait); text != "1" {
		return text + " seconds"
	}
	return "a second"
}

// attempt asks the directory, where there were not too many attempts. It never sees an empty password, which many directories take
// for a wish to be nobody, and grant.
func (g *Gate) attempt(r *http.Request, name, password string) (account access.Account, err error) {
	done, err := g.Attempts.Begin(name, g.Client(r))
	if err != nil {
		return account, err
	}
	if err = access.ErrDenied; name != "" && password != "" {
		account, err = g.Directory.Login(r.Context(), name, password)
	}
	if err == nil && account.Roles == 0 {
		err = access.ErrDenied
	}
	done(err)
	return account, err
}

// enter begins a session, under a cookie that is new whatever the browser sent before, and ends the one before.
func (g *Gate) enter(w http.ResponseWriter, r *http.Request, account access.Account, guest bool, next string) error {
	if _, err := g.Audit.Append(audit.Record{Action: audit.Login, Who: account.Name, Via: "session", Route: r.Pattern, Outcome: "ok"}); err != nil {
		g.say("a login could not be recorded, so it is refused", err)
		return &Error{Status: http.StatusServiceUnavailable, Reason: "the login cannot be recorded, so it is refused: tell whoever runs Brine", retry: 10}
	}
	g.sessions.end(g.cookie(r))
	g.setCookie(w, g.sessionCookie(), g.sessions.begin(account, guest))
	g.dropCookie(w, g.formCookie())
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

// logout ends the session, if there is one still.
func (g *Gate) logout(w http.ResponseWriter, r *http.Request, _ Person) error {
	if cookie := g.cookie(r); cookie != "" {
		if err := g.checkForm(w, r, cookie); err != nil {
			return &Error{Status: http.StatusForbidden, Reason: err.Error()}
		}
		if person, ok := g.sessions.end(cookie); ok {
			if _, err := g.Audit.Append(audit.Record{Action: audit.Logout, Who: person, Via: "session", Route: r.Pattern, Outcome: "ok"}); err != nil {
				g.say("a logout could not be recorded", err) // it is done all the same
			}
		}
		g.dropCookie(w, g.sessionCookie())
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
	return nil
}

func formError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &Error{Status: http.StatusRequestEntityTooLarge, Reason: "the form is over 16 kB"}
	}
	return &Error{Status: http.StatusBadRequest, Reason: "the form is malformed"}
}

// localPath gives a path of this door, and the start page for anything that a browser could take for another site's.
func localPath(next string) string {
	const start = "/"
	if len(next) > 2000 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.HasPrefix(next, "/login") || strings.HasPrefix(next, "/logout") ||
		strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r > unicode.MaxASCII || unicode.IsControl(r) || r == ' ' }) {
		return start
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return start
	}
	return next
}
