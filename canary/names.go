package canary

import (
	"errors"
	"maps"
	"sync"
	"time"

	"brine/event"
	"brine/lake"
)

// mostNames is how many collectors may share one credential, as pods of one Deployment do. It is a part of mostCollectors, so that who
// has one credential cannot keep the canaries of all others from being told.
const mostNames = 16

// Names bounds how many collectors' names the canaries of one credential bear. The zero value is ready for use.
type Names struct {
	Now func() time.Time // default time.Now

	mu   sync.Mutex
	used map[string]map[string]time.Time // when a name came last, by credential
}

// ErrNames is a canary under one name too many.
var ErrNames = errors.New("canaries of over 16 collectors came with this credential within a day: give some of them a credential of their own, or fixed canary.names")

// Admit tells why a record may not be sent: it is a canary that none of [Sender] sends, or [ErrNames]. by gives the credential, and is asked
// of canaries alone. A name is free again when the collector leaves, or a day after its last canary.
func (n *Names) Admit(by func() string, record event.Record) error {
	if record.Dataset != lake.Canary {
		return nil
	}
	r, err := parseRow(record.Row)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now, credential := time.Now(), by()
	if n.Now != nil {
		now = n.Now()
	}
	if n.used == nil {
		n.used = map[string]map[string]time.Time{}
	}
	names := n.used[credential]
	maps.DeleteFunc(names, func(_ string, last time.Time) bool { return now.Sub(last) > forgetAfter })
	if r.Leaving {
		delete(names, r.Collector)
		return nil
	}
	if _, known := names[r.Collector]; !known && len(names) >= mostNames {
		return ErrNames
	}
	if names == nil {
		names = map[string]time.Time{}
		n.used[credential] = names
	}
	names[r.Collector] = now
	return nil
}
