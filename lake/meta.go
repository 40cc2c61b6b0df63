package lake

import (
	"context"
	"maps"
	"slices"

	"brine/lake/duck"
	"brine/lake/store"
)

// metaAtOnce bounds the files of one query.
const metaAtOnce = 512

// Meta gives what [Rewrite.Meta] left in the footers of files, by file. A file that has gone or cannot be read is
// missing. What was read once is remembered: a file never changes.
func (r *Rewriter) Meta(ctx context.Context, files []File) (map[Name]map[string]string, error) {
	all, unknown := r.lake.knownMeta(files)
	return all, r.lake.learnMeta(ctx, r.conn, unknown, all)
}

// Meta is [Rewriter.Meta] for who reads only.
func (l *Lake) Meta(ctx context.Context, files []File) (map[Name]map[string]string, error) {
	all, unknown := l.knownMeta(files)
	if len(unknown) == 0 {
		return all, nil
	}
	conn, done, err := l.readConn()
	if err != nil {
		return nil, err
	}
	defer done()
	return all, l.learnMeta(ctx, conn, unknown, all)
}

func (l *Lake) knownMeta(files []File) (all map[Name]map[string]string, unknown []File) {
	all = make(map[Name]map[string]string, len(files))
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range files {
		if meta, ok := l.metas[f.Name]; ok {
			all[f.Name] = meta
		} else if f.sum != (store.Sum{}) { // its journal says it
			all[f.Name] = f.meta
		} else {
			unknown = append(unknown, f)
		}
	}
	return all, unknown
}

// learnMeta reads what is unknown, and adds it to all.
func (l *Lake) learnMeta(ctx context.Context, conn *duck.Conn, unknown []File, all map[Name]map[string]string) error {
	for part := range slices.Chunk(unknown, metaAtOnce) {
		read, err := l.readMeta(ctx, conn, part)
		if err != nil {
			return err
		}
		maps.Copy(all, read)
		l.mu.Lock()
		maps.Copy(l.metas, read)
		l.mu.Unlock()
	}
	return nil
}

// readMeta reads footers, all at once or, where one is bad, each by itself.
func (l *Lake) readMeta(ctx context.Context, conn *duck.Conn, files []File) (map[Name]map[string]string, error) {
	read, err := metaOf(ctx, conn, l.place.path, files)
	if err == nil || len(files) == 1 {
		if len(files) == 1 && err != nil && l.examine(ctx, conn, err, pointersTo(files)) {
			return nil, nil
		}
		return read, err
	}
	all := map[Name]map[string]string{}
	for _, f := range files {
		one, err := l.readMeta(ctx, conn, []File{f})
		if err != nil {
			return nil, err
		}
		maps.Copy(all, one)
	}
	return all, nil
}

// metaOf is what footers say, of files that lie where path has them.
func metaOf(ctx context.Context, conn *duck.Conn, path func(Name) string, files []File) (map[Name]map[string]string, error) {
	byPath := make(map[string]Name, len(files))
	all := make(map[Name]map[string]string, len(files))
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = path(f.Name)
		byPath[paths[i]] = f.Name
		all[f.Name] = map[string]string{}
	}
	rows, err := conn.Query(ctx, "SELECT file_name, decode(key), decode(value) FROM parquet_kv_metadata("+duck.List(paths)+")")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		file, key, value := rows.Vector(0), rows.Vector(1), rows.Vector(2)
		for i := range rows.Len() {
			all[byPath[string(file.String(i))]][string(key.String(i))] = string(value.String(i))
		}
	}
	return all, rows.Err()
}
