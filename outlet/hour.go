package outlet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"brine/event"
	"brine/lake"
)

// hour is one hour of a stream in the lake.
type hour struct {
	dataset, stream string
	start           time.Time
	files           []lake.File
}

func compareHours(a, b hour) int {
	return cmp.Or(a.start.Compare(b.start), strings.Compare(a.stream, b.stream))
}

// key names an hour within a dataset.
func (h hour) key() string { return h.stream + ":" + h.start.UTC().Format("2006-01-02T15") }

// prefix begins the ids of all documents of an hour.
func (h hour) prefix() string { return h.dataset + ":" + h.key() + ":" }

// state tells the files of an hour from those that it had before: no name is ever used for two contents.
func (h hour) state() string {
	sum := sha256.New()
	for _, f := range h.files {
		fmt.Fprintln(sum, f.String(), f.Size)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// holding is what the lake holds of a dataset, by the keys of hours.
type holding struct {
	hours  map[string]hour
	unsure map[string]bool // of which files are left out of the lake: what the peer has of them stays as it is
}

// has says whether the lake may hold an hour.
func (l holding) has(key string) bool {
	_, there := l.hours[key]
	return there || l.unsure[key]
}

// err tells the hours that are unsure.
func (l holding) err() error {
	if len(l.unsure) == 0 {
		return nil
	}
	return fmt.Errorf("files of the lake cannot be read (see brine status), and what the peer has of their hours stays as it is: %s", strings.Join(slices.Sorted(maps.Keys(l.unsure)), ", "))
}

// holding looks at the closed hours of the lake that are copied. Those that are open change every few seconds.
func (f *Follower) holding() holding {
	unsure := f.unsure()
	hours := f.hours()
	maps.Copy(unsure, f.unsure()) // a file may be left out, or read again, meanwhile
	maps.DeleteFunc(hours, func(key string, _ hour) bool { return unsure[key] })
	return holding{hours, unsure}
}

func (f *Follower) unsure() map[string]bool {
	keys := map[string]bool{}
	for _, n := range f.Lake.LeftOut() {
		if n.Dataset == f.Dataset && f.copies(n.Stream) {
			keys[hour{stream: n.Stream, start: n.Hour}.key()] = true
		}
	}
	return keys
}

// copies says whether a stream is copied.
func (f *Follower) copies(stream string) bool {
	return len(f.Streams) == 0 || slices.Contains(f.Streams, stream)
}

func (f *Follower) hours() map[string]hour {
	all, closedTo := map[string]hour{}, f.Lake.ClosedTo()
	for _, stream := range f.Lake.Streams(f.Dataset) {
		if !f.copies(stream) {
			continue
		}
		for _, file := range f.Lake.List(f.Dataset, stream) {
			if f.Dataset == lake.Raw && !file.Hour.Before(closedTo) {
				continue
			}
			h := hour{dataset: f.Dataset, stream: stream, start: file.Hour}
			h.files = append(all[h.key()].files, file)
			all[h.key()] = h
		}
	}
	return all
}

// batch is how many documents go at once, and atOnce how many ids are asked for.
const (
	batch  = 500
	atOnce = 2000
)

// write makes the peer hold an hour as the lake does.
func (f *Follower) write(ctx context.Context, h hour) error {
	t, err := f.Lake.Table(h.dataset, h.stream)
	if err != nil {
		return err
	}
	had := f.setHour(h.key(), "") // what is there is not known until it is done
	wanted, docs := map[[16]byte]bool{}, make([]Doc, 0, batch)
	put := func() error {
		if err := f.mayWrite(); err != nil {
			return err
		}
		err := f.Peer.Put(ctx, docs)
		docs = docs[:0]
		return err
	}
	err = f.Lake.Rows(ctx, t, h.files, func(rows *lake.Rows) error {
		for i := range rows.Len() {
			doc, err := h.document(rows, i)
			if err != nil {
				return err
			}
			wanted[short(doc.ID)] = true
			if docs = append(docs, doc); len(docs) == batch {
				if err := put(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && len(docs) > 0 {
		err = put()
	}
	if err == nil {
		err = f.removeBut(ctx, h.prefix(), func(id string) bool { return wanted[short(id)] })
	}
	if err != nil {
		f.setHour(h.key(), had)
		return err
	}
	if had != "" {
		f.dirty()
	}
	f.setHour(h.key(), h.state())
	f.wrote(h)
	return f.saveNow(false)
}

// short stands for an id in memory.
func short(id string) [16]byte {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:16])
}

// document is a row as it goes to the peer. Names that begin with _ belong to the peer: those of the row get brine in front.
func (h hour) document(rows *lake.Rows, i int) (doc Doc, err error) {
	key := rows.Key(i)
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(rows.AppendJSON(nil, i), &fields); err != nil {
		return doc, fmt.Errorf("a row is no JSON object")
	}
	for _, name := range slices.Collect(maps.Keys(fields)) {
		if strings.HasPrefix(name, "_") {
			fields["brine"+name] = fields[name]
			delete(fields, name)
		}
	}
	fields["brine_stream"], _ = json.Marshal(h.stream) // a string and a number: it cannot fail
	fields["brine_time"], _ = json.Marshal(key.Time)
	body, err := json.Marshal(fields)
	if err != nil {
		return doc, fmt.Errorf("a row is no JSON object")
	}
	digest := sha256.Sum256(body)
	return Doc{ID: h.prefix() + place(key), Digest: hex.EncodeToString(digest[:16]), Body: body}, nil
}

// place tells a row from the others of its hour, and keeps their order.
func place(key event.Key) string { return fmt.Sprintf("%013d-%s", key.Time, uuid.UUID(key.ID)) }

// removeBut takes away the documents of a prefix that are not to stay.
func (f *Follower) removeBut(ctx context.Context, prefix string, stays func(id string) bool) error {
	for after := ""; ; {
		ids, err := f.Peer.IDs(ctx, prefix, after, atOnce)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		if gone := slices.DeleteFunc(ids, stays); len(gone) > 0 {
			f.dirty()
			if err := f.saveNow(true); err != nil { // before it goes, so that the compaction is not forgotten
				return err
			}
			if err := f.mayWrite(); err != nil {
				return err
			}
			if err := f.Peer.Remove(ctx, gone); err != nil {
				return err
			}
		}
	}
}

// removeGone takes away the hours that the lake no longer has, or that are no longer copied.
func (f *Follower) removeGone(ctx context.Context, held holding) error {
	f.mu.Lock()
	keys := slices.Sorted(maps.Keys(f.pos.Hours))
	f.mu.Unlock()
	for _, key := range keys {
		if held.has(key) {
			continue
		}
		if err := f.removeBut(ctx, f.Dataset+":"+key+":", func(string) bool { return false }); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		f.mu.Lock()
		delete(f.pos.Hours, key)
		f.mu.Unlock()
	}
	return nil
}

// removeUnknown takes away the documents of all hours that the lake does not have, which no position may name: another node wrote them, or
// this one before it was killed. It asks for one document of each hour.
func (f *Follower) removeUnknown(ctx context.Context, held holding) error {
	prefix := f.Dataset + ":"
	for after := ""; ; {
		ids, err := f.Peer.IDs(ctx, prefix, after, 1)
		if err != nil || len(ids) == 0 {
			return err
		}
		stream, rest, _ := strings.Cut(strings.TrimPrefix(ids[0], prefix), ":")
		at, _, _ := strings.Cut(rest, ":")
		key := stream + ":" + at
		if !held.has(key) {
			if err := f.removeBut(ctx, prefix+key+":", func(string) bool { return false }); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		after = max(ids[0], prefix+key+":\ufff0")
	}
}
