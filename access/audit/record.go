// Package audit is the record of who did what: append-only lines of JSON, each with the hash of the one
// before, so that a change, a gap or a cut is found.
//
// It imports access/private of the house. Records come in through [Log.Append], which returns when they are durable; they go
// out through [Log.Read] and, checked, through [Verify]. A record names people, routes, datasets and ranges of
// time. It never holds an event, an id of one, an install id, an address, a token or a password.
//
// The folder holds a file a day, like 000000000042-2026-11-25.ndjson, and head, which says what the last record is of which
// somebody was told that it is kept. An append writes lines, syncs, writes head, syncs, and only then returns: a crash leaves
// lines that head does not know yet, which the next append takes on where they are whole, and cuts off where they are not.
// Whoever rewrites all files and head leaves no trace: note the head elsewhere now and again.
package audit

import "time"

// Action is what was done.
type Action string

// The actions.
const (
	ReadBegin Action = "read-begin" // durable before the first row leaves; joined with its end by Read
	ReadEnd   Action = "read-end"
	Login     Action = "login"
	Logout    Action = "logout"
	Refused   Action = "refused" // a login, a token or a route
	Token     Action = "token"   // made or revoked
	User      Action = "user"    // added, changed or removed
	Erasure   Action = "erasure"
	Salt      Action = "salt"
	Publish   Action = "publish" // a day of totals, to everybody
	Purge     Action = "purge"
	Config    Action = "config"
	Command   Action = "command" // on the machine, by an OS user, that changes what is stored: asked for, and how it went
	Start     Action = "start"   // of a serving brine: what one before it was reading is cut
	Audit     Action = "audit"   // what befell the audit itself; where Outcome is failed, [Verify] finds it
)

// Digests are short hashes in hex, by what they are of.
type Digests map[string]string

// Record is one thing that was done. What does not apply is left out.
type Record struct {
	Number  uint64    `json:"number"` // 1, 2, 3, … set by [Log.Append]
	Time    time.Time `json:"time"`   // UTC, whole seconds; set by [Log.Append] where zero
	Action  Action    `json:"action"`
	Who     string    `json:"who"`             // a person of the directory, "os:" and a user of the machine, or "brine" itself
	Via     string    `json:"via,omitempty"`   // how a person was known: session, token and its number, or token of the terminal; none of a command
	Route   string    `json:"route,omitempty"` // the pattern, like GET /api/v1/events/{stream}, or the command, like brine read
	Dataset string    `json:"dataset,omitempty"`
	Stream  string    `json:"stream,omitempty"`
	From    time.Time `json:"from,omitzero"` // of event time, inclusive
	To      time.Time `json:"to,omitzero"`   // exclusive
	Purpose string    `json:"purpose,omitempty"`
	Read    uint64    `json:"read,omitempty"`    // of a ReadEnd: the number of its beginning
	Rows    *int64    `json:"rows,omitempty"`    // of a ReadEnd
	Outcome string    `json:"outcome,omitempty"` // ok, cut, failed, or why it was refused
	Note    string    `json:"note,omitempty"`    // what was done, in words
	Anchor  string    `json:"anchor,omitempty"`  // of a Purge of the audit: the number and hash of the last record that went; see [Anchor]
	Config  Digests   `json:"config,omitempty"`  // of a Start: of each top-level key of the config
	Before  string    `json:"before"`            // SHA-256 of the line before, lower-case hex; set by [Log.Append]
}
