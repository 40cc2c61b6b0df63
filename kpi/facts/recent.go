package facts

import "container/list"

// recent remembers values, those that were used last, up to about so many bytes. It serves one goroutine.
type recent[K comparable, V any] struct {
	limit, bytes int64
	entries      map[K]*list.Element // of remembered[K, V]
	order        *list.List          // the last used in front
}

type remembered[K comparable, V any] struct {
	key   K
	value V
	bytes int64
}

// rememberedBytes is about what it takes to remember nothing at all: places in the map and the list, a key without its texts, and empty
// maps.
const rememberedBytes = 640

func newRecent[K comparable, V any](limit int64) *recent[K, V] {
	return &recent[K, V]{limit: limit, entries: map[K]*list.Element{}, order: list.New()}
}

// get is zero for what is not remembered.
func (r *recent[K, V]) get(k K) (v V) {
	e := r.entries[k]
	if e == nil {
		return v
	}
	r.order.MoveToFront(e)
	return e.Value.(*remembered[K, V]).value
}

// put remembers a value of so many bytes, its key's texts among them, and lets go of those that were used longest ago.
func (r *recent[K, V]) put(k K, v V, bytes int64) {
	r.drop(k)
	bytes += rememberedBytes
	r.bytes += bytes
	r.entries[k] = r.order.PushFront(&remembered[K, V]{k, v, bytes})
	for r.bytes > r.limit && r.order.Len() > 1 {
		r.drop(r.order.Back().Value.(*remembered[K, V]).key)
	}
}

func (r *recent[K, V]) drop(k K) {
	if e := r.entries[k]; e != nil {
		r.bytes -= e.Value.(*remembered[K, V]).bytes
		r.order.Remove(e)
		delete(r.entries, k)
	}
}

// dropIf drops what is no longer so.
func (r *recent[K, V]) dropIf(gone func(K, V) bool) {
	for k, e := range r.entries {
		if gone(k, e.Value.(*remembered[K, V]).value) {
			r.drop(k)
		}
	}
}
