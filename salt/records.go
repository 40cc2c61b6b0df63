package salt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// Record is one thing that became of a salt. It never holds the salt.
type Record struct {
	At          time.Time `json:"at"`   // the hour, in UTC
	What        What      `json:"what"` //
	Salt        string    `json:"salt"` // the name, START_END_DELETION
	Fingerprint string    `json:"fingerprint"`
}

// What became of a salt.
type What string

// The records of a salt, in the order in which they can come.
const (
	Made       What = "made"       // by Brine
	Seen       What = "seen"       // found in the folder, and put there by another tool
	Handed     What = "handed"     // by another node, which makes the salts of all
	Destroying What = "destroying" // from here on it is not used, whatever a crash leaves of its file
	Destroyed  What = "destroyed"  // overwritten, unlinked, and both synced
	Gone       What = "gone"       // no longer there, and not destroyed by Brine
)

// ended is whether the salt is not used any more.
func (w What) ended() bool { return w == Destroying || w == Destroyed || w == Gone }

// history is the last record of each salt, by its name.
type history map[string]past

type past struct {
	Record
	period Period // that of the name
}

// recordFile is the file of the records: one JSON object a line, only ever appended to. It lies
// outside the salts folder, so that it is still there when the folder is not mounted, and in backups.
type recordFile struct {
	disk disk
	path string
}

// maxRecords bounds how much of the file is read: over 100 years of hourly salts.
const maxRecords = 512 << 20

// read gives the last record of each salt.
func (r *recordFile) read() (last history, err error) {
	content, err := r.lines()
	if err != nil {
		return nil, err
	}
	last = history{}
	n := 0
	for line := range bytes.Lines(content) {
		n++
		var p past
		err := json.Unmarshal(line, &p.Record)
		if err == nil {
			p.period, err = ParseName(p.Salt)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s:%d: not a record of a salt: %w (restore the file from a backup)", ErrBroken, r.path, n, err)
		}
		if p.What == Destroyed && last[p.Salt].What == Destroying {
			p.At = last[p.Salt].At // its use ended then, however long it took until it was gone everywhere
		}
		last[p.Salt] = p
	}
	return last, nil
}

// lines are the whole lines of the file; what follows them is no record.
func (r *recordFile) lines() ([]byte, error) {
	content, err := r.disk.read(r.path, maxRecords)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content[:bytes.LastIndexByte(content, '\n')+1], err
}

// append makes one more record durable. What a power cut left of an earlier one without its line
// break, which nobody has acted upon, goes first.
func (r *recordFile) append(rec Record) error {
	line, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if err := r.cutTorn(); err != nil {
		return fmt.Errorf("keep a record of salts: %w", err)
	}
	err = r.disk.append(r.path, append(line, '\n'))
	if err == nil {
		err = r.disk.sync(r.path)
	}
	if err == nil {
		err = r.disk.sync(filepath.Dir(r.path))
	}
	if err != nil {
		return fmt.Errorf("keep a record of salts: %w", err)
	}
	return nil
}

func (r *recordFile) cutTorn() error {
	lines, err := r.lines()
	if err != nil {
		return err
	}
	i, err := r.disk.stat(r.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && i.size == len(lines) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.disk.truncate(r.path, len(lines))
}
