package gate

import (
	"sync"
	"time"
)

// How many refusals a minute are recorded: a flood of them must not fill the audit log. The rest is counted.
const (
	maxOfClient  = 5  // of people who are not known, from one client
	maxOfUnknown = 60 // of all people who are not known
	maxOfKnown   = 60 // of each person who is: whoever is not known cannot use that up
)

// refusals counts those of the present minute, which begins with its first refusal. Clients are held for that minute, in memory.
type refusals struct {
	tell func(name string, left int) // takes what was not recorded of a person, "" for all who are not known

	mu      sync.Mutex
	minute  *time.Timer // ends it; nil: none has begun
	clients map[string]int
	people  map[string]int // all that were refused, by name; "" for those who are not known
	told    map[string]int // of those, the ones that were recorded
}

// admit says whether a refusal is to be recorded.
func (f *refusals) admit(name, client string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.minute == nil {
		f.minute = time.AfterFunc(time.Minute, f.end)
		f.clients, f.people, f.told = map[string]int{}, map[string]int{}, map[string]int{}
	}
	f.people[name]++
	if !f.room(name, client) {
		return false
	}
	f.told[name]++
	if name == "" {
		f.clients[client]++
	}
	return true
}

func (f *refusals) room(name, client string) bool {
	if name != "" {
		return f.told[name] < maxOfKnown
	}
	return f.told[name] < maxOfUnknown && f.clients[client] < maxOfClient
}

// end ends the minute, and tells what of it was not recorded.
func (f *refusals) end() {
	f.mu.Lock()
	people, told := f.people, f.told
	if f.minute != nil {
		f.minute.Stop()
	}
	f.minute, f.people = nil, nil
	f.mu.Unlock()
	for name, all := range people {
		if left := all - told[name]; left > 0 {
			f.tell(name, left)
		}
	}
}
