package audit

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// spot is where the next line goes.
type spot struct {
	Anchor           // the record before it
	file      string // which takes it
	at        int64  // offset in that file
	lineBreak bool   // what lies before has none
	slot      int    // that holds the present head
	noHead    bool   // the head file is missing, or neither slot is whole
	mended    []mended
}

// mended is what was found and is recorded before anything else.
type mended struct{ outcome, note string }

// settle finds where the chain goes on: after the record that head knows. Mostly nothing has changed since head was written, by
// whichever process. Else a crash left lines that head does not know, or somebody changed the files. What a crash left is taken on
// where it is whole, and cut off where it is not. Of a change nothing is hidden: the chain goes on from what head says.
// A file of records that others than its owner can do anything with is an error before anything is changed.
func (l *Log) settle(day string, folder info) (s spot, err error) {
	h, err := l.readHeads()
	if errors.Is(err, errNoHead) {
		return l.settleWithoutHead(day, folder)
	}
	if err != nil {
		return s, err
	}
	s = spot{Anchor: h.Anchor, file: h.file, at: h.size, slot: h.slot}
	if day == dayOf(h.file) {
		i, err := l.o.disk.stat(l.path(h.file))
		if err == nil && i.size == h.size {
			return s, errors.Join(l.checkFile(i, folder), l.lookBefore(&s))
		}
	}
	files, err := l.checkedFiles(folder)
	if err != nil {
		return s, err
	}
	s.file, s.at = "", 0
	if len(files) > 0 { // where head's own is gone, an older one
		newest := files[len(files)-1]
		s.file, s.at = newest.name, newest.size
	}
	if err := l.takeOn(&s, files, h); err != nil {
		return s, err
	}
	return s, l.chooseFile(&s, day)
}

// checkedFiles are the files of records, where nobody but their owner can do anything with them.
func (l *Log) checkedFiles(folder info) ([]info, error) {
	files, err := logFiles(l.o.disk, l.o.Dir)
	for _, i := range files {
		err = errors.Join(err, l.checkFile(i, folder))
	}
	return files, err
}

// takeOn follows the chain beyond head, through the rest of its file and a newer one.
func (l *Log) takeOn(s *spot, files []info, h heads) error {
	for _, i := range files {
		from := int64(0)
		if i.name < h.file {
			continue
		}
		if i.name == h.file {
			from = min(h.size, i.size)
		}
		before := s.Anchor
		s.file, s.at = i.name, i.size
		if from == i.size {
			continue
		}
		good, foreign, err := l.follow(&s.Anchor, i, from)
		if err == nil && s.Number > before.Number {
			err = l.keep(s, i.name, from, good)
		}
		if err == nil && good < i.size && !foreign {
			err = l.cut(s, i, good)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow advances the anchor over the lines of a file that carry the chain on, and gives the offset of what follows them, and
// whether that is a record, which no crash leaves there.
func (l *Log) follow(a *Anchor, i info, from int64) (good int64, foreign bool, err error) {
	f, err := l.o.disk.open(l.path(i.name))
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	lines := newLineReader(f, from, i.size)
	for good = from; ; good = lines.at {
		line, whole, err := lines.next()
		if errors.Is(err, io.EOF) {
			return good, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		r, err := parseLine(line)
		if !whole || err != nil {
			return good, false, nil
		}
		if r.Number != a.Number+1 || r.Before != a.Hash {
			return good, true, nil
		}
		*a = Anchor{r.Number, hashOf(line)}
	}
}

// keep makes durable what was followed: its writer may have been stopped before.
func (l *Log) keep(s *spot, name string, from, to int64) error {
	if err := l.rewrite(name, from, to); err != nil {
		return err
	}
	if err := l.o.disk.sync(l.o.Dir); err != nil {
		return err
	}
	if err := writeHead(l.o.disk, l.o.Dir, head{s.Anchor, name, to}, s.slot); err != nil {
		return err
	}
	s.slot = 1 - s.slot
	return nil
}

// cut takes away what is no record, and notes that. Where it hangs on to a line that head knows, somebody has changed
// that line, and all stays to be found.
func (l *Log) cut(s *spot, i info, good int64) error {
	s.at = good
	if err := l.lookBefore(s); err != nil || s.lineBreak {
		s.at = i.size
		return err
	}
	s.mended = append(s.mended, mended{"ok", fmt.Sprintf("%d bytes after record %d were no whole line and were cut off: their writer was stopped, and nobody was told that they are kept", i.size-good, s.Number)})
	return l.o.disk.truncate(l.path(i.name), good)
}

// rewrite writes a part of a file once more: after a sync that failed, the system may hold it for written.
func (l *Log) rewrite(name string, from, to int64) error {
	f, err := l.o.disk.open(l.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	part := make([]byte, to-from)
	if _, err := f.ReadAt(part, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return l.o.disk.write(l.path(name), from, part)
}

// chooseFile goes on in the newest file where it is of this day, else in a new one, also where the clock went back: a file
// is of one day, so that it can go when that is long ago.
func (l *Log) chooseFile(s *spot, day string) error {
	if day != dayOf(s.file) {
		s.file, s.at, s.lineBreak = newFile(s.Number+1, day, s.file), 0, false
		return nil
	}
	return l.lookBefore(s)
}

// lookBefore finds out whether a line would begin after a line break.
func (l *Log) lookBefore(s *spot) error {
	if s.at == 0 {
		return nil
	}
	f, err := l.o.disk.open(l.path(s.file))
	if err != nil {
		return err
	}
	defer f.Close()
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, s.at-1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	s.lineBreak = last[0] != '\n'
	return nil
}

// settleWithoutHead goes on from the last line there is. That head was missing stays to be found.
func (l *Log) settleWithoutHead(day string, folder info) (s spot, err error) {
	files, err := l.checkedFiles(folder)
	if err != nil {
		return s, err
	}
	s = spot{Anchor: Anchor{0, genesis}, noHead: true}
	for n := len(files) - 1; n >= 0 && s.Number == 0; n-- {
		if s.Anchor, _, err = l.last(files[n]); err != nil {
			return s, err
		}
	}
	if len(files) > 0 {
		newest := files[len(files)-1]
		s.file, s.at = newest.name, newest.size
	}
	s.mended = []mended{{"failed", fmt.Sprintf("the head file was missing or broken: what was recorded after record %d may have been cut off", s.Number)}}
	return s, l.chooseFile(&s, day)
}

// last is the last record of a file and its time, the genesis where it holds none.
func (l *Log) last(i info) (Anchor, time.Time, error) {
	f, err := l.o.disk.open(l.path(i.name))
	if err != nil {
		return Anchor{}, time.Time{}, err
	}
	defer f.Close()
	lines, err := newBackReader(f, i.size)
	for err == nil {
		var line []byte
		if line, err = lines.next(); err != nil {
			break
		}
		if r, err := parseLine(line); err == nil {
			return Anchor{r.Number, hashOf(line)}, r.Time, nil
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return Anchor{0, genesis}, time.Time{}, err
}
