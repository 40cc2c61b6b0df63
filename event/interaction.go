package event

import (
	"strconv"
	"time"

	"brine/event/scan"
)

// Interaction is the name of the built-in stream.
const Interaction = "interaction"

// The times an interaction may have, against the server's: both floored to [Slot].
const (
	maxAge    = 7 * 24 * time.Hour
	maxFuture = time.Hour
	maxMillis = 253402300799999 // the last ms of the year 9999
)

// field is one field of an interaction, as a bit.
type field uint16

const (
	fieldID field = 1 << iota
	fieldTimestamp
	fieldEventStream
	fieldEmailType
	fieldNumberEmails
	fieldNumberSites
	fieldNewAccount
	fieldLanguage
	fieldScreenSize
	fieldSampleRate
	fieldUserAgent
	fieldDialog
	fieldRelease
	fieldExperiments
)

func fieldOf(name []byte) field {
	switch string(name) {
	case "id":
		return fieldID
	case "timestamp":
		return fieldTimestamp
	case "event_stream":
		return fieldEventStream
	case "email_type":
		return fieldEmailType
	case "number_emails":
		return fieldNumberEmails
	case "number_sites_logged_in":
		return fieldNumberSites
	case "new_account":
		return fieldNewAccount
	case "language":
		return fieldLanguage
	case "screen_size":
		return fieldScreenSize
	case "sample_rate":
		return fieldSampleRate
	case "user_agent":
		return fieldUserAgent
	case "dialog":
		return fieldDialog
	case "release":
		return fieldRelease
	case "experiments":
		return fieldExperiments
	}
	return 0
}

// InteractionColumns are the columns of the built-in stream, in the order of its rows.
func InteractionColumns() []Column {
	integer := func(name string) Column { return Column{Name: name, Kind: Int32} }
	text := func(name string) Column { return Column{Name: name, Kind: String} }
	entry := Column{Kind: Tuple, Fields: []Column{
		text("name"), integer("offset_ms"), integer("duration_ms"), integer("repeat"),
	}}
	return []Column{
		{Name: "timestamp", Kind: Int64},
		{Name: "id", Kind: UUID},
		{Name: "received", Kind: Int64},
		{Name: "event_stream", Kind: List, Fields: []Column{entry}},
		text("email_type"),
		integer("number_emails"),
		integer("number_sites_logged_in"),
		{Name: "new_account", Kind: Bool},
		text("language"),
		{Name: "screen_size", Kind: Struct, Fields: []Column{integer("width"), integer("height")}},
		{Name: "sample_rate", Kind: Double},
		{Name: "user_agent", Kind: Struct, Fields: []Column{text("os"), text("browser"), text("version")}},
		text("dialog"),
		text("release"),
		{Name: "experiments", Kind: Map, Fields: []Column{{Kind: String}}},
	}
}

// AppendInteraction reads the one JSON value that src begins with, checks it by the rules of
// schemas/interaction/1.json and those that no schema can say (the age, the rates in force),
// and appends it to dst as a row with the columns of [InteractionColumns].
//
// n is how many bytes of src the value took. Where the event is refused dst comes back as it
// was, and n still tells where the next value may begin; it is -1 where the bytes are no
// JSON (code [CodeSyntax]), so that nothing after them can be read either.
//
// It goes over the bytes once and allocates nothing when dst has twice the row's room, unless
// texts are spelled with escapes.
func AppendInteraction(dst, src []byte, a *Arrival) (row []byte, key Key, n int, p *Problem) {
	x := interaction{Scanner: scan.Scanner{Src: src}, arrival: a, out: dst}
	if p = x.read(); p != nil {
		whole := scan.Scanner{Src: src}
		if whole.Skip() != nil {
			return dst, Key{}, -1, malformed()
		}
		return dst, Key{}, whole.Pos, p
	}
	if x.has&fieldID == 0 {
		x.key.ID = a.NewID()
	}
	begin := len(x.out)
	x.appendRow()
	// The row lies behind the parked values: it moves down over them.
	end := len(dst) + copy(x.out[len(dst):], x.out[begin:])
	return x.out[:end], x.key, x.Pos, nil
}

// interaction is one while it is being read. Its texts are parts of the source, or of tmp
// where they had to be unescaped. Lists and maps are written as they are read, but not yet
// in their place: they are parked behind dst until the row is written.
type interaction struct {
	scan.Scanner
	arrival *Arrival
	out     []byte
	tmp     []byte

	seen, has field // the keys that came, and those of them that were not null

	key                       Key
	eventStream, experiments  parked
	emailType, language       []byte
	dialog, release           []byte
	numberEmails, numberSites int64
	screenWidth, screenHeight int64
	sampleRate                float64
	os, browser               []byte
	version                   int64 // -1: unknown
	newAccount                bool
}

// parked is where in out a value lies.
type parked struct{ from, to int }

// read reads the whole object.
func (x *interaction) read() *Problem {
	if t := x.Peek(); t != scan.Object {
		return refuse(CodeType, "", "an object was expected")
	}
	x.Pos++
	for n := 0; ; n++ {
		more, err := x.More(n, '}')
		if err != nil {
			return malformed()
		}
		if !more {
			return x.required()
		}
		if p := x.member(); p != nil {
			return p
		}
	}
}

func (x *interaction) required() *Problem {
	switch {
	case x.has&fieldTimestamp == 0:
		return missing("/timestamp")
	case x.has&fieldEventStream == 0:
		return missing("/event_stream")
	case x.has&fieldSampleRate == 0:
		return missing("/sample_rate")
	}
	return nil
}

func (x *interaction) member() *Problem {
	name, err := x.name()
	if err != nil {
		return malformed()
	}
	f := fieldOf(name)
	if f == 0 {
		return unknownField("", name)
	}
	if x.seen&f != 0 {
		return repeatedKey("", name)
	}
	x.seen |= f
	if x.Peek() == scan.Null {
		return x.null()
	}
	x.has |= f
	return x.value(f)
}

func (x *interaction) value(f field) *Problem {
	switch f {
	case fieldID:
		return x.readID()
	case fieldTimestamp:
		return x.readTimestamp()
	case fieldEventStream:
		return x.readEventStream()
	case fieldEmailType:
		return x.readEmailType()
	case fieldNumberEmails:
		return x.readCount(&x.numberEmails, "/number_emails")
	case fieldNumberSites:
		return x.readCount(&x.numberSites, "/number_sites_logged_in")
	case fieldNewAccount:
		return x.readNewAccount()
	case fieldLanguage:
		return x.readLanguage()
	case fieldScreenSize:
		return x.readNested(&screenSize)
	case fieldSampleRate:
		return x.readSampleRate()
	case fieldUserAgent:
		return x.readNested(&userAgent)
	case fieldDialog:
		return x.readToken(&x.dialog, "/dialog", &dialogRule)
	case fieldRelease:
		return x.readToken(&x.release, "/release", &releaseRule)
	default:
		return x.readExperiments()
	}
}

// appendRow appends the row to out. All of an interaction's texts are ASCII without quotes
// and backslashes by now, so none needs an escape.
func (x *interaction) appendRow() {
	b := append(x.out, `{"timestamp":`...)
	b = strconv.AppendInt(b, x.key.Time, 10)
	b = append(b, `,"id":"`...)
	b = appendUUID(b, x.key.ID)
	b = append(b, `","received":`...)
	b = strconv.AppendInt(b, FloorMillis(x.arrival.Now.UnixMilli()), 10)
	b = append(b, `,"event_stream":`...)
	b = append(b, b[x.eventStream.from:x.eventStream.to]...)
	b = x.appendText(b, fieldEmailType, `,"email_type":"`, x.emailType)
	b = x.appendInt(b, fieldNumberEmails, `,"number_emails":`, x.numberEmails)
	b = x.appendInt(b, fieldNumberSites, `,"number_sites_logged_in":`, x.numberSites)
	if x.has&fieldNewAccount != 0 {
		b = append(b, `,"new_account":`...)
		b = strconv.AppendBool(b, x.newAccount)
	}
	b = x.appendText(b, fieldLanguage, `,"language":"`, x.language)
	if x.has&fieldScreenSize != 0 {
		b = x.appendInt(b, fieldScreenSize, `,"screen_size":{"width":`, x.screenWidth)
		b = x.appendInt(b, fieldScreenSize, `,"height":`, x.screenHeight)
		b = append(b, '}')
	}
	b = append(b, `,"sample_rate":`...)
	b = appendDouble(b, x.sampleRate)
	b = x.appendUserAgent(b)
	b = x.appendText(b, fieldDialog, `,"dialog":"`, x.dialog)
	b = x.appendText(b, fieldRelease, `,"release":"`, x.release)
	if x.has&fieldExperiments != 0 {
		b = append(b, `,"experiments":`...)
		b = append(b, b[x.experiments.from:x.experiments.to]...)
	}
	x.out = append(b, '}')
}

func (x *interaction) appendText(b []byte, f field, head string, text []byte) []byte {
	if x.has&f == 0 {
		return b
	}
	b = append(b, head...)
	b = append(b, text...)
	return append(b, '"')
}

func (x *interaction) appendInt(b []byte, f field, head string, v int64) []byte {
	if x.has&f == 0 {
		return b
	}
	b = append(b, head...)
	return strconv.AppendInt(b, v, 10)
}
