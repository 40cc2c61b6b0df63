package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"brine/event"
)

// Document says the policy in a language.
func (p *Policy) Document(l *Language) Document {
	w := &writer{Policy: p, l: l}
	w.title()
	w.who()
	w.collected()
	w.precision()
	w.section("not_collected")
	w.sayAll("no_address", "no_agent", "no_cookie", "no_referrer", "no_account")
	w.browser()
	w.kept()
	w.joined()
	w.readers()
	w.stores()
	w.choice()
	return w.Document
}

// writer writes a Document, section by section.
type writer struct {
	*Policy
	Document
	l *Language
}

func (w *writer) title() {
	w.Title, w.Lead = w.l.text("title"), w.l.text("lead")
	w.Columns = Columns{Field: w.l.text("field"), What: w.l.text("what"), Purpose: w.l.text("purpose")}
	if w.Reduced {
		w.Columns.After = w.l.text("after")
	}
}

func (w *writer) section(id string) {
	w.Sections = append(w.Sections, Section{ID: id, Heading: w.l.text(id)})
}

// say adds a statement of a key's text to the section that was begun last.
func (w *writer) say(key string, values ...string) { w.sayOf(key, key, values...) }

// sayOf is say with another id, for what is said of more than one thing, or one way or another.
func (w *writer) sayOf(id, key string, values ...string) {
	s := &w.Sections[len(w.Sections)-1]
	s.Statements = append(s.Statements, Statement{id, w.l.text(key, values...)})
}

func (w *writer) sayAll(keys ...string) {
	for _, key := range keys {
		w.say(key)
	}
}

// sayOr says with a value, or else that there is none.
func (w *writer) sayOr(key, value string) {
	if value == "" {
		w.sayOf(key, key+"_none")
		return
	}
	w.say(key, key, value)
}

func (w *writer) who() {
	w.section("who")
	w.sayOr("operator", w.Operator)
	if w.Contact == "" {
		w.sayOf("contact", "contact_none")
		return
	}
	w.say("contact")
	s := w.Sections[len(w.Sections)-1].Statements
	s[len(s)-1].Text += " " + w.Contact
}

func (w *writer) collected() {
	w.section("collected")
	w.say("collected_only")
	for _, s := range w.Streams {
		w.stream(s)
	}
}

func (w *writer) stream(s Stream) {
	part := Section{ID: "stream-" + s.Name, Heading: w.l.text("stream", "stream", s.Name), Part: true}
	if s.Name == event.Interaction {
		part.Heading = w.l.text("interaction")
	}
	w.Sections = append(w.Sections, part)
	switch {
	case s.Name == event.Interaction:
		w.say("interaction_what")
		if s.Purpose != "" {
			w.say("stream_purpose", "purpose", s.Purpose)
		}
	case s.Purpose == "":
		w.sayOf("stream_purpose", "stream_purpose_none")
	default:
		w.say("stream_purpose", "purpose", s.Purpose)
	}
	w.sampling(s)
	w.say("received", "slot", w.slot())
	if s.Unit != "" {
		w.say("unit", "field", s.Unit)
	}
	for _, f := range s.Fields {
		last := &w.Sections[len(w.Sections)-1]
		last.Fields = append(last.Fields, w.field(s, f))
	}
}

// sampling says how much is taken, and until when.
func (w *writer) sampling(s Stream) {
	percent := w.l.number(float64(int64(s.SampleRate*1e6+0.5)) / 1e4)
	switch {
	case s.Ended:
		w.sayOf("sampling", "ended", "day", s.Until)
		return
	case s.SampleRate == 0:
		w.sayOf("sampling", "sampling_none")
	case s.SampleRate == 1:
		w.sayOf("sampling", "sampling_all")
	case s.Unit != "":
		w.sayOf("sampling", "sampling_some_units", "percent", percent)
	default:
		w.sayOf("sampling", "sampling_some", "percent", percent)
	}
	if s.Until != "" {
		w.say("until", "day", s.Until)
	}
}

func (w *writer) slot() string {
	return w.l.text("minutes", "n", strconv.Itoa(int(event.Slot.Minutes())))
}

func (w *writer) field(s Stream, f Field) FieldText {
	t := FieldText{Path: f.Path, What: w.described(f.Description), Purpose: w.described(f.Purpose)}
	if f.Purpose == "" && s.Purpose != "" {
		t.Purpose = w.l.text("purpose_of_stream")
	}
	if len(f.Values) > 0 {
		if f.Description == "" {
			t.What += "."
		}
		t.What += " " + w.l.text("one_of", "values", strings.Join(f.Values, ", "))
	}
	if w.Reduced {
		t.After = w.after(s, f)
	}
	return t
}

// after says what of a field is kept longer.
func (w *writer) after(s Stream, f Field) string {
	part := func(of Field) bool { return of.Rule != nil && strings.HasPrefix(of.Path, f.Path+".") }
	if f.Rule == nil && slices.ContainsFunc(s.Fields, part) {
		return w.l.text("rule_parts")
	}
	return w.l.rule(f.Rule)
}

func (w *writer) described(text string) string {
	if text == "" {
		return w.l.text("not_described")
	}
	return w.l.said(text)
}

func (w *writer) precision() {
	w.section("precision")
	w.say("precision_time", "slot", w.slot())
	w.sayAll("precision_offsets", "precision_browser")
	if len(w.Streams) > 1 {
		w.say("precision_apps")
	}
}

// The times that clients go by.
const (
	optOutHours  = 34_560_000 / 3600 // of the opt-out cookie
	waitingHours = 6 * 24            // of what waits in the browser, LONGEST_WAIT of client/src
	logHours     = 26                // the oldest entry of the log
)

func (w *writer) browser() {
	w.section("browser")
	w.say("cookie_session")
	w.say("cookie_optout", "time", w.l.time(optOutHours))
	w.storage()
}

// storage says what the browser library keeps, under each key that client/src names.
func (w *writer) storage() {
	longest := w.l.time(waitingHours)
	w.say("storage_choice")
	w.say("waiting", "time", longest)
	w.say("storage_lease")
	w.say("storage_sent", "slot", w.slot())
	w.say("storage_dropped")
	w.say("storage_next", "slot", w.slot(), "time", longest)
	if w.hasUnits() {
		w.say("storage_install")
	}
	w.say("storage_no")
}

func (w *writer) kept() {
	w.section("kept")
	for _, k := range w.Kept {
		what, id := w.l.text("dataset_"+k.Dataset), "kept_"+k.Dataset
		switch {
		case k.Dataset == "log":
			w.say("kept_log", "what", what, "time", w.l.time(k.Hours))
		case k.Hours > 0:
			w.sayOf(id, "kept_for", "what", what, "time", w.l.time(k.Hours))
		case k.Bytes == 0:
			w.sayOf(id, "kept_unlimited", "what", what)
		}
		w.size(k, what)
	}
	if w.Guard > 0 {
		w.say("kept_guard", "percent", w.l.number(float64(int64(w.Guard*1e4+0.5))/1e2))
	}
	if w.Reduced {
		w.sayAll("reduced", "reduced_before")
	} else {
		w.sayOf("reduced", "reduced_none")
	}
}

// size says what becomes of a dataset that grows too large.
func (w *writer) size(k Kept, what string) {
	key := "kept_bytes"
	if k.Waits {
		key = "kept_bytes_waits"
	}
	if k.Bytes > 0 {
		w.sayOf("kept_"+k.Dataset+"_bytes", key, "what", what, "size", humanize.Bytes(uint64(k.Bytes)))
	}
}

// KeptInLog is what is always true of the log.
func KeptInLog() Kept { return Kept{Dataset: "log", Hours: logHours} }

func (w *writer) joined() {
	w.section("joined")
	w.say("interaction_unfindable")
	if w.Salts != nil && (w.hasUnits() || w.pseudonyms()) {
		w.salts()
	}
	if w.hasUnits() {
		w.joinedFor()
	}
	if w.Forget {
		w.say("forget")
	}
}

func (w *writer) salts() {
	if w.pseudonyms() {
		w.say("pseudonyms")
	}
	period, grace := w.l.time(w.Salts.LongestHours), w.l.time(w.Salts.GraceHours)
	if w.Salts.Quarter {
		w.sayOf("salts", "salts_quarter", "grace", grace)
	} else {
		w.sayOf("salts", "salts_every", "period", period, "grace", grace)
	}
	if w.Salts.External {
		w.say("salts_external")
	}
}

// joinedFor says how long the records of one installation can be joined: by their pseudonym or, where that is longer, by
// the install id itself.
func (w *writer) joinedFor() {
	hours, bySalt := w.JoinableHours()
	switch {
	case hours == 0:
		w.sayOf("joined_for", "joined_plain")
	case bySalt:
		w.say("joined_for", "time", w.l.time(hours), "period", w.l.time(w.Salts.LongestHours), "grace", w.l.time(w.Salts.GraceHours))
	default:
		w.sayOf("joined_for", "joined_raw", "time", w.l.time(hours))
	}
}

func (w *writer) readers() {
	w.section("readers")
	if len(w.Readers) == 0 {
		w.say("readers_users")
	}
	for _, r := range w.Readers {
		groups := strings.Join(r.Groups, ", ")
		if groups == "" {
			groups = w.l.text("nobody")
		}
		w.say("reader_"+r.Role, "groups", groups, "cell", strconv.Itoa(r.MinCell))
	}
	w.say("readers_recorded")
	if p := w.Published; p != nil {
		w.say("published", "totals", strings.Join(p.Totals, "; "))
		w.say("published_noise", "day", w.l.number(p.Day), "all", w.l.number(p.All))
	}
}

func (w *writer) stores() {
	w.section("stores")
	if len(w.Stores) == 0 {
		w.say("stores_none")
	}
	for _, s := range w.Stores {
		w.sayOf("store_"+s.Name, "store", "store", s.Name, "what", w.l.text("dataset_"+s.Dataset))
	}
}

func (w *writer) choice() {
	w.section("choice")
	if w.OptIn {
		w.sayOf("consent", "consent_opt_in")
	} else {
		w.sayOf("consent", "consent_opt_out")
	}
	w.sayAll("choice_button", "choice_gpc")
	if w.DNT {
		w.say("choice_dnt")
	} else {
		w.sayOf("choice_dnt", "choice_dnt_not")
	}
	w.sayAll("choice_effect", "choice_past")
}
