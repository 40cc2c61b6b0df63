package outlet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// position is what an outlet remembers. It only spares work: without it, all is compared anew.
type position struct {
	Dataset  string            `json:"dataset"`
	Instance string            `json:"instance"` // of the peer's database
	Hours    map[string]string `json:"hours"`    // the files that the peer has an hour from; begun: [begun]
	Waiting  []string          `json:"waiting"`  // hours of the lake that were never written
	Lost     int               `json:"lost"`     // hours that went before they were written
	Dirty    bool              `json:"dirty"`    // something was taken away since the last compaction
}

// begun stands for an hour of which the peer may have some.
const begun = "begun"

// load reads the position once. One of another dataset is left as it is and told: its documents would stay for ever.
func (f *Follower) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pos != nil {
		return nil
	}
	pos := &position{Dataset: f.Dataset, Hours: map[string]string{}}
	content, err := os.ReadFile(f.Path)
	if err == nil {
		if json.Unmarshal(content, pos) != nil || pos.Hours == nil {
			return fmt.Errorf("%s: damaged: remove it, and all is compared anew", f.Path)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if pos.Dataset != f.Dataset {
		return fmt.Errorf("%s: the peer has %s, and the config says %s: give it a database of its own, drop the old one, and remove this file", f.Path, pos.Dataset, f.Dataset)
	}
	f.pos = pos
	return nil
}

// setHour notes what the peer has an hour from, "" for some of it, and gives what was noted.
func (f *Follower) setHour(key, state string) (had string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	had = f.pos.Hours[key]
	if state == "" {
		state = begun
	}
	f.pos.Hours[key] = state
	return had
}

// wrote takes an hour from what is behind.
func (f *Follower) wrote(h hour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.early != nil {
		f.early[h.key()] = true
	}
	f.behind = slices.DeleteFunc(slices.Clone(f.behind), func(b hour) bool { return b.key() == h.key() })
	f.pos.Waiting = slices.DeleteFunc(f.pos.Waiting, func(key string) bool { return key == h.key() })
}

func (f *Follower) dirty() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pos.Dirty = true
}

// saveEvery bounds how often the position is written: it grows with the lake, and what it lacks is compared.
const saveEvery = 2 * time.Second

func (f *Follower) saveNow(always bool) error {
	if !always && f.now().Sub(f.saved) < saveEvery {
		return nil
	}
	return f.save()
}

// save makes the position durable. Its time is the hour's.
func (f *Follower) save() error {
	f.mu.Lock()
	content, err := json.Marshal(f.pos)
	f.mu.Unlock()
	if err != nil {
		return err
	}
	folder := filepath.Dir(f.Path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	aside := filepath.Join(folder, "."+filepath.Base(f.Path))
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	hour := f.now().Truncate(time.Hour)
	err = errors.Join(err, file.Sync(), file.Close(), os.Chtimes(aside, hour, hour))
	if err == nil {
		err = os.Rename(aside, f.Path)
	}
	if err != nil {
		return fmt.Errorf("keep the position of an outlet: %w", err)
	}
	f.saved = f.now()
	return errors.Join(syncFolder(folder), os.Chtimes(folder, hour, hour))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
