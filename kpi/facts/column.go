package facts

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
	"unsafe"
)

// column is values of which few are different.
type column[V comparable] struct {
	values []V      // the different ones
	of     []uint32 // for each fact the place of its value
	places map[V]uint32
}

func (c *column[V]) place(v V) uint32 {
	place, met := c.places[v]
	if !met {
		place = uint32(len(c.values))
		c.values = append(c.values, v)
		c.places[v] = place
	}
	return place
}

func (c *column[V]) reset() {
	if c.places == nil {
		c.places = map[V]uint32{}
	}
	clear(c.places)
	c.values, c.of = c.values[:0], c.of[:0]
}

// at is the value of a fact; zero where the column was not read.
func (c *column[V]) at(i int) (v V) {
	if i < len(c.of) {
		v = c.values[c.of[i]]
	}
	return v
}

// appendPlaces writes which value each fact has, where there is a choice.
func (c *column[V]) appendPlaces(dst []byte) []byte {
	if len(c.values) > 1 {
		for _, place := range c.of {
			dst = binary.AppendUvarint(dst, uint64(place))
		}
	}
	return dst
}

var errBlock = errors.New("not the encoding of facts")

// parseCount reads how many different values there are.
func parseCount(from []byte, values int) (count int, rest []byte, err error) {
	n, size := binary.Uvarint(from)
	if size <= 0 || n > uint64(values) || n == 0 && values > 0 {
		return 0, nil, errBlock
	}
	return int(n), from[size:], nil
}

// parsePlaces reads which value each fact has.
func (c *column[V]) parsePlaces(from []byte, values int) error {
	c.of = slices.Grow(c.of, values)[:values]
	switch count := uint64(len(c.values)); {
	case count <= 1:
		clear(c.of)
		if len(from) > 0 {
			return errBlock
		}
	case count <= 0x80 && len(from) == values: // as mostly: each is a byte
		for i, place := range from {
			if uint64(place) >= count {
				return errBlock
			}
			c.of[i] = uint32(place)
		}
	default:
		for i := range c.of {
			place, size := binary.Uvarint(from)
			if size <= 0 || place >= count {
				return errBlock
			}
			c.of[i], from = uint32(place), from[size:]
		}
		if len(from) > 0 {
			return errBlock
		}
	}
	return nil
}

// numbers is a column of numbers.
type numbers struct {
	column[uint64]
	last uint32 // the place of the latest: most are as the one before
}

func (c *numbers) add(v uint64) {
	if len(c.of) == 0 || c.values[c.last] != v {
		c.last = c.place(v)
	}
	c.of = append(c.of, c.last)
}

func (c *numbers) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c.values)))
	for _, v := range c.values {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	return c.appendPlaces(dst)
}

func (c *numbers) parse(from []byte, values int) error {
	count, from, err := parseCount(from, values)
	if err != nil || len(from) < 8*count {
		return errBlock
	}
	for range count {
		c.values, from = append(c.values, binary.LittleEndian.Uint64(from)), from[8:]
	}
	return c.parsePlaces(from, values)
}

// texts is a column of texts.
type texts struct {
	column[string]
	lately [mostLately]metText
}

// metText is a text that was met lately. A walker gives the same text for the same value, so that to look where it lies spares to hash it.
type metText struct {
	text  *byte // keeps it, so that no other comes to lie there
	size  int
	place uint32
}

const mostLately = 16 // a power of 2

func (c *texts) add(value string) {
	text := unsafe.StringData(value)
	met := &c.lately[uintptr(unsafe.Pointer(text))/16%mostLately]
	if text == nil || met.text != text || met.size != len(value) {
		*met = metText{text, len(value), c.place(value)}
	}
	c.of = append(c.of, met.place)
}

func (c *texts) reset() {
	c.column.reset()
	clear(c.lately[:])
}

func (c *texts) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c.values)))
	for _, v := range c.values {
		dst = append(binary.AppendUvarint(dst, uint64(len(v))), v...)
	}
	return c.appendPlaces(dst)
}

func (c *texts) parse(from []byte, values int) error {
	count, from, err := parseCount(from, values)
	if err != nil {
		return err
	}
	for range count {
		n, size := binary.Uvarint(from)
		if size <= 0 || n > uint64(len(from)-size) {
			return errBlock
		}
		end := size + int(n)
		c.values, from = append(c.values, string(from[size:end])), from[end:]
	}
	return c.parsePlaces(from, values)
}

// steps are numbers one after the other, of which each fact has as many as it has steps.
type steps struct {
	bytes []byte
	taken int  // bytes
	bad   bool // there were fewer than were asked for
}

func (s *steps) add(v int32) { s.bytes = binary.AppendVarint(s.bytes, int64(v)) }

func (s *steps) append(dst []byte) []byte { return append(dst, s.bytes...) }

func (s *steps) parse(from []byte, _ int) error {
	s.bytes = append(s.bytes, from...)
	return nil
}

func (s *steps) reset() { s.bytes, s.taken, s.bad = s.bytes[:0], 0, false }

// next takes one off.
func (s *steps) next() int32 {
	v, size := binary.Varint(s.bytes[s.taken:])
	if size <= 0 {
		s.bad = true
		return 0
	}
	s.taken += size
	return int32(v)
}

// skip takes some off: of eight bytes at a time those that end a number are counted.
func (s *steps) skip(n int) {
	for ; n >= 8 && s.taken+8 <= len(s.bytes); s.taken += 8 {
		n -= bits.OnesCount64(^binary.LittleEndian.Uint64(s.bytes[s.taken:]) & 0x8080808080808080)
	}
	for ; n > 0 && s.taken < len(s.bytes); s.taken++ {
		if s.bytes[s.taken] < 0x80 {
			n--
		}
	}
	s.bad = s.bad || n > 0
}
