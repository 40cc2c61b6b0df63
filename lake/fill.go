package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"brine/lake/duck"
	"brine/lake/store"
)

// ErrNotEmpty is a place that holds a lake already.
var ErrNotEmpty = errors.New("there is a lake already")

// Fill puts files into a lake in an object store that is empty, as at a restore: path says where each lies, below one of these folders, by its path
// below the lake's folder. So may commit marks, which are empty. The files count all at once, by the last of the journal's entries. A Fill that fails or is
// cut off can be tried again; whoever owns the lake instead removes what it wrote. The errors are [ErrNotEmpty], and those of files that cannot be read and of the store.
func (l *Lake) Fill(ctx context.Context, folders []string, path map[string]string) error {
	r, ok := l.place.(*remote)
	if !ok {
		return errors.New("only a lake in an object store is filled")
	}
	var files []*File
	var marks []mark
	for rel := range path {
		if n, err := ParseName(rel); err == nil {
			files = append(files, &File{Name: n})
		} else if m, markErr := parseMark(filepath.Base(rel)); markErr == nil {
			marks = append(marks, m)
		} else {
			return err
		}
	}
	slices.SortFunc(files, func(a, b *File) int { return compareNames(a.Name, b.Name) })
	at := func(n Name) string { return path[keyOf(n)] }
	if err := r.begin(ctx, files); err != nil {
		return err
	}
	defer r.journal.disown()
	if err := l.describe(ctx, folders, files, at); err != nil {
		return err
	}
	all, putting := errgroup.WithContext(ctx)
	all.SetLimit(fetchesAtOnce)
	for _, f := range files {
		all.Go(func() error { return r.put(putting, f, at(f.Name)) })
	}
	if err := all.Wait(); err != nil {
		return err
	}
	for _, m := range marks {
		if err := r.journal.append(ctx, &entry{Mark: &m}); err != nil {
			return err
		}
	}
	return r.journal.append(ctx, &entry{Add: files})
}

// begin writes the epoch mark of a lake that is to be filled, before any object: epochs go on from those in the files' names, so that for the
// owner after this one they are strays where they are in no entry.
func (r *remote) begin(ctx context.Context, files []*File) error {
	_, err := r.journal.own(ctx, 0, true, func(s *state) error {
		if s.Number > 0 && !s.Filling {
			return fmt.Errorf("%w: %s", ErrNotEmpty, r.bucket)
		}
		for _, f := range files {
			s.Epoch = max(s.Epoch, f.Epoch)
		}
		return nil
	})
	return err
}

// describe finds out what the journal says of files that lie in folders.
func (l *Lake) describe(ctx context.Context, folders []string, files []*File, path func(Name) string) error {
	db, err := duck.Open(duck.Options{Memory: l.opts.Memory, Folders: folders})
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn()
	if err != nil {
		return err
	}
	defer conn.Close()
	byTable := map[tableKey][]*File{}
	for _, f := range files {
		key := tableKey{f.Dataset, f.Stream}
		byTable[key] = append(byTable[key], f)
	}
	for key, all := range byTable {
		for part := range slices.Chunk(all, metaAtOnce) {
			if err := l.describeSome(ctx, conn, key, part, path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Lake) describeSome(ctx context.Context, conn *duck.Conn, key tableKey, files []*File, path func(Name) string) error {
	plain := make([]File, len(files))
	for i, f := range files {
		plain[i] = *f
	}
	metas, err := metaOf(ctx, conn, path, plain)
	if err != nil {
		return err
	}
	timeColumn := duck.KeyColumns[0].Name // as of all that is sanitized
	if t, err := l.Table(key.dataset, key.stream); err == nil {
		timeColumn = t.Time
	}
	footers, faults, err := readFooters(ctx, conn, path, timeColumn, files)
	if err != nil {
		return err
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s: %s", faults[0].Path, faults[0].Why)
	}
	for _, f := range files {
		read := footers[f]
		if read.rows == 0 { // it is empty, or of a stream that is collected no more, which nobody reads
			if read.rows, err = number(ctx, conn, "SELECT num_rows FROM parquet_file_metadata("+duck.Quote(path(f.Name))+")"); err != nil {
				return err
			}
			read.min, read.max = f.Hour.UnixMilli(), f.Hour.UnixMilli()
		}
		info, err := os.Stat(path(f.Name))
		if err != nil {
			return err
		}
		if f.sum, err = store.SumOf(path(f.Name)); err != nil {
			return err
		}
		f.Size, f.Rows, f.Min, f.Max, f.known, f.meta = info.Size(), read.rows, read.min, read.max, true, metas[f.Name]
	}
	return nil
}
