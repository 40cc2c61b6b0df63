package ldap

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"brine/access"
)

// person is what an entry says that matters here.
type person struct {
	dn   string
	name string // as the directory spells it
	*ldap.Entry
}

// The attributes that matter: most of them are how one directory or another says that an account is disabled.
const (
	lockedTime    = "pwdAccountLockedTime" // OpenLDAP's password policy
	accountLock   = "nsAccountLock"        // 389 Directory Server, FreeIPA
	accountBits   = "userAccountControl"   // Active Directory
	accountEnd    = "accountExpires"       // Active Directory
	shadowEnd     = "shadowExpire"         // RFC 2307
	memberOf      = "memberOf"
	uid           = "uid"
	entryUUID     = "entryUUID"  // RFC 4530
	uniqueID      = "nsUniqueId" // 389 Directory Server
	objectGUID    = "objectGUID" // Active Directory
	lockedForGood = "000001010000Z"
)

var placeholder = regexp.MustCompile(`([A-Za-z][A-Za-z0-9-]*)=%s\)`)

// CheckFilter says what is wrong with a user_filter, and which attribute it compares with the name.
func CheckFilter(filter string) (attribute string, err error) {
	if strings.Count(filter, "%s") != 1 || strings.Count(filter, "%") != 1 {
		return "", errors.New("expected %s once, where the name goes, and no other %")
	}
	match := placeholder.FindStringSubmatch(filter)
	if match == nil {
		return "", errors.New("expected an attribute compared with the whole name")
	}
	if _, err := ldap.CompileFilter(filterFor(filter, "name")); err != nil {
		return "", errors.New("not an LDAP filter: are its brackets in pairs?")
	}
	return match[1], nil
}

func filterFor(filter, name string) string {
	return strings.Replace(filter, "%s", ldap.EscapeFilter(name), 1)
}

// find is the one entry of that name.
func (d *Directory) find(c *conn, name string) (person, error) {
	// Two at most: more than one is an error, however many there are. No alias is followed out of the base.
	request := ldap.NewSearchRequest(d.UserBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, d.seconds(), false, filterFor(d.UserFilter, name),
		d.attributes(), nil)
	found, err := c.Search(request) // its referrals are not followed
	if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		return person{}, denied("more than one entry has that name")
	}
	if err != nil {
		return person{}, fmt.Errorf("search for people below %s: %w", d.UserBase, err)
	}
	switch len(found.Entries) {
	case 0:
		return person{}, denied("no entry has that name")
	case 1:
		return d.person(found.Entries[0])
	}
	return person{}, denied("more than one entry has that name")
}

// person reads an entry. Where it has several names, it is known by the first in the alphabet, whichever was typed.
func (d *Directory) person(e *ldap.Entry) (person, error) {
	names := e.GetEqualFoldAttributeValues(d.nameOf)
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Compare(access.NameKey(a), access.NameKey(b)), strings.Compare(a, b))
	})
	if len(names) == 0 {
		return person{}, denied("the entry does not show its " + d.nameOf + " to the service account")
	}
	if err := access.CheckName(names[0]); err != nil {
		return person{}, denied("the entry's " + d.nameOf + ": " + err.Error())
	}
	return person{e.DN, names[0], e}, nil
}

// id tells the entry from another one that has its name later, where the directory shows one.
func (p person) id() string {
	value := func(attribute string) string { return p.GetEqualFoldAttributeValue(attribute) }
	return cmp.Or(value(entryUUID), value(uniqueID), value(objectGUID))
}

// attributes are all that is asked of an entry. Some are operational: servers send those only to who names them.
func (d *Directory) attributes() []string {
	all := []string{uid, memberOf, entryUUID, uniqueID, objectGUID, lockedTime, accountLock, accountBits, accountEnd, shadowEnd}
	if !strings.EqualFold(d.nameOf, uid) {
		all = append(all, d.nameOf)
	}
	return all
}

// seconds is the time limit that a server is told.
func (d *Directory) seconds() int { return max(1, int(d.Timeout/time.Second)) }

// disabled says by which attribute the account is, "" for none. A lock that the directory itself lifts after a
// while is not among them: whoever types wrong passwords elsewhere would end a person's session. It holds at login, where the
// directory refuses the bind.
func (p person) disabled(now time.Time) string {
	value := func(attribute string) string { return p.GetEqualFoldAttributeValue(attribute) }
	switch {
	case value(lockedTime) == lockedForGood:
		return lockedTime
	case strings.EqualFold(value(accountLock), "true"):
		return accountLock
	case bit(value(accountBits), 0x2):
		return accountBits
	case past(value(accountEnd), 1, now, fromFileTime):
		return accountEnd
	case past(value(shadowEnd), 0, now, fromDays):
		return shadowEnd
	}
	return ""
}

func bit(text string, mask int64) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n&mask != 0
}

// past is whether a time has come that is written as a number. What is below the first one means never.
func past(text string, first int64, now time.Time, from func(int64) time.Time) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n >= first && !now.Before(from(n))
}

func fromDays(n int64) time.Time { return time.Unix(min(n, 1<<32)*24*60*60, 0) } // days since 1970

// fromFileTime reads Windows' 100 ns since 1601.
func fromFileTime(n int64) time.Time {
	const secondsTo1970 = 11_644_473_600
	return time.Unix(n/10_000_000-secondsTo1970, 0)
}
