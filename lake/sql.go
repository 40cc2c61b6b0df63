package lake

import (
	"fmt"
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
)

func (p packing) copyTo(source, path string) string {
	return fmt.Sprintf("COPY %s TO %s (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL %d, ROW_GROUP_SIZE %d)",
		source, duck.Quote(path), p.level, p.rowGroup)
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
		paths[i] = l.disk.path(f.String())
	}
	return paths
}
