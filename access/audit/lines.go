package audit

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lineReader reads the lines of a part of a file, the first first.
type lineReader struct {
	in *bufio.Reader
	at int64 // offset of what comes next
}

func newLineReader(f file, from, to int64) *lineReader {
	return &lineReader{bufio.NewReaderSize(io.NewSectionReader(f, from, to-from), int(min(to-from, maxLine))), from}
}

// next gives a line without its line break, valid until the next call. whole is false for a last one that has none, and for
// each piece of one that is longer than maxLine. The end is [io.EOF].
func (r *lineReader) next() (line []byte, whole bool, err error) {
	line, err = r.in.ReadSlice('\n')
	r.at += int64(len(line))
	switch {
	case err == nil:
		return line[:len(line)-1], true, nil
	case len(line) > 0 && (errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull)):
		return line, false, nil
	}
	return nil, false, err
}

// backReader reads the lines of the first bytes of a file, the last first.
type backReader struct {
	f    file
	at   int64  // offset of the first byte of rest
	rest []byte // what was read and is not given out
}

const block = 64 << 10

// newBackReader leaves out what follows the last line break: it is not whole, or not yet.
func newBackReader(f file, size int64) (*backReader, error) {
	r := &backReader{f: f, at: size}
	for {
		if i := bytes.LastIndexByte(r.rest, '\n'); i >= 0 {
			r.rest = r.rest[:i]
			return r, nil
		}
		r.rest = nil
		if r.at == 0 {
			return r, nil
		}
		if err := r.more(); err != nil {
			return nil, err
		}
	}
}

func (r *backReader) more() error {
	n := min(r.at, block)
	before := make([]byte, n, n+int64(len(r.rest)))
	if _, err := r.f.ReadAt(before, r.at-n); err != nil {
		return err
	}
	r.at, r.rest = r.at-n, append(before, r.rest...)
	return nil
}

// next gives a line without its line break. One that is longer than maxLine comes in pieces. The end is [io.EOF].
func (r *backReader) next() ([]byte, error) {
	for {
		if i := bytes.LastIndexByte(r.rest, '\n'); i >= 0 || r.at == 0 && r.rest != nil || len(r.rest) > maxLine {
			line := r.rest[i+1:]
			if r.rest = r.rest[:max(i, 0)]; i < 0 {
				r.rest = nil
			}
			return line, nil
		}
		if r.at == 0 {
			return nil, io.EOF
		}
		if err := r.more(); err != nil {
			return nil, err
		}
	}
}
