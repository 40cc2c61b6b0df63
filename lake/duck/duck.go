// Package duck runs SQL in an embedded DuckDB and moves data in and out of it as data chunks:
// columns of up to 2,048 values in DuckDB's own memory.
//
// It stands on duckdb-go-bindings, the C interface below duckdb-go's database/sql driver,
// because the driver holds a whole result in memory before its first row and has no way to
// see chunks of a result. It imports only [brine/event], for the [event.Column] tree that says
// which JSON belongs to which column, and [brine/event/scan], to find the ends of texts.
package duck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	c "github.com/duckdb/duckdb-go-bindings"
	"github.com/dustin/go-humanize"
)

// ChunkRows is how many rows a data chunk holds at most.
const ChunkRows = 2048

// Options are the limits of a DB.
type Options struct {
	Memory  int64    // bytes DuckDB may hold before it spills; default 256 MB
	Threads int      // default 2
	Temp    string   // folder for spill files; "" forbids spilling
	Folders []string // the only folders SQL may read or write
}

// DB is one DuckDB instance without a file of its own.
type DB struct {
	db c.Database
}

// Open starts a DuckDB that reads and writes nothing but the given folders.
func Open(o Options) (*DB, error) {
	d := &DB{}
	if c.Open("", &d.db) != c.StateSuccess {
		return nil, errors.New("cannot start DuckDB")
	}
	conn, err := d.Conn()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	for _, set := range o.settings() {
		if err := conn.Exec(context.Background(), set); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

func (o Options) settings() []string {
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.Threads == 0 {
		o.Threads = 2
	}
	temp := "SET max_temp_directory_size = '0KB'"
	folders := o.Folders
	if o.Temp != "" {
		temp = "SET temp_directory = " + Quote(o.Temp)
		folders = append([]string{o.Temp}, folders...)
	}
	quoted := make([]string, len(folders))
	for i, f := range folders {
		quoted[i] = Quote(f)
	}
	return []string{
		fmt.Sprintf("SET memory_limit = '%dB'", o.Memory),
		fmt.Sprintf("SET threads = %d", o.Threads),
		temp,
		"SET preserve_insertion_order = true",
		"SET parquet_metadata_cache = true",
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allowed_directories = [" + strings.Join(quoted, ", ") + "]",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	}
}

// MachineMemory is how many bytes this process may have: those of the machine, or of its control group where that has less. It is
// DuckDB's own finding, by which it would take four fifths, to about a hundredth.
func MachineMemory() (int64, error) {
	d := &DB{}
	if c.Open("", &d.db) != c.StateSuccess {
		return 0, errors.New("cannot start DuckDB")
	}
	defer d.Close()
	conn, err := d.Conn()
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	rows, err := conn.Query(context.Background(), "SELECT current_setting('memory_limit')") // like 18.8 GiB
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var limit string
	for rows.Next() {
		limit = string(rows.Vector(0).String(0))
	}
	bytes, err := humanize.ParseBytes(limit)
	return int64(bytes / 4 * 5), errors.Join(err, rows.Err())
}

// Close ends the instance. Its connections must be closed before.
func (d *DB) Close() { c.Close(&d.db) }

// Conn is one connection; it serves one goroutine at a time.
type Conn struct {
	conn    c.Connection
	feeder  *feeder // nil until the first Feed
	texts   []*textFunction
	each    *eachFunction // nil until the first Each
	uuids   string        // name of the function, once there is one
	times   string        //
	chances string        //
}

// Conn opens a connection.
func (d *DB) Conn() (*Conn, error) {
	conn := &Conn{}
	if c.Connect(d.db, &conn.conn) != c.StateSuccess {
		return nil, errors.New("cannot connect to DuckDB")
	}
	return conn, nil
}

// Close ends the connection.
func (x *Conn) Close() {
	c.Disconnect(&x.conn)
	if x.feeder != nil {
		x.feeder.close()
	}
	if x.each != nil {
		x.each.close()
	}
	for _, f := range x.texts {
		f.close()
	}
}

// Exec runs one statement to its end.
func (x *Conn) Exec(ctx context.Context, sql string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := x.interruptWith(ctx)
	defer stop()
	var res c.Result
	state := c.Query(x.conn, sql, &res)
	defer c.DestroyResult(&res)
	if state != c.StateSuccess {
		return queryError(ctx, c.ResultError(&res))
	}
	return nil
}

// Query starts one statement and gives its result as a stream: chunks are made as they are
// taken, so that memory does not grow with the result. Rows must be closed before the next query.
func (x *Conn) Query(ctx context.Context, sql string) (*Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rows := &Rows{ctx: ctx, stop: x.interruptWith(ctx), chunks: make(chan c.DataChunk, chunksAhead), quit: make(chan struct{})}
	if c.Prepare(x.conn, sql, &rows.stmt) != c.StateSuccess {
		err := queryError(ctx, c.PrepareError(rows.stmt))
		rows.release()
		return nil, err
	}
	if c.ExecutePreparedStreaming(rows.stmt, &rows.res) != c.StateSuccess {
		err := queryError(ctx, c.ResultError(&rows.res))
		rows.release()
		return nil, err
	}
	go rows.fetch()
	return rows, nil
}

// interruptPause is the time between interrupts of one query. One is not enough: DuckDB forgets
// an interrupt that comes before the query has begun.
const interruptPause = 5 * time.Millisecond

// interruptWith interrupts what the connection does from the end of the context until stop.
func (x *Conn) interruptWith(ctx context.Context) (stop func()) {
	var mu sync.Mutex // after stop, whatever runs on the connection is not interrupted
	stopped := make(chan struct{})
	interrupt := func() (again bool) {
		mu.Lock()
		defer mu.Unlock()
		select {
		case <-stopped:
			return false
		default:
			c.Interrupt(x.conn)
			return true
		}
	}
	cancel := context.AfterFunc(ctx, func() {
		for interrupt() {
			select {
			case <-stopped:
			case <-time.After(interruptPause):
			}
		}
	})
	return func() {
		cancel()
		mu.Lock()
		defer mu.Unlock()
		close(stopped)
	}
}

// queryError prefers the caller's own reason for an end over DuckDB's word for it.
func queryError(ctx context.Context, msg string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Error{Message: msg}
}

// Error is what DuckDB said. Its message may hold values of the data; [Error.Error] gives it only
// for kinds that are about the machine.
type Error struct{ Message string }

func (e *Error) Error() string {
	if e.Machine() {
		return e.Kind() + ": " + firstLine(e.Message)
	}
	return e.Kind()
}

// Machine says whether the disk or the memory is at fault rather than what was read or asked.
func (e *Error) Machine() bool {
	damaged := strings.Contains(e.Message, "TProtocolException") || strings.Contains(e.Message, "magic bytes")
	return !damaged && (e.Kind() == "IO Error" || e.Kind() == outOfMemory)
}

// OutOfMemory says whether an error is that DuckDB needs more memory than it may have.
func OutOfMemory(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind() == outOfMemory
}

const (
	outOfMemory = "Out of Memory Error"
	noMemory    = "no memory for the values of a chunk" // what Go says, which DuckDB takes for bad input
)

// Kind is the class of the error, like "IO Error" or "Out of Memory Error".
func (e *Error) Kind() string {
	kind, _, ok := strings.Cut(e.Message, ":")
	switch {
	case strings.HasSuffix(e.Message, noMemory):
		return outOfMemory
	case !ok || !strings.HasSuffix(kind, "Error"):
		return "DuckDB Error"
	}
	return kind
}

func firstLine(s string) string {
	_, s, _ = strings.Cut(s, ": ")
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// Rows is a result that is read chunk by chunk. The next chunks are made while one is looked at.
type Rows struct {
	ctx    context.Context
	stop   func() // of the interrupts
	stmt   c.PreparedStatement
	res    c.Result
	chunk  c.DataChunk // the present one
	chunks chan c.DataChunk
	quit   chan struct{} // closed when no more chunks are wanted
	err    error         // to be read when chunks is closed
}

// chunksAhead is how many chunks are made before they are asked for.
const chunksAhead = 2

// fetch makes the chunks, until the end of the result or Close.
func (r *Rows) fetch() {
	defer close(r.chunks)
	for {
		var chunk c.DataChunk
		if c.StreamFetchChunk(r.res, &chunk) != c.StateSuccess {
			if msg := c.ResultError(&r.res); msg != "" || r.ctx.Err() != nil {
				r.err = queryError(r.ctx, msg)
			}
			return
		}
		if c.DataChunkGetSize(chunk) == 0 {
			c.DestroyDataChunk(&chunk)
			return
		}
		select {
		case r.chunks <- chunk:
		case <-r.quit:
			c.DestroyDataChunk(&chunk)
			return
		}
	}
}

// Next takes the next chunk and says whether there is one. What it held before is gone.
func (r *Rows) Next() (more bool) {
	c.DestroyDataChunk(&r.chunk)
	r.chunk, more = <-r.chunks
	return more
}

// Len is the number of rows in the present chunk.
func (r *Rows) Len() int { return int(c.DataChunkGetSize(r.chunk)) }

// Vector is column i of the present chunk.
func (r *Rows) Vector(i int) Vector { return newVector(c.DataChunkGetVector(r.chunk, c.IdxT(i))) }

// Err is why Next gave no more, nil at the end of the result. It is to be asked after Next has said no.
func (r *Rows) Err() error { return r.err }

// Close ends the query.
func (r *Rows) Close() {
	close(r.quit)
	for chunk := range r.chunks {
		c.DestroyDataChunk(&chunk)
	}
	c.DestroyDataChunk(&r.chunk)
	r.release()
}

func (r *Rows) release() {
	r.stop()
	c.DestroyResult(&r.res)
	c.DestroyPrepare(&r.stmt)
}

// Quote makes an SQL string literal.
func Quote(s string) string {
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if !strings.Contains(s, "\x00") {
		return quoted
	}
	return "(" + strings.ReplaceAll(quoted, "\x00", "' || chr(0) || '") + ")" // a statement ends at its first NUL
}

// Ident makes an SQL name.
func Ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// List makes an SQL list of string literals.
func List(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = Quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
