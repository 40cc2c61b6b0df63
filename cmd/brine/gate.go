package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/access/tokens"
	"brine/access/users"
	"brine/config"
	"brine/console"
	"brine/docs"
	"brine/door"
	"brine/erasure"
	"brine/intake"
	"brine/peers"
)

// The names of what access keeps in a data folder.
const (
	auditFolder = "audit"
	tokensFile  = "tokens"
)

// everyRole is what a guest has, whom the terminal invites.
var everyRole = access.RolesOf(access.Raw, access.Privacy)

// setupTime is how long a guest stays before access is set up.
const setupTime = time.Hour

// openConsole opens the private door, with its gate.
func (h *house) openConsole(status func(access.Cell) any) (err error) {
	h.gate = &gate.Gate{Tokens: openTokens(h.cfg.Data), Audit: h.audit, Logger: h.logger,
		TLS: h.cfg.Private.TLS.On(), Client: door.Proxies(h.cfg.Private.TrustedProxies).ClientAddr}
	var leave func() error
	if h.gate.Directory, h.gate.Empty, leave, err = openDirectory(h.cfg); err != nil {
		return err
	}
	h.onClose(leave)
	if err := h.gate.Open(); err != nil {
		return err
	}
	h.onClose(func() error { h.gate.Close(); return nil })
	h.console = &console.Server{Lake: h.lake, Temp: h.data.tmp(), Logger: h.logger, Status: status, MinCell: h.cfg.Private.MinCell, OpenAPI: docs.OpenAPI(),
		Gate: h.gate, Begin: h.beginRead, Audit: h.audit.Page, Erase: h.eraseFor, Receipt: h.receiptFor,
		Metrics: h.metrics.Handler(), Board: h.dashboard(h.gate)}
	return h.console.Open()
}

// openDirectory opens the directory of the config: LDAP where it names servers, else the users file, of which empty says whether
// nobody is in it. leave ends its use.
func openDirectory(cfg *config.Config) (directory access.Directory, empty func() bool, leave func() error, err error) {
	if len(cfg.LDAP.URLs) > 0 {
		ldap, err := openLDAP(cfg)
		if err != nil {
			return nil, nil, nil, err
		}
		return access.NewCached(ldap, time.Now), nil, ldap.Close, nil
	}
	file := openUsers(cfg)
	return access.NewCached(file, time.Now), nobodyYet(file), func() error { return nil }, nil
}

// nobodyYet says whether nobody has been in the users file since the start. A file that cannot be read does not open the door to guests.
func nobodyYet(file *users.File) func() bool {
	var somebody atomic.Bool
	return func() bool {
		if somebody.Load() {
			return false
		}
		all, faults, err := file.List()
		if err != nil || len(faults) > 0 || len(all) > 0 {
			somebody.Store(true)
		}
		return !somebody.Load()
	}
}

func openAudit(dataDir string, logger *slog.Logger) (*audit.Log, error) {
	return audit.Open(audit.Options{Dir: filepath.Join(dataDir, auditFolder), Logger: logger})
}

func (h *house) beginRead(r audit.Record) (end func(int64, string) error, err error) {
	read, err := h.audit.BeginRead(r)
	if err != nil {
		return nil, err
	}
	return read.End, nil
}

func openTokens(dataDir string) *tokens.File {
	return tokens.Open(filepath.Join(dataDir, tokensFile), time.Now)
}

// eraseFor looks at a request to erase from the private door, and gives what takes it.
func (h *house) eraseFor(body []byte) (take func() (number string, receipt any, err error), err error) {
	unit, err := intake.ReadUnit(body)
	if err != nil {
		return nil, &gate.Error{Status: http.StatusBadRequest, Reason: err.Error()}
	}
	return func() (number string, receipt any, err error) {
		number, err = h.acceptErasure(context.Background(), unit, false)
		switch {
		case errors.Is(err, erasure.ErrUnit):
			return "", nil, &gate.Error{Status: http.StatusBadRequest, Reason: err.Error()}
		case errors.Is(err, erasure.ErrFull), errors.Is(err, peers.ErrAlone):
			return "", nil, &gate.Error{Status: http.StatusServiceUnavailable, Reason: err.Error()}
		case err != nil:
			return "", nil, err
		}
		receipt, err = h.receiptFor(number)
		return number, receipt, err
	}, nil
}

func (h *house) receiptFor(number string) (any, error) {
	receipt, err := h.erasureReceipt(context.Background(), number)
	if errors.Is(err, erasure.ErrNoReceipt) {
		return nil, &gate.Error{Status: http.StatusNotFound, Reason: err.Error()}
	}
	return receipt, err
}

// setup is what lets whoever sits at the machine in, before access is set up.
type setup struct {
	Token   string    `json:"token"`
	Link    string    `json:"link"`    // signs in once, within 10 minutes
	Expires time.Time `json:"expires"` // of the token, and of what the link gives
}

// errSetUp is for who asks for a guest's token where people are known.
var errSetUp = errors.New("access is set up: log in, or make a token with brine token create")

// setup invites a guest for who sits at the machine, an OS user.
func (h *house) setup(who string) (s setup, err error) {
	if !h.gate.SettingUp() {
		return s, errSetUp
	}
	return h.invite("setup", who, setupTime)
}

// invite lets a guest in, which is recorded before, as who asked for it. Its token and link are for the terminal: they are never logged.
func (h *house) invite(name, who string, lasts time.Duration) (s setup, err error) {
	expires := time.Now().Add(lasts).UTC().Truncate(time.Second)
	rec := audit.Record{Action: audit.Token, Who: who, Outcome: "ok", Note: "a token and a link of " + name + ", with all roles, until " + expires.Format(time.RFC3339)}
	if _, err := h.audit.Append(rec); err != nil {
		return s, err
	}
	token, path := h.gate.Invite(name, everyRole, lasts)
	return setup{token, h.privateURL() + path, expires}, nil
}

// privateURL is how this machine reaches the private door.
func (h *house) privateURL() string {
	if h.cfg.Private.TLS.On() {
		return "https://" + h.cfg.Private.Addr
	}
	return "http://" + h.cfg.Private.Addr
}

func (s setup) String() string {
	return fmt.Sprintf(`Nobody can read yet: the private door knows no people. For one hour there are, with all roles,
  a link that signs in once, within 10 minutes   %s
  a token                                        %s
`, s.Link, s.Token)
}

// tellSetup says on a terminal how to get in where nobody is known yet. What is no terminal may be a log: there it says how to ask.
func (h *house) tellSetup(g *globals) {
	if !h.gate.SettingUp() {
		return
	}
	if !isTerminal(g.stderr) {
		h.logger.Warn("access is not set up, so nobody can read", "do", "set ldap, or brine user add; brine token setup gives a token that lasts an hour")
		return
	}
	s, err := h.setup(osUser())
	if err != nil {
		h.logger.Error("no token of setup could be made", "err", err)
		return
	}
	fmt.Fprint(g.stderr, s)
}
