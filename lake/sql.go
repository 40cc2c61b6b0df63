package lake

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"brine/lake/duck"
)

func (l *Lake) ordered(t Table, from string) string {
	return fmt.Sprintf("(SELECT * FROM (%s) ORDER BY %s, %s)", from, duck.Ident(t.Time), duck.Ident(t.ID))
}

// readParquet is the table function over files. The folders' names are not columns.
func (l *Lake) readParquet(files ...*File) string {
	return fmt.Sprintf("read_parquet(%s, hive_partitioning=false, union_by_name=%t)", duck.List(l.paths(files)), len(files) > 1)
}

// typed is the rows of files with every column of their table, in the type that it has today: older
// files may lack columns, or have them narrower.
func (l *Lake) typed(t Table, files ...*File) string {
	columns := t.Columns
	if t.keyed {
		columns = append(slices.Clone(duck.KeyColumns), columns...)
	}
	nulls, casts := make([]string, len(columns)), make([]string, len(columns))
	for i, col := range columns {
		name, kind := duck.Ident(col.Name), duck.SQLType(col)
		nulls[i], casts[i] = fmt.Sprintf("NULL::%s AS %s", kind, name), fmt.Sprintf("TRY_CAST(%s AS %s) AS %[1]s", name, kind)
	}
	return fmt.Sprintf("(SELECT %s FROM (SELECT %s WHERE false UNION ALL BY NAME FROM %s))",
		strings.Join(casts, ", "), strings.Join(nulls, ", "), l.readParquet(files...))
}

// packing is how tightly rows are packed into a Parquet file. Row groups are small enough that looking
// up one id costs little.
type packing struct {
	level    int // of zstd
	rowGroup int // rows, a multiple of a chunk
}

var (
	// quick is for files that are soon compacted or sent. DuckDB holds a row group before it writes
	// it: where that fits into the caches and memory used before, COPY takes half the processor.
	quick = packing{level: 1, rowGroup: 10 * duck.ChunkRows}
	tight = packing{level: 9, rowGroup: 30 * duck.ChunkRows}
	// firm is for rewrites, of which a changed allowlist asks many at once. Level 1 makes sanitized rows, in which equal
	// pseudonyms lie together, 7 % smaller than level 3, and in less time.
	firm = packing{level: 1, rowGroup: 30 * duck.ChunkRows}
)

func (p packing) copyTo(source, path string) string {
	return fmt.Sprintf("COPY %s TO %s (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL %d, ROW_GROUP_SIZE %d)",
		source, duck.Quote(path), p.level, p.rowGroup)
}

// packing is firm but for what is made of sanitized rows, where that would save 1 % of the bytes for 2 % of the time.
func (w Rewrite) packing() packing {
	if w.Table.Dataset == Facts || w.Table.Dataset == Rollups {
		return packing{quick.level, firm.rowGroup}
	}
	return firm
}

// copyWith is the COPY of a rewrite, with its metadata in the footer.
func copyWith(w Rewrite, path string) string {
	packing := w.packing()
	options := fmt.Sprintf("COMPRESSION zstd, COMPRESSION_LEVEL %d", packing.level)
	if w.Plain {
		options = "COMPRESSION uncompressed"
	}
	if len(w.Meta) > 0 {
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(w.Meta)) {
			pairs = append(pairs, duck.Ident(key)+": "+duck.Quote(w.Meta[key]))
		}
		options += ", KV_METADATA {" + strings.Join(pairs, ", ") + "}"
	}
	return fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet, %s, ROW_GROUP_SIZE %d)", w.SQL, duck.Quote(path), options, packing.rowGroup)
}

func columnList(t Table) string {
	names := make([]string, len(t.Columns))
	for i, col := range t.Columns {
		names[i] = duck.Ident(col.Name)
	}
	return strings.Join(names, ", ")
}

func (l *Lake) paths(files []*File) []string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = l.place.path(f.Name)
	}
	return paths
}
