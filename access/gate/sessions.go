package gate

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"brine/access"
)

// How long a session lasts, and how many there are.
const (
	IdleTime    = 30 * time.Minute // without a request
	LongestTime = 12 * time.Hour   // since the login
	maxSessions = 10_000
	maxOfPerson = 20
	clockSlack  = time.Minute // a clock may go back by as much
)

// sessions are held in memory only, so that they end when the process does, under hashes of their cookies.
//
// A clock that went back ends those that it would lengthen: a session is never used before its own last use.
type sessions struct {
	now func() time.Time

	mu  sync.Mutex
	all map[hash]*session
}

type hash [sha256.Size]byte

type session struct {
	person     string
	id         string    // of the account at the login
	guest      bool      // nobody of the directory, so that the session is worth nothing once there is one
	made, used time.Time // of the wall clock
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: func() time.Time { return now().Round(0) }, all: map[hash]*session{}}
}

func (s *session) ended(now time.Time) bool {
	return now.Sub(s.used) >= IdleTime || now.Sub(s.made) >= LongestTime || s.used.Sub(now) > clockSlack
}

// begin makes a session and gives its cookie: 130 random bits. A person's oldest one ends where there are too many.
func (a *sessions) begin(account access.Account, guest bool) (cookie string) {
	cookie = rand.Text()
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.makeRoom(account.Name, now)
	a.all[sha256.Sum256([]byte(cookie))] = &session{person: account.Name, id: account.ID, guest: guest, made: now, used: now}
	return cookie
}

// makeRoom ends what has ended, the oldest session of somebody who has many, and where all are many the oldest of all.
func (a *sessions) makeRoom(person string, now time.Time) {
	own := 0
	for h, s := range a.all {
		if s.ended(now) {
			delete(a.all, h)
		} else if s.person == person {
			own++
		}
	}
	if own >= maxOfPerson {
		a.dropOldest(func(s *session) bool { return s.person == person })
	} else if len(a.all) >= maxSessions {
		a.dropOldest(func(*session) bool { return true })
	}
}

func (a *sessions) dropOldest(of func(*session) bool) {
	var oldest hash
	var found *session
	for h, s := range a.all {
		if of(s) && (found == nil || s.used.Before(found.used)) {
			oldest, found = h, s
		}
	}
	delete(a.all, oldest)
}

// use gives a session that has not ended, and keeps it from being idle.
func (a *sessions) use(cookie string) (in session, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := hash(sha256.Sum256([]byte(cookie)))
	s, ok := a.all[h]
	if !ok {
		return in, false
	}
	now := a.now()
	if s.ended(now) {
		delete(a.all, h)
		return in, false
	}
	if now.After(s.used) {
		s.used = now
	}
	return *s, true
}

// end ends a session for good: a request that is under way does not bring it back.
func (a *sessions) end(cookie string) (person string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := hash(sha256.Sum256([]byte(cookie)))
	s, ok := a.all[h]
	if !ok {
		return "", false
	}
	delete(a.all, h)
	return s.person, !s.ended(a.now())
}
