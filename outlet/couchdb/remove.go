package couchdb

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-kivik/kivik/v4"

	"brine/outlet"
)

// removeAtOnce is how many documents go in one request: CouchDB purges 100 at once by default.
const removeAtOnce = 100

// Remove purges documents, or deletes them where the peer cannot purge.
func (d *Database) Remove(ctx context.Context, ids []string) error {
	for len(ids) > 0 {
		n := min(removeAtOnce, len(ids))
		if err := d.remove(ctx, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (d *Database) remove(ctx context.Context, ids []string) error {
	docs := make([]outlet.Doc, len(ids))
	for i, id := range ids {
		docs[i].ID = id
	}
	held, err := d.held(ctx, docs)
	if err != nil || len(held) == 0 {
		return err
	}
	if !d.noPurge.Load() {
		done, err := d.purge(ctx, held)
		if err != nil || done {
			return err
		}
		d.noPurge.Store(true)
	}
	return d.delete(ctx, held)
}

// purge is not done where the peer has no _purge.
func (d *Database) purge(ctx context.Context, held map[string]heldDoc) (done bool, err error) {
	revs := map[string][]string{}
	for id, h := range held {
		revs[id] = []string{h.rev}
	}
	result, err := d.db.Purge(ctx, revs)
	switch kivik.HTTPStatus(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusBadRequest:
		return false, nil
	}
	if err != nil {
		return false, failed("purge documents", err)
	}
	if len(result.Purged) != len(held) {
		return false, nil // it only seems to have it
	}
	return true, nil
}

// delete leaves a revision without content, above those that the compaction takes.
func (d *Database) delete(ctx context.Context, held map[string]heldDoc) error {
	var gone []any
	for id, h := range held {
		gone = append(gone, map[string]any{"_id": id, "_rev": h.rev, "_deleted": true})
	}
	results, err := d.db.BulkDocs(ctx, gone)
	if err != nil {
		return failed("delete documents", err)
	}
	if len(results) != len(gone) {
		return fmt.Errorf("the peer answered for %d documents of %d", len(results), len(gone))
	}
	for _, r := range results {
		if r.Error != nil {
			return fmt.Errorf("the peer refused to delete a document with status %d", kivik.HTTPStatus(r.Error))
		}
	}
	return nil
}

// Compact has the database forget bodies of revisions that are not the newest, and views what they made of them.
func (d *Database) Compact(ctx context.Context) error {
	if err := d.db.Compact(ctx); err != nil {
		return failed("compact the database", err)
	}
	if err := d.db.ViewCleanup(ctx); err != nil {
		return failed("clean up the views", err)
	}
	return nil
}

// Purges says whether the peer has _purge, as far as it is known.
func (d *Database) Purges() bool { return !d.noPurge.Load() }
