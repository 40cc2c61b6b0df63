package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sync/errgroup"

	"brine/lake/store"
)

// objects is a ledger in an object store: entries numbered from 1, each written under the next number on the condition that nobody has. So of two who publish at
// once one is first, and knows it, whoever holds a lease. Before an entry is shown an empty mark of its number is written elsewhere: an entry that is missing is noticed,
// also the last.
//
//	_published/00000000000000000001   an [entry]: the SHA-256 of a line, and the line
//	_spent/00000000000000000001       its mark
type objects struct {
	bucket *store.Bucket
	from   folder // a ledger that is to be brought over
	marked int    // the last entry that is known to have a mark
}

// entry is one of the two.
type entry struct {
	Number    int        `json:"number"`
	Release   *Release   `json:"release,omitempty"`
	Elsewhere *elsewhere `json:"elsewhere,omitempty"`
}

func entryKey(number int) string { return fmt.Sprintf("_published/%020d", number) }
func markKey(number int) string  { return fmt.Sprintf("_spent/%020d", number) }

func (e entry) seal() []byte {
	line := mustJSON(e)
	sum := sha256.Sum256(line)
	return slices.Concat([]byte(hex.EncodeToString(sum[:])), []byte("\n"), line, []byte("\n"))
}

func unseal(text []byte, number int) (e entry, err error) {
	told, line, _ := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if sum := sha256.Sum256(line); hex.EncodeToString(sum[:]) != string(told) {
		return e, errors.New("its sum is another")
	}
	if err = json.Unmarshal(line, &e); err == nil && e.Number != number {
		err = fmt.Errorf("its number is %d", e.Number)
	}
	return e, err
}

// mostAtOnce is how many entries are asked for at a time.
const mostAtOnce = 32

func (o *objects) lock() (unlock func(), err error) { return func() {}, nil }

func (o *objects) read(ctx context.Context, before *ledgerState) (*ledgerState, error) {
	s, err := o.follow(ctx, before)
	if err == nil {
		s, err = o.bring(ctx, s)
	}
	return s, err
}

// follow goes on to the last entry.
func (o *objects) follow(ctx context.Context, before *ledgerState) (*ledgerState, error) {
	s := &ledgerState{slices.Clone(before.releases), before.elsewhere, before.last}
	for n := 1; ; n = min(2*n, mostAtOnce) {
		texts, err := o.get(ctx, s.last+1, n)
		if err != nil {
			return nil, err
		}
		for _, text := range texts {
			if err := s.take(text); err != nil {
				return nil, fmt.Errorf("%s%s is damaged: %w (restore the object)", o.bucket, entryKey(s.last+1), err)
			}
		}
		if len(texts) == n {
			continue
		}
		if whole, err := o.whole(ctx, s.last); err != nil || whole {
			slices.SortFunc(s.releases, byDate)
			return s, err
		}
	}
}

// get gives entries from a number on, up to the first that is not there.
func (o *objects) get(ctx context.Context, from, n int) ([][]byte, error) {
	texts := make([][]byte, n)
	all, ctx := errgroup.WithContext(ctx)
	for i := range texts {
		all.Go(func() (err error) {
			if texts[i], err = o.bucket.Get(ctx, entryKey(from+i)); errors.Is(err, store.ErrNotExist) {
				texts[i], err = nil, nil
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	if end := slices.IndexFunc(texts, func(text []byte) bool { return text == nil }); end >= 0 {
		texts = texts[:end]
	}
	return texts, nil
}

// take takes up the next entry.
func (s *ledgerState) take(text []byte) error {
	e, err := unseal(text, s.last+1)
	if err != nil {
		return err
	}
	s.last++
	if e.Release != nil {
		s.releases = append(s.releases, e.Release)
	}
	if e.Elsewhere != nil {
		s.elsewhere = s.elsewhere.with(*e.Elsewhere)
	}
	return nil
}

// whole marks the last entry, and says that there is none after it; false where one came just now. The error says that one is missing.
func (o *objects) whole(ctx context.Context, last int) (bool, error) {
	switch _, err := o.bucket.Get(ctx, markKey(last+1)); {
	case err == nil:
		if next, err := o.get(ctx, last+1, 1); err != nil || len(next) > 0 {
			return false, err
		}
		return false, fmt.Errorf("%s%s is missing (restore the object)", o.bucket, entryKey(last+1))
	case !errors.Is(err, store.ErrNotExist):
		return false, err
	}
	if last > o.marked {
		if err := o.bucket.Put(ctx, markKey(last), nil); err != nil && !errors.Is(err, store.ErrExists) {
			return false, err
		}
		o.marked = last
	}
	return true, nil
}

func (o *objects) add(ctx context.Context, after *ledgerState, r *Release) error {
	return o.put(ctx, entry{Number: after.last + 1, Release: r})
}

func (o *objects) note(ctx context.Context, after *ledgerState, e elsewhere) error {
	return o.put(ctx, entry{Number: after.last + 1, Elsewhere: &e})
}

// put writes an entry. After another error than errTaken it may come to be there or not: the next read tells, and nothing is written after it before.
func (o *objects) put(ctx context.Context, e entry) error {
	text := e.seal()
	err := o.bucket.Put(ctx, entryKey(e.Number), text)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	there, err := o.bucket.Get(ctx, entryKey(e.Number))
	if err == nil && !bytes.Equal(there, text) {
		err = errTaken
	}
	return err
}

// bring brings over what lies in the folder, and removes that once all of it reads back. Of hours that are published here too, it counts as spent.
func (o *objects) bring(ctx context.Context, s *ledgerState) (*ledgerState, error) {
	old, err := o.from.read(ctx, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	for _, r := range old.byNumber() {
		for !s.has(r.Date, r.sum()) {
			if s.overlaps(r.Start, r.End) {
				err = o.note(ctx, s, elsewhere{Twins: []twin{{r.Date, r.sum(), r.Spent}}})
			} else {
				one := *r
				one.Number = s.last + 1
				err = o.add(ctx, s, &one)
			}
			if s, err = o.again(ctx, s, err); err != nil {
				return nil, err
			}
		}
	}
	for !s.knows(old.elsewhere) {
		if s, err = o.again(ctx, s, o.note(ctx, s, old.elsewhere)); err != nil {
			return nil, err
		}
	}
	return s, o.from.remove()
}

// again reads what was written, by whomever.
func (o *objects) again(ctx context.Context, s *ledgerState, err error) (*ledgerState, error) {
	if err != nil && !errors.Is(err, errTaken) {
		return nil, err
	}
	return o.follow(ctx, s)
}
