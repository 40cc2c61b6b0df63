package audit

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
)

// headFile says what the last record is of which somebody was told that it is kept. It has two slots of one length, which
// are overwritten in turn: a power cut can tear the one that is being written, never both.
const headFile = "head"

// head is what a slot says.
type head struct {
	Anchor        // the record; the genesis before the first
	file   string // which holds it; "" before the first
	size   int64  // of that file, up to and with the record's line break
}

const (
	headFormat = "%020d %s %*s %020d"
	slotLength = 20 + 1 + 64 + 1 + nameLength + 1 + 20 + 1 + 8 + 1
)

func (h head) slot() []byte {
	text := fmt.Sprintf(headFormat, h.Number, h.Hash, nameLength, h.file, h.size)
	return fmt.Appendf(nil, "%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

func parseSlot(slot []byte) (h head, ok bool) {
	fields := bytes.Fields(slot)
	if len(fields) == 4 { // no file yet
		fields = append(fields[:2], append([][]byte{nil}, fields[2:]...)...)
	}
	if len(fields) != 5 {
		return head{}, false
	}
	h.Hash, h.file = string(fields[1]), string(fields[2])
	if _, err := fmt.Sscanf(string(fields[0])+" "+string(fields[3]), "%d %d", &h.Number, &h.size); err != nil {
		return head{}, false
	}
	return h, bytes.Equal(h.slot(), slot)
}

// heads is the head file as it was read.
type heads struct {
	head
	slot int  // which holds it
	torn bool // the other one is not whole
}

var errNoHead = errors.New("neither slot of head is whole")

// readHeads reads the head file. The errors are [fs.ErrNotExist], errNoHead and those of the disk.
func readHeads(d disk, dir string) (h heads, err error) {
	f, err := d.open(filepath.Join(dir, headFile))
	if err != nil {
		return h, err
	}
	defer f.Close()
	content := make([]byte, 2*slotLength+1) // one more tells a file that is too long
	n, err := f.ReadAt(content, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return h, err
	}
	return parseHeads(content[:n])
}

func parseHeads(content []byte) (heads, error) {
	if len(content) != 2*slotLength {
		return heads{}, errNoHead
	}
	first, ok0 := parseSlot(content[:slotLength])
	second, ok1 := parseSlot(content[slotLength:])
	switch {
	case !ok0 && !ok1:
		return heads{}, errNoHead
	case ok1 && (!ok0 || second.Number > first.Number):
		return heads{second, 1, !ok0}, nil
	}
	return heads{first, 0, !ok1}, nil
}

// writeHead puts a head into the slot that does not hold the one before.
func writeHead(d disk, dir string, h head, before int) error {
	return d.write(filepath.Join(dir, headFile), int64(1-before)*slotLength, h.slot())
}

// makeHead makes the head file anew, with one head in both slots.
func makeHead(d disk, dir string, h head) error {
	path := filepath.Join(dir, headFile)
	if i, err := d.stat(path); err == nil && i.size > 2*slotLength {
		if err := d.truncate(path, 2*slotLength); err != nil {
			return err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.write(path, 0, append(h.slot(), h.slot()...)); err != nil {
		return err
	}
	return d.sync(dir)
}
