package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/access"
	"brine/access/ldap/slapdtest"
)

const password = "correct horse battery staple"

// mustStart runs a slapd with people and groups: anna is an analyst, raul reads raw by way of two groups within one
// another, petra sees privacy, nora is in a group without a role, noel in none.
func mustStart(tb testing.TB, o slapdtest.Options) *slapdtest.Server {
	tb.Helper()
	s := slapdtest.Start(tb, o)
	for _, uid := range []string{"anna", "raul", "petra", "nora", "noel"} {
		s.AddPerson(uid, password)
	}
	s.AddGroup("inner", slapdtest.Person("raul"))
	s.AddGroup("middle", slapdtest.Group("inner"))
	s.AddGroup("raw", slapdtest.Group("middle"))
	s.AddGroup("analysts", slapdtest.Person("anna"), slapdtest.Person("petra"))
	s.AddGroup("privacy", slapdtest.Person("petra"))
	s.AddGroup("other", slapdtest.Person("nora"))
	return s
}

// open opens a directory on some servers.
func open(tb testing.TB, s *slapdtest.Server, change func(*Directory)) *Directory {
	tb.Helper()
	d := &Directory{
		URLs: []string{s.URL}, CAFile: s.CAFile, StartTLS: true, BindDN: slapdtest.ServiceDN, BindPasswordFile: s.PasswordFile,
		UserBase: slapdtest.People, GroupBase: slapdtest.Groups,
		RoleGroups: map[access.Role][]string{
			access.Analyst: {slapdtest.Group("analysts")},
			access.Raw:     {strings.ToUpper(slapdtest.Group("raw"))}, // DNs do not tell case apart
			access.Privacy: {slapdtest.Group("privacy")},
		},
	}
	if change != nil {
		change(d)
	}
	if err := d.Open(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return d
}

// ways are how a connection can be made and nested groups be found.
var ways = map[string]struct {
	server slapdtest.Options
	change func(*Directory)
}{
	"StartTLS, search":   {slapdtest.Options{}, nil},
	"StartTLS, memberOf": {slapdtest.Options{MemberOf: true}, func(d *Directory) { d.GroupBase = "" }},
	"StartTLS, both":     {slapdtest.Options{MemberOf: true}, nil},
	"Loopback":           {slapdtest.Options{}, func(d *Directory) { d.StartTLS, d.CAFile = false, "" }},
}

func TestLogin(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			d := open(t, mustStart(t, way.server), way.change)
			checkLogins(t, d)
		})
	}
	t.Run("ldaps", func(t *testing.T) {
		s := mustStart(t, slapdtest.Options{})
		checkLogins(t, open(t, s, func(d *Directory) { d.URLs = []string{s.TLSURL} }))
	})
}

func checkLogins(t *testing.T, d *Directory) {
	t.Helper()
	for _, c := range []struct {
		name, password string
		person         string
		roles          access.Roles
		denied         string
	}{
		{"anna", password, "anna", access.RolesOf(access.Analyst), ""},
		{"ANNA", password, "anna", access.RolesOf(access.Analyst), ""},
		{"raul", password, "raul", access.RolesOf(access.Raw), ""},
		{"petra", password, "petra", access.RolesOf(access.Analyst, access.Privacy), ""},
		{"anna", "wrong", "", 0, "refuses the password"},
		{"anna", "", "", 0, "the password is empty"},
		{"anna", "\x00", "", 0, "refuses the password"},
		{"anna", strings.Repeat("x", access.MaxPassword+1), "", 0, "the password is too long"},
		{"nora", password, "", 0, "none of the person's groups has a role"},
		{"noel", password, "", 0, "none of the person's groups has a role"},
		{"nobody", password, "", 0, "no entry has that name"},
		{"", password, "", 0, "the name is empty"},
		{"*", password, "", 0, "no entry has that name"},
		{"ann*", password, "", 0, "no entry has that name"},
		{")(uid=*", password, "", 0, "no entry has that name"},
		{"anna)(|(uid=*", password, "", 0, "no entry has that name"},
		{`anna\2a`, password, "", 0, "no entry has that name"},
		{"anna\x00", password, "", 0, "not seen"},
		{"anna\u200b", password, "", 0, "not seen"},
		{"anna\n", password, "", 0, "space"},
		{"\xff", password, "", 0, "no UTF-8"},
		{strings.Repeat("a", 10<<10), password, "", 0, "the name is too long"},
		{slapdtest.Person("anna"), password, "", 0, "no entry has that name"},
	} {
		person, roles, err := login(t.Context(), d, c.name, c.password)
		if person != c.person || roles != c.roles || errors.Is(err, access.ErrDenied) != (c.denied != "") ||
			err != nil && (!strings.Contains(err.Error(), c.denied) || strings.Contains(err.Error(), password)) {
			t.Errorf("%.40q with %.20q: %q, %v, %v", c.name, c.password, person, roles, err)
		}
		if c.person == "" {
			continue
		}
		if roles, err := rolesOf(t.Context(), d, c.name); roles != c.roles || err != nil {
			t.Errorf("%q has %v, %v", c.name, roles, err)
		}
	}
	for _, name := range []string{"nora", "nobody", "*", "anna\x00", ""} {
		if roles, err := rolesOf(t.Context(), d, name); roles != 0 || !errors.Is(err, access.ErrDenied) {
			t.Errorf("%q has %v, %v", name, roles, err)
		}
	}
}

func TestGroups(t *testing.T) {
	s := mustStart(t, slapdtest.Options{MemberOf: true})
	bySearch := open(t, s, nil)
	byMemberOf := open(t, s, func(d *Directory) { d.GroupBase = "" })
	s.AddPerson("zoe", password)
	// A circle of groups, none of which has a role; then a way out of it that has one.
	s.AddGroup("one", slapdtest.Person("zoe"))
	s.AddGroup("two", slapdtest.Group("one"))
	s.Set(slapdtest.Group("one"), "member", slapdtest.Person("zoe"), slapdtest.Group("two"), slapdtest.Group("one"))
	for _, d := range []*Directory{bySearch, byMemberOf} {
		if _, err := rolesOf(t.Context(), d, "zoe"); !errors.Is(err, access.ErrDenied) {
			t.Error("in a circle of groups without a role:", err)
		}
	}
	s.Set(slapdtest.Group("analysts"), "member", slapdtest.Group("two"))
	for _, d := range []*Directory{bySearch, byMemberOf} {
		if roles, err := rolesOf(t.Context(), d, "zoe"); roles != access.RolesOf(access.Analyst) || err != nil {
			t.Error("out of a circle of groups:", roles, err)
		}
	}
}

// A role that lies deeper than maxDepth is not given, and the search for it ends.
func TestGroupsTooDeep(t *testing.T) {
	s := mustStart(t, slapdtest.Options{MemberOf: true})
	below := slapdtest.Person("noel")
	for i := range maxDepth + 1 {
		name := fmt.Sprint("deep", i+1)
		s.AddGroup(name, below)
		below = slapdtest.Group(name)
	}
	for _, base := range []string{"", slapdtest.Groups} {
		d := open(t, s, func(d *Directory) {
			d.GroupBase = base
			d.RoleGroups = map[access.Role][]string{access.Raw: {below}, access.Viewer: {slapdtest.Group(fmt.Sprint("deep", maxDepth))}}
		})
		if roles, err := rolesOf(t.Context(), d, "noel"); roles != access.RolesOf(access.Viewer) || err != nil {
			t.Error(roles, err)
		}
	}
}

func TestOtherKindsOfGroups(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	s.Add(slapdtest.Group("unique"), slapdtest.Attributes{"objectClass": {"groupOfUniqueNames"}, "uniqueMember": {slapdtest.Person("nora")}})
	s.Add(slapdtest.Group("posix"), slapdtest.Attributes{"objectClass": {"posixGroup"}, "gidNumber": {"7"}, "memberUid": {"noel"}})
	d := open(t, s, func(d *Directory) {
		d.RoleGroups = map[access.Role][]string{access.Viewer: {slapdtest.Group("unique")}, access.Analyst: {slapdtest.Group("posix")}}
	})
	for name, want := range map[string]access.Role{"nora": access.Viewer, "noel": access.Analyst} {
		if roles, err := rolesOf(t.Context(), d, name); roles != access.RolesOf(want) || err != nil {
			t.Error(name, roles, err)
		}
	}
}

// Two entries of one name are nobody, as is one with a name that the next search would not find.
func TestAmbiguous(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, func(d *Directory) { d.UserFilter = "(sn=%s)" })
	if _, roles, err := login(t.Context(), d, "anna", password); roles == 0 || err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"noel", "nora"} { // two and three
		s.Set(slapdtest.Person(name), "sn", "anna")
		if _, _, err := login(t.Context(), d, "anna", password); !errors.Is(err, access.ErrDenied) || !strings.Contains(err.Error(), "more than one") {
			t.Error(err)
		}
	}
}

func TestSeveralNames(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	s.Set(slapdtest.Person("anna"), "mail", "z@example.org", "Anna@Example.org", "b@example.org")
	d := open(t, s, func(d *Directory) { d.UserFilter = "(&(objectClass=person)(mail=%s))" })
	for _, name := range []string{"z@example.org", "anna@example.org", "B@example.org"} {
		person, _, err := login(t.Context(), d, name, password)
		if person != "Anna@Example.org" || err != nil {
			t.Error(person, err)
		}
	}
}

// The name is the directory's, however it was typed; who gets it later has another ID.
func TestAccount(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, nil)
	first, err := d.Find(t.Context(), "ANNA")
	if err != nil || first.Name != "anna" || first.ID == "" {
		t.Errorf("%+v, %v", first, err)
	}
	again, err := d.Login(t.Context(), "Anna", password)
	if err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
	s.Delete(slapdtest.Person("anna"))
	s.AddPerson("anna", password)
	other, err := d.Find(t.Context(), "anna")
	if err != nil || other.Name != "anna" || other.ID == first.ID {
		t.Errorf("%+v, %v", other, err)
	}
}

func TestDisabled(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, nil)
	for name, set := range map[string]func(...string){
		shadowEnd:  func(v ...string) { s.Set(slapdtest.Person("anna"), shadowEnd, v...) },
		lockedTime: func(v ...string) { s.Set(slapdtest.Person("anna"), lockedTime, v...) },
	} {
		set(map[string]string{shadowEnd: "1", lockedTime: lockedForGood}[name])
		_, _, err := login(t.Context(), d, "anna", password)
		_, rolesErr := rolesOf(t.Context(), d, "anna")
		if !errors.Is(err, access.ErrDenied) || !errors.Is(rolesErr, access.ErrDenied) {
			t.Errorf("%s: login %v, roles %v", name, err, rolesErr)
		}
		set()
		if _, _, err := login(t.Context(), d, "anna", password); err != nil {
			t.Error(err)
		}
	}
	s.Delete(slapdtest.Person("anna"))
	if _, err := rolesOf(t.Context(), d, "anna"); !errors.Is(err, access.ErrDenied) {
		t.Error("gone:", err)
	}
}

func TestCertificates(t *testing.T) {
	ca := slapdtest.NewCA(t)
	good := mustStart(t, slapdtest.Options{CA: ca})
	expired := slapdtest.Start(t, slapdtest.Options{CA: ca, NotAfter: time.Now().Add(-time.Hour)})
	other := slapdtest.Start(t, slapdtest.Options{})
	for name, c := range map[string]struct {
		s      *slapdtest.Server
		change func(*Directory)
		says   string
	}{
		"Expired":   {expired, nil, "expired"},
		"UnknownCA": {other, func(d *Directory) { d.CAFile = good.CAFile }, "unknown authority"},
		"SystemCAs": {good, func(d *Directory) { d.CAFile = "" }, "unknown authority"},
		"OtherHost": {good, func(d *Directory) { d.URLs[0] = strings.Replace(d.URLs[0], "127.0.0.1", "127.0.0.2", 1) }, ""},
		"NoCA":      {good, func(d *Directory) { d.CAFile = good.PasswordFile }, "no certificate in it"},
	} {
		for _, scheme := range []string{"ldap", "ldaps"} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				d := open(t, c.s, func(d *Directory) {
					if scheme == "ldaps" {
						d.URLs[0] = c.s.TLSURL
					}
					if c.change != nil {
						c.change(d)
					}
				})
				_, _, err := login(t.Context(), d, "anna", password)
				if !errors.Is(err, access.ErrUnavailable) || errors.Is(err, access.ErrDenied) || !strings.Contains(err.Error(), c.says) {
					t.Error(err)
				}
			})
		}
	}
	checkLogins(t, open(t, good, nil)) // and the good one is good
}

// StartTLS is answered with a certificate for another name.
func TestCertificateOfAnotherHost(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, nil)
	d.servers[0].name = "ldap.example.org"
	if _, err := rolesOf(t.Context(), d, "anna"); !errors.Is(err, access.ErrUnavailable) || !strings.Contains(err.Error(), "ldap.example.org") {
		t.Error(err)
	}
}

func TestServerStops(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, nil)
	check := func(want error) {
		t.Helper()
		_, _, err := login(t.Context(), d, "anna", password)
		_, rolesErr := rolesOf(t.Context(), d, "anna")
		if !errors.Is(err, want) || !errors.Is(rolesErr, want) {
			t.Errorf("login %v, roles %v; want %v", err, rolesErr, want)
		}
	}
	check(nil)
	s.Stop()
	check(access.ErrUnavailable)
	s.Restart()
	check(nil)
}

// A server that closes idle connections is asked on a new one.
func TestIdleConnections(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, nil)
	if _, err := rolesOf(t.Context(), d, "anna"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	s.Restart()
	if _, err := rolesOf(t.Context(), d, "anna"); err != nil {
		t.Error(err)
	}
}

// A connection of the service account does not wait for longer than a minute: its password may have been changed.
func TestIdleConnectionsAge(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	now := time.Now()
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(slapdtest.ServicePassword)
	d := open(t, s, func(d *Directory) { d.BindPasswordFile, d.Now = file, func() time.Time { return now } })
	for _, c := range []struct {
		later time.Duration
		want  error
	}{{0, nil}, {maxAge - 1, nil}, {1, access.ErrUnavailable}} {
		now = now.Add(c.later)
		if _, err := d.Find(t.Context(), "anna"); !errors.Is(err, c.want) {
			t.Errorf("%s later: %v, want %v", c.later, err, c.want)
		}
		write("another password") // which the directory does not know
	}
}

// Where no password can be tried, nobody is told that a name is not there.
func TestUnknownNameWhileUnreachable(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, nil)
	if _, err := d.Find(t.Context(), "anna"); err != nil {
		t.Fatal(err)
	}
	d.servers[0].host = "127.0.0.1:1" // the connection that waits still answers
	for _, name := range []string{"anna", "nobody"} {
		if _, err := d.Login(t.Context(), name, password); !errors.Is(err, access.ErrUnavailable) || errors.Is(err, access.ErrDenied) {
			t.Errorf("%s: %v", name, err)
		}
		d.servers[0].host = strings.TrimPrefix(s.URL, "ldap://")
		if _, err := d.Find(t.Context(), "anna"); err != nil {
			t.Fatal(err)
		}
		d.servers[0].host = "127.0.0.1:1"
	}
}

func TestServerHangs(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	short := func(d *Directory) { d.Timeout = 300 * time.Millisecond }
	frozen := open(t, s, nil)
	if _, err := rolesOf(t.Context(), frozen, "anna"); err != nil {
		t.Fatal(err)
	}
	short(frozen)
	s.Freeze() // with a connection that waits in the pool
	defer s.Thaw()
	for name, d := range map[string]*Directory{
		"frozen":         frozen,
		"silent":         open(t, s, func(d *Directory) { short(d); d.URLs = []string{"ldap://" + slapdtest.Silent(t)} }),
		"silent, ldaps":  open(t, s, func(d *Directory) { short(d); d.URLs = []string{"ldaps://" + slapdtest.Silent(t)} }),
		"silent, no TLS": open(t, s, func(d *Directory) { short(d); d.URLs, d.StartTLS = []string{"ldap://" + slapdtest.Silent(t)}, false }),
		"TLS is silent":  open(t, s, func(d *Directory) { short(d); d.URLs = []string{"ldap://" + startsNoTLS(t)} }),
	} {
		began := time.Now()
		_, _, err := login(t.Context(), d, "anna", password)
		if took := time.Since(began); !errors.Is(err, access.ErrUnavailable) || !strings.Contains(err.Error(), "time") || took > 10*time.Second {
			t.Errorf("%s: after %s: %v", name, took, err)
		}
	}
}

// startsNoTLS is a server that agrees to StartTLS and then says nothing.
func startsNoTLS(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			c.Read(make([]byte, 1024))
			c.Write([]byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x78, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00}) // ExtendedResponse: success
		}
	}()
	return l.Addr().String()
}

func TestServersInOrder(t *testing.T) {
	ca := slapdtest.NewCA(t)
	first, second := mustStart(t, slapdtest.Options{CA: ca}), mustStart(t, slapdtest.Options{CA: ca})
	second.Set(slapdtest.Group("analysts"), "member", slapdtest.Person("nora")) // so that it is seen who answers
	var mu sync.Mutex
	now := time.Now()
	d := open(t, first, func(d *Directory) {
		d.URLs = []string{"ldap://127.0.0.1:1", first.URL, second.URL}
		d.Timeout = time.Minute
		d.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	answers := func() string {
		t.Helper()
		if _, _, err := login(t.Context(), d, "anna", password); err == nil {
			return "first"
		} else if !errors.Is(err, access.ErrDenied) {
			t.Error(err)
		}
		return "second"
	}
	for range 2 {
		if got := answers(); got != "first" {
			t.Error("asked", got)
		}
	}
	first.Stop()
	if got := answers(); got != "second" {
		t.Error("with the first stopped: asked", got)
	}
	first.Restart()
	if got := answers(); got != "second" {
		t.Error("a short while after it failed: asked", got)
	}
	mu.Lock()
	now = now.Add(skipFor)
	mu.Unlock()
	if got := answers(); got != "first" {
		t.Error("a while after it failed: asked", got)
	}
	second.Stop()
	first.Stop()
	d.Timeout = 5 * time.Second
	if _, err := rolesOf(t.Context(), d, "anna"); !errors.Is(err, access.ErrUnavailable) || strings.Count(err.Error(), "ldap://") != 3 {
		t.Error("the error does not tell of each server:", err)
	}
}

// A server that hangs leaves time for the next one, and the next login does not wait for it.
func TestFirstServerHangs(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, func(d *Directory) {
		d.URLs = []string{"ldap://" + slapdtest.Silent(t), s.URL}
		d.Timeout = 6 * time.Second
	})
	for range 3 {
		if _, _, err := login(t.Context(), d, "anna", password); err != nil {
			t.Error(err)
		}
		d.Timeout = 3 * time.Second // less than the silent server took
	}
}

// A referral points to an address where somebody listens: nobody comes.
func TestReferrals(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
			came <- struct{}{}
		}
	}()
	elsewhere := "ldap://" + l.Addr().String() + "/" + url.PathEscape(slapdtest.People)
	s.Add("ou=elsewhere,"+slapdtest.People, slapdtest.Attributes{"objectClass": {"referral", "extensibleObject"}, "ou": {"elsewhere"}, "ref": {elsewhere}})
	d := open(t, s, nil)
	if _, _, err := login(t.Context(), d, "anna", password); err != nil {
		t.Error("beside a referral:", err)
	}
	if _, _, err := login(t.Context(), d, "nobody", password); !errors.Is(err, access.ErrDenied) {
		t.Error("nobody but a referral:", err)
	}
	below := open(t, s, func(d *Directory) { d.UserBase = "ou=elsewhere," + slapdtest.People })
	if _, _, err := login(t.Context(), below, "anna", password); !errors.Is(err, access.ErrUnavailable) {
		t.Error("the base is a referral:", err)
	}
	l.Close()
	select {
	case <-came:
		t.Error("the referral was followed")
	default:
	}
}

// Who is removed from a group has what was remembered for a minute, and no longer.
func TestRemovedFromGroup(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	now := time.Now()
	c := access.NewCached(open(t, s, nil), func() time.Time { return now })
	if _, _, err := login(t.Context(), c, "anna", password); err != nil {
		t.Fatal(err)
	}
	s.Set(slapdtest.Group("analysts"), "member", slapdtest.Person("nora"))
	now = now.Add(59 * time.Second)
	if roles, err := rolesOf(t.Context(), c, "anna"); !roles.Has(access.Analyst) || err != nil {
		t.Error("nothing was remembered:", roles, err)
	}
	now = now.Add(time.Second)
	if roles, err := rolesOf(t.Context(), c, "anna"); roles != 0 || !errors.Is(err, access.ErrDenied) {
		t.Error("after a minute:", roles, err)
	}
	if _, _, err := login(t.Context(), c, "anna", password); !errors.Is(err, access.ErrDenied) {
		t.Error(err)
	}
	s.Set(slapdtest.Group("analysts"), "member", slapdtest.Person("anna"))
	if roles, err := rolesOf(t.Context(), c, "anna"); !roles.Has(access.Analyst) || err != nil {
		t.Error("the refusal was remembered:", roles, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	d := open(t, mustStart(t, slapdtest.Options{}), nil)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			given := []string{password, "wrong"}[i%2]
			person, roles, err := login(t.Context(), d, "anna", given)
			if good := given == password; good != (err == nil) || good != (person == "anna") || good != (roles != 0) {
				t.Errorf("with %q: %q, %v, %v", given, person, roles, err)
			}
		})
	}
	wg.Wait()
	for range maxAsks {
		d.busy <- struct{}{}
	}
	d.Timeout = time.Millisecond
	if _, err := rolesOf(t.Context(), d, "anna"); !errors.Is(err, access.ErrUnavailable) || !strings.Contains(err.Error(), "too many asks at once") {
		t.Error(err)
	}
	if n := len(d.servers[0].idle); n < 1 || n > maxIdle {
		t.Errorf("%d connections wait", n)
	}
}

// Whoever asks may go away; the server is not to blame.
func TestAskerGoes(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	d := open(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rolesOf(ctx, d, "anna"); !errors.Is(err, access.ErrUnavailable) || d.servers[0].skipped(time.Now()) {
		t.Error(err)
	}
	if _, err := rolesOf(t.Context(), d, "anna"); err != nil {
		t.Error(err)
	}
}

func TestServiceAccount(t *testing.T) {
	s := mustStart(t, slapdtest.Options{})
	for name, c := range map[string]struct {
		change func(*Directory)
		says   string
	}{
		"Anonymous":    {func(d *Directory) { d.BindDN = "" }, "search for people"},
		"NoFile":       {func(d *Directory) { d.BindPasswordFile = "nowhere" }, "nowhere"},
		"Wrong":        {func(d *Directory) { d.BindPasswordFile = s.CAFile }, "Invalid Credentials"},
		"NoSuch":       {func(d *Directory) { d.BindDN = "cn=nobody," + slapdtest.Base }, "Invalid Credentials"},
		"NoSuchPeople": {func(d *Directory) { d.UserBase = "ou=nobody," + slapdtest.Base }, "search for people"},
		"NoSuchGroups": {func(d *Directory) { d.GroupBase = "ou=nobody," + slapdtest.Base }, "search for groups"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := login(t.Context(), open(t, s, c.change), "anna", password)
			if !errors.Is(err, access.ErrUnavailable) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), slapdtest.ServicePassword) {
				t.Error(err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for says, change := range map[string]func(*Directory){
		"no server is named":       func(d *Directory) { d.URLs = nil },
		"would pass the network":   func(d *Directory) { d.URLs, d.StartTLS = []string{"ldap://ldap.example.org"}, false },
		"expected ldaps://host":    func(d *Directory) { d.URLs = []string{"https://ldap.example.org"} },
		"or ldap://host":           func(d *Directory) { d.URLs = []string{"ldap://ldap.example.org/dc=example"} },
		"with a port":              func(d *Directory) { d.URLs = []string{"ldap://user:pw@ldap.example.org"} },
		"expected %s once":         func(d *Directory) { d.UserFilter = "(|(uid=%s)(mail=%s))" },
		"an attribute":             func(d *Directory) { d.UserFilter = "(uid=*%s*)" },
		"not an LDAP filter":       func(d *Directory) { d.UserFilter = "(uid=%s))" },
		`roles.viewer: "analysts"`: func(d *Directory) { d.RoleGroups = map[access.Role][]string{access.Viewer: {"analysts"}} },
	} {
		d := &Directory{URLs: []string{"ldaps://ldap.example.org"}}
		change(d)
		if err := d.Open(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
}

func ExampleDirectory() {
	d := &Directory{
		URLs: []string{"ldaps://ldap1.example.org", "ldaps://ldap2.example.org"}, UserBase: "ou=people,dc=example,dc=org",
		RoleGroups: map[access.Role][]string{access.Analyst: {"cn=kpi,ou=groups,dc=example,dc=org"}},
	}
	fmt.Println(d.Open())
	// Output: <nil>
}

func login(ctx context.Context, d access.Directory, name, password string) (person string, roles access.Roles, err error) {
	account, err := d.Login(ctx, name, password)
	return account.Name, account.Roles, err
}

func rolesOf(ctx context.Context, d access.Directory, name string) (access.Roles, error) {
	account, err := d.Find(ctx, name)
	return account.Roles, err
}
