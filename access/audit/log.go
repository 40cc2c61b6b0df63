package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Options say where the log lies.
type Options struct {
	Dir    string           // the folder, 0700; made where missing
	Now    func() time.Time // default time.Now
	Logger *slog.Logger     // default: nothing is logged

	disk disk // default: the real one
}

// Log is the audit of one data folder. Its methods may be called from any goroutine, and several
// processes may append to one folder.
type Log struct {
	o Options

	queued sync.Mutex // guards queue
	queue  []*waiting

	writing sync.Mutex // one group at a time

	mu    sync.Mutex // guards what follows
	fault error      // of the last append
	going map[uint64]bool
}

// waiting is a record on its way. What follows it is set when it is written or has failed.
type waiting struct {
	record Record
	done   bool
	number uint64
	err    error
}

// Open makes what is missing of the folder. It refuses one that others may read or write.
func Open(o Options) (*Log, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	l := &Log{o: o, going: map[uint64]bool{}}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open the audit: %w", err)
	}
	return l, nil
}

func (l *Log) open() error {
	if err := l.o.disk.mkdir(l.o.Dir); err != nil {
		return err
	}
	unlock, err := l.o.disk.lock(l.o.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := l.checkModes(); err != nil {
		return err
	}
	_, err = l.readHeads()
	if errors.Is(err, errNoHead) {
		return nil // the next append sees to it
	}
	return err
}

// checkModes refuses a folder and files of which others than their owner can do anything with.
func (l *Log) checkModes() error {
	folder, err := l.checkFolder()
	if err != nil {
		return err
	}
	all, err := l.o.disk.list(l.o.Dir)
	for _, i := range all {
		if err := l.checkFile(i, folder); err != nil {
			return err
		}
	}
	return err
}

func (l *Log) checkFolder() (folder info, err error) {
	folder, err = l.o.disk.stat(l.o.Dir)
	if err != nil {
		return folder, err
	}
	if folder.mode&^fs.ModeSticky != fs.ModeDir|0o700 {
		return folder, fmt.Errorf("%s has mode %v: make it a folder that nobody else may enter (chmod 0700)", l.o.Dir, folder.mode)
	}
	if me := os.Geteuid(); folder.uid != me && me != 0 {
		return folder, fmt.Errorf("%s belongs to user number %d, and this is %d: run as its owner", l.o.Dir, folder.uid, me)
	}
	return folder, nil
}

func (l *Log) checkFile(i, folder info) error {
	if i.mode == 0o600 && i.uid == folder.uid {
		return nil
	}
	return fmt.Errorf("%s in %s has mode %v and belongs to user number %d: make it a file that its owner alone may read (chmod 0600, chown %d)",
		i.name, l.o.Dir, i.mode, i.uid, folder.uid)
}

// checkBefore looks at the folder and head before each append: what somebody changed since the start is not left until the next one.
// The files of records are looked at where they are found.
func (l *Log) checkBefore() (folder info, err error) {
	if folder, err = l.checkFolder(); err != nil {
		return folder, err
	}
	head, err := l.o.disk.stat(l.path(headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return folder, nil // it is about to be made
	}
	if err == nil {
		err = l.checkFile(head, folder)
	}
	return folder, err
}

// readHeads reads the head file, and makes one where nothing is recorded yet: a file of records is never
// without one.
func (l *Log) readHeads() (heads, error) {
	h, err := readHeads(l.o.disk, l.o.Dir)
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNoHead) {
		return h, err
	}
	files, err := logFiles(l.o.disk, l.o.Dir)
	if err != nil {
		return heads{}, err
	}
	if len(files) > 0 {
		return heads{}, errNoHead
	}
	first := heads{head: head{Anchor: Anchor{0, genesis}}}
	return first, makeHead(l.o.disk, l.o.Dir, first.head)
}

// Append makes a record durable and gives its number. Concurrent calls share one sync. After an error the
// record may be there or not; each call tries anew.
func (l *Log) Append(r Record) (number uint64, err error) {
	w := &waiting{record: r}
	l.queued.Lock()
	l.queue = append(l.queue, w)
	l.queued.Unlock()

	l.writing.Lock()
	defer l.writing.Unlock()
	for !w.done { // else it was in the group of another call, which held the lock
		l.writeGroup()
	}
	return w.number, w.err
}

// maxGroup is how many records are written at once, and so how many a crash can leave that head does not know.
const maxGroup = 500

func (l *Log) writeGroup() {
	l.queued.Lock()
	group := l.queue[:min(len(l.queue), maxGroup)]
	l.queue = l.queue[len(group):]
	l.queued.Unlock()
	err := l.write(group)
	if err != nil {
		err = fmt.Errorf("write the audit: %w", err)
	}
	for _, w := range group {
		w.done, w.err = true, err
	}
	l.tell(err)
}

// write makes a group durable.
func (l *Log) write(group []*waiting) error {
	unlock, err := l.o.disk.lock(l.o.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	now := l.o.Now().UTC().Truncate(time.Second)
	folder, err := l.checkBefore()
	if err != nil {
		return err
	}
	s, err := l.settle(today(now), folder)
	if err != nil {
		return err
	}
	return l.add(s, group, now)
}

// add writes the lines of a group where the chain goes on, and then head.
func (l *Log) add(s spot, group []*waiting, now time.Time) error {
	next := head{Anchor: s.Anchor, file: s.file}
	var text []byte
	if s.lineBreak {
		text = append(text, '\n')
	}
	for _, r := range s.mended {
		line, err := next.follow(&Record{Time: now, Action: Audit, Who: "brine", Outcome: r.outcome, Note: r.note})
		if err != nil {
			return err
		}
		text = append(text, line...)
	}
	for _, w := range group {
		if w.record.Time.IsZero() {
			w.record.Time = now
		}
		w.record.Time = w.record.Time.UTC().Truncate(time.Second)
		line, err := next.follow(&w.record)
		if err != nil {
			return err
		}
		text, w.number = append(text, line...), next.Number
	}
	next.size = s.at + int64(len(text))
	if err := l.addText(s, text); err != nil {
		return err
	}
	if s.noHead {
		return makeHead(l.o.disk, l.o.Dir, next)
	}
	return writeHead(l.o.disk, l.o.Dir, next, s.slot)
}

// addText takes back what it could not write whole: nobody is told that any of it is kept.
func (l *Log) addText(s spot, text []byte) error {
	path := l.path(s.file)
	err := l.o.disk.write(path, s.at, text)
	if err == nil && s.at == 0 {
		err = l.o.disk.sync(l.o.Dir)
	}
	if err == nil {
		return nil
	}
	if i, statErr := l.o.disk.stat(path); statErr == nil && i.size > s.at {
		_ = l.o.disk.truncate(path, s.at) // else the next append does it
	}
	return err
}

// tell keeps the error, and logs a change of it, once.
func (l *Log) tell(err error) {
	l.mu.Lock()
	before := l.fault
	l.fault = err
	l.mu.Unlock()
	switch {
	case err == nil && before != nil:
		l.o.Logger.Warn("the audit can be written again")
	case err != nil && (before == nil || before.Error() != err.Error()):
		l.o.Logger.Error("the audit cannot be written: reads are refused", "err", err)
	}
}

// Err is why the last append failed; nil when it did not.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// Read is a read that has begun.
type Read struct {
	log   *Log
	begin Record
	once  sync.Once
	err   error
}

// BeginRead makes the beginning of a read durable: no row may leave before it returns, and none where it fails.
// Action is set by it.
func (l *Log) BeginRead(r Record) (*Read, error) {
	r.Action = ReadBegin
	number, err := l.Append(r)
	if err != nil {
		return nil, err
	}
	r.Number = number
	l.mu.Lock()
	defer l.mu.Unlock()
	l.going[number] = true
	return &Read{log: l, begin: r}, nil
}

// Number is that of the read's beginning.
func (r *Read) Number() uint64 { return r.begin.Number }

// End records how a read ended: how many rows left, and the outcome, "ok" or why it is none. Only the first call counts.
func (r *Read) End(rows int64, outcome string) error {
	r.once.Do(func() {
		_, r.err = r.log.Append(Record{Action: ReadEnd, Who: r.begin.Who, Route: r.begin.Route, Dataset: r.begin.Dataset, Stream: r.begin.Stream,
			Read: r.begin.Number, Rows: &rows, Outcome: outcome})
		r.log.mu.Lock()
		defer r.log.mu.Unlock()
		delete(r.log.going, r.begin.Number)
	})
	return r.err
}
