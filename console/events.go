package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"brine/access/gate"
	"brine/event"
	"brine/lake"
)

// format is a media type that events are given in.
type format struct {
	mediaType string
	paged     bool
	write     func(s *Server, w http.ResponseWriter, r *http.Request, q lake.Query, sent *int64) error
}

var formats = []format{
	{"application/json", true, (*Server).writePage}, // first: what a client gets that does not choose
	{"application/x-ndjson", false, (*Server).writeNDJSON},
	{"text/csv", false, (*Server).writeCSV},
	{"application/vnd.apache.parquet", false, (*Server).writeParquet},
}

// formatOf is what a request likes best.
func formatOf(r *http.Request) (format, error) {
	mediaTypes := make([]string, len(formats))
	for i, f := range formats {
		mediaTypes[i] = f.mediaType
	}
	if best := gate.Prefers(r, mediaTypes...); best >= 0 {
		return formats[best], nil
	}
	return format{}, refusal(http.StatusNotAcceptable, "Accept one of "+strings.Join(mediaTypes, ", "))
}

func (s *Server) events(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	q, err := s.query(r)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	f, err := formatOf(r)
	if err != nil {
		return err
	}
	if values := r.URL.Query(); !f.paged && (values.Get("limit") != "" || values.Get("cursor") != "") {
		return badRequest("limit and cursor are for pages: Accept: application/json")
	}
	if err := tellsItsEnd(r); err != nil && !f.paged {
		return err
	}
	s.completeTo(w)
	w.Header().Set("Content-Type", f.mediaType)
	if r.Method == http.MethodHead {
		return nil
	}
	return s.read(r, p, q, func(sent *int64) error { return f.write(s, w, r, q, sent) })
}

// tellsItsEnd refuses to stream over HTTP/1.0, where an answer that breaks off ends as a whole one does.
func tellsItsEnd(r *http.Request) error {
	if r.Proto != "HTTP/1.0" {
		return nil
	}
	return refusal(http.StatusHTTPVersionNotSupported,
		"over HTTP/1.0 nobody could tell that rows are missing at the end: ask by HTTP/1.1 (nginx: proxy_http_version 1.1), or for pages (Accept: application/json)")
}

// completeTo says how far the answer is complete: what was acknowledged later may be missing. It is called before the lake is
// read, as what is flushed meanwhile is not in the answer.
func (s *Server) completeTo(w http.ResponseWriter) {
	if t := s.Lake.CompleteTo(); !t.IsZero() {
		w.Header().Set("Brine-Complete-To", t.UTC().Format(time.RFC3339))
	}
}

// writeBuffer is how many bytes are gathered before they are sent.
const writeBuffer = 256 << 10

// stream sends rows as they are read, and counts in rows those that may have left.
func (s *Server) stream(w io.Writer, r *http.Request, q lake.Query, sent *int64, appendRow func(dst []byte, rows *lake.Rows, i int) []byte) error {
	buf := make([]byte, 0, writeBuffer+64<<10)
	gathered := int64(0)
	flush := func() error {
		*sent += gathered
		err := send(w, buf)
		buf, gathered = buf[:0], 0
		return err
	}
	err := s.Lake.Scan(r.Context(), q, func(rows *lake.Rows) error {
		for i := range rows.Len() {
			buf = appendRow(buf, rows, i)
			if gathered++; len(buf) < writeBuffer {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && *sent > 0 {
		return errors.Join(errBroken, err)
	}
	if err == nil {
		err = flush()
	}
	return err
}

func (s *Server) writeNDJSON(w http.ResponseWriter, r *http.Request, q lake.Query, sent *int64) error {
	q.Limit = 0
	return s.stream(w, r, q, sent, func(dst []byte, rows *lake.Rows, i int) []byte {
		return append(rows.AppendJSON(dst, i), '\n')
	})
}

func (s *Server) writeCSV(w http.ResponseWriter, r *http.Request, q lake.Query, sent *int64) error {
	q.Limit = 0
	header := make([]string, len(q.Table.Columns))
	for i, col := range q.Table.Columns {
		header[i] = col.Name
	}
	head := strings.Join(header, ",") + "\r\n"
	return s.stream(&prefixed{w, []byte(head)}, r, q, sent, func(dst []byte, rows *lake.Rows, i int) []byte {
		return rows.AppendCSV(dst, i)
	})
}

// prefixed writes a prefix before the first bytes.
type prefixed struct {
	w      io.Writer
	prefix []byte
}

func (p *prefixed) Write(b []byte) (int, error) {
	if p.prefix != nil {
		if _, err := p.w.Write(p.prefix); err != nil {
			return 0, err
		}
		p.prefix = nil
	}
	return p.w.Write(b)
}

// writePage answers {"events":[…],"next":"…"}; next is missing on the last page.
func (s *Server) writePage(w http.ResponseWriter, r *http.Request, q lake.Query, sent *int64) error {
	limit := q.Limit
	q.Limit++ // one more tells whether there is a next page
	page := []byte(`{"events":[`)
	var last event.Key
	n := 0
	err := s.Lake.Scan(r.Context(), q, func(rows *lake.Rows) error {
		for i := range rows.Len() {
			if n++; n > limit {
				return nil
			}
			if n > 1 {
				page = append(page, ',')
			}
			page = rows.AppendJSON(page, i)
			last = rows.Key(i)
		}
		return nil
	})
	if err != nil {
		return err
	}
	page = append(page, ']')
	if n > limit {
		page = fmt.Appendf(page, `,"next":"%s"`, formatCursor(last))
	}
	*sent = int64(min(n, limit))
	page = append(page, '}', '\n')
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	if err := send(w, page); err != nil {
		return err
	}
	_ = http.NewResponseController(w).Flush() // the client need not wait until the end of the read is recorded; what is no connection cannot flush
	return nil
}

// writeParquet makes the file first, as its footer stands at its end.
func (s *Server) writeParquet(w http.ResponseWriter, r *http.Request, q lake.Query, sent *int64) error {
	path := filepath.Join(s.Temp, uuid.NewString()+".parquet")
	return s.Lake.Export(r.Context(), q, path, func(ctx context.Context, rows int64) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := ctx.Err(); err != nil { // nobody waits for it any more, so no row leaves
			return err
		}
		w.Header().Set("Content-Disposition", `attachment; filename="`+q.Table.Stream+`.parquet"`)
		*sent = rows // all of them may leave with the first buffer: what is in which is not known
		if _, err := io.Copy(w, untilEnded{ctx, f}); err != nil {
			return errors.Join(errBroken, err)
		}
		return nil
	})
}

// untilEnded reads until its context ends.
type untilEnded struct {
	ctx context.Context
	r   io.Reader
}

func (u untilEnded) Read(b []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(b)
}
