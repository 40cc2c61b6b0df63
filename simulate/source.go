package simulate

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"time"
)

// Source makes interactions, one after the other. It is not safe for use by several goroutines.
//
// Sources of the same seed make the same ids: whoever adds to data that is already there, such as
// simulated live users, takes a seed that was never used before.
type Source struct {
	Story *Story // what befalls the dialog; nil: nothing

	random *rand.Rand
}

// NewSource gives a source that is at the beginning of its seed's sequence.
func NewSource(seed uint64) *Source {
	return &Source{random: rand.New(rand.NewPCG(seed, 0x6272696e65))}
}

// AppendInteraction appends one interaction as JSON, with a fresh id and the given time (floored to 10
// minutes), as a browser would send it. It has about 700 bytes and 9 events, and does not
// allocate where dst has room.
func (s *Source) AppendInteraction(dst []byte, at time.Time) []byte {
	at = at.UTC().Truncate(slot)
	d := pick(s, devices)
	dst = append(dst, `{"id":"`...)
	dst = s.appendUUID(dst)
	dst = append(dst, `","timestamp":`...)
	dst = strconv.AppendInt(dst, at.UnixMilli(), 10)
	dst = append(dst, `,"event_stream":[`...)

	v := visit{Source: s, buf: dst, chapter: s.chapter(at), mobile: d.mobile(), pace: s.logNormal(d.pace, paceSigma)}
	v.run()

	dst = append(v.buf[:len(v.buf)-1], ']')
	dst = s.appendAccount(dst, v.known, v.isNew)
	dst = s.appendDevice(dst, d)
	dst = append(dst, `,"dialog":"sign_in","release":"`...)
	dst = appendRelease(dst, at)
	if v.branch != "" {
		dst = append(dst, `","experiments":{"`+StoryExperiment+`":"`...)
		dst = append(dst, v.branch...)
		return append(dst, `"}}`...)
	}
	return append(dst, `"}`...)
}

// appendAccount appends what the dialog knows of the person's accounts: nothing before an address is given.
func (s *Source) appendAccount(dst []byte, known, isNew bool) []byte {
	if !known {
		return dst
	}
	kind, emails, sites := "secondary", 0, 0
	if s.happens(primaryShare) {
		kind = "primary"
	}
	if !isNew {
		emails, sites = pick(s, numbersOfEmails), pick(s, numbersOfSites)
	}
	dst = append(dst, `,"email_type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","number_emails":`...)
	dst = strconv.AppendInt(dst, int64(emails), 10)
	dst = append(dst, `,"number_sites_logged_in":`...)
	dst = strconv.AppendInt(dst, int64(sites), 10)
	dst = append(dst, `,"new_account":`...)
	return strconv.AppendBool(dst, isNew)
}

const primaryShare = 0.34 // of addresses are of a provider that vouches for them itself

var (
	numbersOfEmails = []choice[int]{{0.71, 1}, {0.19, 2}, {0.06, 3}, {0.03, 4}, {0.01, 7}}
	numbersOfSites  = []choice[int]{{0.34, 0}, {0.33, 1}, {0.16, 2}, {0.08, 3}, {0.05, 4}, {0.03, 6}, {0.01, 11}}
)

func (s *Source) appendDevice(dst []byte, d device) []byte {
	size := pick(s, d.screens)
	dst = append(dst, `,"language":"`...)
	dst = append(dst, pick(s, languages)...)
	dst = append(dst, `","screen_size":{"width":`...)
	dst = strconv.AppendInt(dst, int64(size.width), 10)
	dst = append(dst, `,"height":`...)
	dst = strconv.AppendInt(dst, int64(size.height), 10)
	dst = append(dst, `},"sample_rate":1,"user_agent":{"os":"`...)
	dst = append(dst, d.os...)
	dst = append(dst, `","browser":"`...)
	dst = append(dst, d.browser...)
	dst = append(dst, `","version":"`...)
	dst = append(dst, pick(s, d.versions)...)
	return append(dst, `"}`...)
}

// appendRelease appends the release that was live at a time, like 2026.11.2: the second of November.
func appendRelease(dst []byte, at time.Time) []byte {
	year, month, day := at.Date()
	dst = strconv.AppendInt(dst, int64(year), 10)
	dst = append(dst, '.')
	dst = strconv.AppendInt(dst, int64(month), 10)
	if day < 15 {
		return append(dst, ".1"...)
	}
	return append(dst, ".2"...)
}

// appendUUID appends a UUID of version 4.
func (s *Source) appendUUID(dst []byte) []byte {
	var id [16]byte
	binary.LittleEndian.PutUint64(id[:8], s.random.Uint64())
	binary.LittleEndian.PutUint64(id[8:], s.random.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}
