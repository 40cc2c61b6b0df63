package lake

import (
	"context"
	"maps"
	"slices"

	"brine/lake/duck"
)

// metaAtOnce bounds the files of one query.
const metaAtOnce = 512

// Meta gives what [Rewrite.Meta] left in the footers of files, by file. A file that has gone or cannot be read is
// missing. What was read once is remembered: a file never changes.
func (r *Rewriter) Meta(ctx context.Context, files []File) (map[Name]map[string]string, error) {
	l := r.lake
	all := make(map[Name]map[string]string, len(files))
	var unknown []File
	l.mu.Lock()
	for _, f := range files {
		if meta, ok := l.metas[f.Name]; ok {
			all[f.Name] = meta
		} else {
			unknown = append(unknown, f)
		}
	}
	l.mu.Unlock()
	for part := range slices.Chunk(unknown, metaAtOnce) {
		read, err := r.readMeta(ctx, part)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, read)
		l.mu.Lock()
		maps.Copy(l.metas, read)
		l.mu.Unlock()
	}
	return all, nil
}

// readMeta reads footers, all at once or, where one is bad, each by itself.
func (r *Rewriter) readMeta(ctx context.Context, files []File) (map[Name]map[string]string, error) {
	read, err := r.queryMeta(ctx, files)
	if err == nil || len(files) == 1 {
		if len(files) == 1 && err != nil && r.lake.examine(ctx, r.conn, err, pointersTo(files)) {
			return nil, nil
		}
		return read, err
	}
	all := map[Name]map[string]string{}
	for _, f := range files {
		one, err := r.readMeta(ctx, []File{f})
		if err != nil {
			return nil, err
		}
		maps.Copy(all, one)
	}
	return all, nil
}

func (r *Rewriter) queryMeta(ctx context.Context, files []File) (map[Name]map[string]string, error) {
	byPath := make(map[string]Name, len(files))
	all := make(map[Name]map[string]string, len(files))
	paths := r.lake.paths(pointersTo(files))
	for i, f := range files {
		byPath[paths[i]] = f.Name
		all[f.Name] = map[string]string{}
	}
	rows, err := r.conn.Query(ctx, "SELECT file_name, decode(key), decode(value) FROM parquet_kv_metadata("+duck.List(paths)+")")
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
