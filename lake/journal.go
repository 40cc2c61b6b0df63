package lake

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"brine/lake/store"
)

// A journal is the catalogue of a lake in an object store: a row of entries, numbered from 1, each written under the next
// number on the condition that nobody has. Only what an entry says is in the lake. So a commit is one write; of two
// owners one loses, and knows it; a file that a former owner writes late is in no entry, and is never read, whatever its
// name; and what is there is known without a list, which may be late.
//
// Now and again the owner writes what all entries up to one come to, a snapshot, from which others begin.
const (
	entriesFolder   = "_journal/"
	snapshotsFolder = "_snapshots/"

	snapshotEvery = 256                // entries
	entriesKept   = 7 * 24 * time.Hour // so long after a snapshot what stands before it is removed
)

// entry is one change of the lake.
type entry struct {
	Number uint64 `json:"number"`
	Lake   string `json:"lake"`  // a random name, that of the first entry
	Owner  string `json:"owner"` // a random name, one for each time that a process becomes the owner
	Epoch  uint64 `json:"epoch"`

	Own        bool      `json:"own,omitempty"`     // the ownership begins: this is its epoch mark
	Lease      uint64    `json:"lease,omitempty"`   // what it rests on
	Filling    bool      `json:"filling,omitempty"` // it begins a restore, which the entry with the restored files ends
	Add        fileList  `json:"add,omitempty"`
	Drop       nameList  `json:"drop,omitempty"` // not read from now on
	Gone       nameList  `json:"gone,omitempty"` // dropped or covered, and removed from the store
	Mark       *mark     `json:"mark,omitempty"`
	Hour       time.Time `json:"hour,omitzero"`        // that is open
	CompleteTo time.Time `json:"complete_to,omitzero"` // floored to the slot
}

// state is what a row of entries comes to.
type state struct {
	Number     uint64            `json:"number"` // of the last entry
	Lake       string            `json:"lake"`
	Owner      string            `json:"owner"`
	Epoch      uint64            `json:"epoch"`
	Lease      uint64            `json:"lease"`
	Filling    bool              `json:"filling,omitempty"` // a restore has begun and not ended
	Files      fileList          `json:"files"`             // only in a snapshot
	Covered    fileList          `json:"covered"`           // only in a snapshot
	Marks      map[string]uint64 `json:"marks"`
	Hour       time.Time         `json:"hour"`
	CompleteTo time.Time         `json:"complete_to"`

	files   map[string]map[Name]*File // by folder
	covered map[Name]*File
}

func newState() *state {
	return &state{Marks: map[string]uint64{}, files: map[string]map[Name]*File{}, covered: map[Name]*File{}}
}

// apply takes an entry up.
func (s *state) apply(e *entry) {
	s.Number, s.Lake, s.Owner, s.Epoch = e.Number, e.Lake, e.Owner, e.Epoch
	if e.Own {
		s.Lease, s.Filling = e.Lease, e.Filling
	}
	s.Filling = s.Filling && len(e.Add) == 0
	for _, f := range e.Add {
		for n := range s.files[f.Folder()] {
			if f.Covers(n) {
				s.cover(n)
			}
		}
		s.put(f)
	}
	for _, n := range e.Drop {
		s.cover(n)
	}
	for _, n := range e.Gone {
		delete(s.covered, n)
	}
	if e.Mark != nil {
		s.Marks[e.Mark.Log] = e.Mark.Last
	}
	if !e.Hour.IsZero() {
		s.Hour = e.Hour
	}
	if !e.CompleteTo.IsZero() {
		s.CompleteTo = e.CompleteTo
	}
}

func (s *state) put(f *File) {
	in := s.files[f.Folder()]
	if in == nil {
		in = map[Name]*File{}
		s.files[f.Folder()] = in
	}
	in[f.Name] = f
}

func (s *state) cover(n Name) {
	in := s.files[n.Folder()]
	f := in[n]
	if f == nil {
		return
	}
	s.covered[n] = f
	delete(in, n)
	if len(in) == 0 {
		delete(s.files, n.Folder())
	}
}

// find is a file that is there, read or not yet swept.
func (s *state) find(n Name) *File {
	if f := s.files[n.Folder()][n]; f != nil {
		return f
	}
	return s.covered[n]
}

// journal is the row of entries as far as it is known here, and the means to go on with it.
type journal struct {
	bucket *store.Bucket
	log    *slog.Logger
	now    func() time.Time

	turn    *semaphore.Weighted // one at a time reads or writes entries; nobody waits for it longer than for an answer of the store
	pending *entry              // an entry of which it is not known whether it was written; nothing else is until it is
	text    []byte              // of pending
	looked  time.Time           // when the end was last seen, by the time of day
	seen    error               // what the last look came to

	looks atomic.Uint64 // how many were begun by refresh

	mu    sync.Mutex // guards what follows
	state *state
	doubt map[Name]bool // the files of pending
	owner string        // this process as the owner; "" where it is not
}

// ErrFenced is work of an owner in whose place another came.
var ErrFenced = fmt.Errorf("another node owns this lake now: %w", ErrNotOwner)

func entryKey(number uint64) string    { return fmt.Sprintf("%s%020d", entriesFolder, number) }
func snapshotKey(number uint64) string { return fmt.Sprintf("%s%020d", snapshotsFolder, number) }

// own begins an ownership with an entry of its own. The epoch is above all before it, and at least that of the lease.
func (j *journal) own(ctx context.Context, lease uint64, filling bool, judge func(*state) error) (epoch uint64, err error) {
	if err := j.turn.Acquire(ctx, 1); err != nil {
		return 0, err
	}
	defer j.turn.Release(1)
	j.setPending(nil, nil)
	if err := j.follow(ctx); err != nil {
		return 0, err
	}
	if err := judge(j.state); err != nil {
		return 0, err
	}
	j.mu.Lock()
	e := &entry{Own: true, Lease: lease, Filling: filling, Lake: j.state.Lake, Epoch: max(lease, j.state.Epoch+1), Owner: rand.Text()}
	j.owner = e.Owner
	j.mu.Unlock()
	if e.Lake == "" {
		e.Lake = rand.Text()
	}
	if err := j.write(ctx, e); err != nil {
		j.disown()
		return 0, err
	}
	return e.Epoch, nil
}

// number is that of the last entry known.
func (j *journal) number() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.Number
}

// leased is the lease of the newest ownership.
func (j *journal) leased() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.Lease
}

func (j *journal) disown() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.owner = ""
}

// append adds an entry of the owner. After an error it may be there or not: the next append or [journal.settle] finds out.
func (j *journal) append(ctx context.Context, e *entry) error {
	if err := j.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer j.turn.Release(1)
	if _, err := j.settleNow(ctx); err != nil {
		return err
	}
	if err := j.owned(); err != nil {
		return err
	}
	s := j.state
	e.Lake, e.Owner, e.Epoch = s.Lake, s.Owner, s.Epoch
	if err := j.write(ctx, e); err != nil {
		return err
	}
	if e.Number%snapshotEvery == 0 {
		if err := j.snapshot(ctx); err != nil { // others read more entries for the want of it
			j.log.Warn("cannot write a snapshot of the lake's journal", "err", err)
		}
	}
	return nil
}

// owned is nil where this process owns the lake, as far as is known.
func (j *journal) owned() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch j.owner {
	case "":
		return ErrNotOwner
	case j.state.Owner:
		return nil
	}
	return ErrFenced
}

// write puts an entry under the next number; turn is held.
func (j *journal) write(ctx context.Context, e *entry) error {
	e.Number = j.state.Number + 1
	text, err := seal(e)
	if err != nil {
		return err
	}
	j.setPending(e, text)
	_, err = j.settleNow(ctx)
	return err
}

// settle finds out what became of an entry that failed, and says whether it was written.
func (j *journal) settle(ctx context.Context) (written bool, err error) {
	if err := j.turn.Acquire(ctx, 1); err != nil {
		return false, err
	}
	defer j.turn.Release(1)
	return j.settleNow(ctx)
}

// settleNow writes the pending entry until it is known who has its number: an earlier try may arrive late, so that
// nothing else may be tried under it.
func (j *journal) settleNow(ctx context.Context) (written bool, err error) {
	if j.pending == nil {
		return false, nil
	}
	if j.away() { // what has its number may be gone by now, and whoever wrote it goes on from there
		if err := j.load(ctx); err != nil {
			return false, err
		}
		if j.state.Number >= j.pending.Number {
			j.setPending(nil, nil)
			return false, j.lost(ctx)
		}
	}
	key := entryKey(j.pending.Number)
	err = j.bucket.Put(ctx, key, j.text)
	if errors.Is(err, store.ErrExists) {
		var there []byte
		if there, err = j.bucket.Get(ctx, key); err == nil && !bytes.Equal(there, j.text) {
			j.setPending(nil, nil)
			return false, j.lost(ctx)
		}
	}
	if err != nil {
		return false, err
	}
	j.apply(j.pending)
	j.setPending(nil, nil)
	j.saw()
	return true, nil
}

// saw notes that the end is known as of now.
func (j *journal) saw() { j.looked = j.now().Round(0) } // without the monotonic clock, which stands still while a machine sleeps

// away says whether nobody looked for so long that entries which were not read may be gone.
func (j *journal) away() bool { return j.now().Sub(j.looked).Abs() > entriesKept/2 }

func (j *journal) setPending(e *entry, text []byte) {
	j.pending, j.text = e, text
	j.mu.Lock()
	defer j.mu.Unlock()
	j.doubt = map[Name]bool{}
	if e != nil {
		for _, f := range e.Add {
			j.doubt[f.Name] = true
		}
	}
}

// lost takes up what others wrote, to whom the number went.
func (j *journal) lost(ctx context.Context) error {
	if err := j.follow(ctx); err != nil {
		return err
	}
	j.log.Error("another node took the lake over: this one writes it no more", "epoch", j.state.Epoch)
	return ErrFenced
}

func (j *journal) apply(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.apply(e)
}

// refresh takes up what was written since. Of those who wait for their turn, one looks for all.
func (j *journal) refresh(ctx context.Context) error {
	came := j.looks.Load()
	if err := j.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer j.turn.Release(1)
	if j.looks.Load() > came { // a look began after this one was asked for, and has ended
		return j.seen
	}
	j.looks.Add(1)
	j.seen = j.look(ctx)
	if ctx.Err() != nil {
		j.looks.Store(came) // that of whoever asked, and no answer for others
	}
	return j.seen
}

func (j *journal) look(ctx context.Context) error {
	_, err := j.settleNow(ctx)
	if err == nil {
		err = j.follow(ctx)
	}
	if errors.Is(err, ErrFenced) {
		return nil // what others wrote is taken up; who writes is told
	}
	return err
}

// follow reads entries up to the end; turn is held. Where nobody looked for long, it begins anew with a snapshot, as
// entries may be gone.
func (j *journal) follow(ctx context.Context) error {
	if j.away() {
		if err := j.load(ctx); err != nil {
			return err
		}
	}
	for {
		e := &entry{}
		number := j.state.Number + 1
		err := j.read(ctx, entryKey(number), e)
		if errors.Is(err, store.ErrNotExist) {
			j.saw()
			return nil
		}
		if err == nil && (e.Number != number || j.state.Lake != "" && e.Lake != j.state.Lake) {
			err = fmt.Errorf("%w: %s is an entry of another number or lake", store.ErrWrong, entryKey(number))
		}
		if err != nil {
			return err
		}
		j.apply(e)
	}
}

// load begins with the newest snapshot that can be read. One that a late list does not show costs some reading only.
func (j *journal) load(ctx context.Context) error {
	numbers, err := j.snapshots(ctx)
	if err != nil {
		return err
	}
	for _, at := range slices.Backward(numbers) {
		if at.number < j.state.Number {
			break // what is known here is newer
		}
		s := newState()
		err := j.read(ctx, snapshotKey(at.number), s)
		if errors.Is(err, store.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, f := range s.Files {
			s.put(f)
		}
		for _, f := range s.Covered {
			s.covered[f.Name] = f
		}
		s.Files, s.Covered = nil, nil
		j.mu.Lock()
		j.state = s
		j.mu.Unlock()
		return nil
	}
	return nil
}

type snapshotAt struct {
	number uint64
	since  time.Time
}

func (j *journal) snapshots(ctx context.Context) (all []snapshotAt, err error) {
	for o, err := range j.bucket.List(ctx, snapshotsFolder) {
		if err != nil {
			return nil, err
		}
		if n, err := strconv.ParseUint(strings.TrimPrefix(o.Key, snapshotsFolder), 10, 64); err == nil {
			all = append(all, snapshotAt{n, o.Since})
		}
	}
	return all, nil
}

// snapshot writes down what all entries come to, and removes what nobody begins with any more. The first entry stays:
// by it nobody takes a lake for a new one.
func (j *journal) snapshot(ctx context.Context) error {
	s := *j.state
	for _, in := range s.files {
		for _, f := range in {
			s.Files = append(s.Files, f)
		}
	}
	for _, f := range s.covered {
		s.Covered = append(s.Covered, f)
	}
	text, err := seal(&s)
	if err != nil {
		return err
	}
	if err := j.bucket.Put(ctx, snapshotKey(s.Number), text); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	return j.prune(ctx)
}

func (j *journal) prune(ctx context.Context) error {
	all, err := j.snapshots(ctx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(a snapshotAt) bool { return j.now().Sub(a.since) < entriesKept })
	if len(all) == 0 {
		return nil
	}
	oldest := all[len(all)-1].number
	for _, a := range all[:len(all)-1] {
		if err := j.bucket.Delete(ctx, snapshotKey(a.number)); err != nil {
			return err
		}
	}
	for o, err := range j.bucket.List(ctx, entriesFolder) {
		if err != nil {
			return err
		}
		if o.Key >= entryKey(oldest) {
			return nil
		}
		if o.Key == entryKey(1) {
			continue
		}
		if err := j.bucket.Delete(ctx, o.Key); err != nil {
			return err
		}
	}
	return nil
}

// tries is how often wrong bytes are asked for again.
const tries = 3

// read gets and opens what [seal] made.
func (j *journal) read(ctx context.Context, key string, into any) (err error) {
	for range tries {
		var text []byte
		if text, err = j.bucket.Get(ctx, key); err != nil {
			return err
		}
		if err = unseal(text, into); err == nil {
			return nil
		}
		err = fmt.Errorf("%w: %s%s: %w", store.ErrWrong, j.bucket, key, err)
		j.log.Error("the object store answers wrong bytes", "object", key)
	}
	return err
}

// seal is a value as JSON, packed, behind its SHA-256.
func seal(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(packed.Bytes())
	return append([]byte(hex.EncodeToString(sum[:])+"\n"), packed.Bytes()...), nil
}

func unseal(text []byte, into any) error {
	sum, packed, _ := bytes.Cut(text, []byte("\n"))
	if is := sha256.Sum256(packed); hex.EncodeToString(is[:]) != string(sum) {
		return errors.New("its SHA-256 is another")
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, into)
}
