package policy

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/event"
)

var rewrite = flag.Bool("rewrite", false, "write the pages in testdata anew")

// interactions is the built-in stream, all of it taken.
func interactions() Stream {
	return Stream{Name: event.Interaction, SampleRate: 1, Fields: Fields(event.Fields(event.InteractionSchema()), nil), Versions: []string{"/interaction/1"}}
}

// plain is a server with the built-in stream and nothing else.
func plain() *Policy {
	return &Policy{DNT: true, Streams: []Stream{interactions()}, Kept: []Kept{KeptInLog(), {Dataset: "raw"}}}
}

// full is a server with all that there can be.
func full() *Policy {
	app := Stream{Name: "app_session", Purpose: "to see how often the app is used", Unit: "app_install_id", SampleRate: 0.125, Until: "2027-06-30", Fields: []Field{
		{Path: "dt", Type: "string", Description: "When the session began."},
		{Path: "app_install_id", Type: "string", Description: "Which installation.", Purpose: "to count installations"},
		{Path: "screens", Type: "integer", Description: "How many screens were opened."},
		{Path: "theme", Type: "string", Values: []string{"light", "dark"}},
		{Path: "geo", Type: "object"}, {Path: "geo.city", Type: "string", Description: "Where."},
		{Path: "tags", Type: "list", Description: "What was opened."},
		{Path: "all", Type: "object", Description: "What there is."}, {Path: "all.of", Type: "string", Description: "Part of it."},
		{Path: "other", Type: "string", Description: "Something else."},
		{Path: "settings", Type: "map", Description: "What is set."}, {Path: "settings.*", Type: "string"},
	}}
	p := &Policy{
		Operator: "Example Foundation", Contact: "privacy@example.org", OptIn: true,
		Streams: []Stream{interactions(), app},
		Kept: []Kept{KeptInLog(), {Dataset: "raw", Hours: 90 * 24, Bytes: 5e9, Waits: true}, {Dataset: "sanitized"}, {Dataset: "facts"},
			{Dataset: "rejected", Hours: 7 * 24}, {Dataset: "quarantine", Hours: 90 * 24}, {Dataset: "audit", Hours: 365 * 24}},
		Guard:     0.2,
		Salts:     &Salts{Quarter: true, LongestHours: 92 * 24, GraceHours: 48},
		Readers:   []Reader{{Role: "viewer", Groups: []string{"staff"}, MinCell: 10}, {Role: "analyst", Groups: []string{"research", "product"}}, {Role: "raw"}, {Role: "privacy", Groups: []string{"dpo"}}},
		Stores:    []Store{{Name: "CouchDB", Dataset: "sanitized"}},
		Published: &Published{Totals: []string{"Visits", "Sign-in rate by browser"}, Day: 1.5, All: 365},
		Forget:    true,
	}
	p.Apply([]Rule{
		{Stream: "app_session", Field: "dt", Name: "floor", Floor: "1h"},
		{Stream: "app_session", Field: "app_install_id", Name: "hash"},
		{Stream: "app_session", Field: "screens", Name: "bucket", Bucket: []float64{1, 5, 12.5}},
		{Stream: "app_session", Field: "theme", Name: "keep"},
		{Stream: "app_session", Field: "geo.city", Name: "hash_per_stream"},
		{Stream: "app_session", Field: "tags", Name: "only", Only: []string{"screen.*", "end"}},
		{Stream: "app_session", Field: "all", Name: "keep_all"},
		{Stream: "app_session", Field: "other", Name: "drop"},
		{Stream: "app_session", Field: "settings.theme", Name: "keep"},
		{Stream: "interaction", Field: "event_stream", Name: "only", Only: []string{"screen.*"}},
		{Stream: "interaction", Field: "timestamp", Name: "keep"},
	})
	return p
}

// The page of everything, in both languages, as people read it.
func TestMarkdown(t *testing.T) {
	for _, l := range languages {
		d := full().Document(l)
		file, got := "testdata/full."+l.Tag+".md", d.Markdown()
		if *rewrite {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs (see it with go test -rewrite and git diff):\n%s", file, got)
		}
	}
}

// Whatever is enforced is said, and whoever changes it changes what is said.
func TestEveryFactIsSaid(t *testing.T) {
	for name, change := range map[string]func(*Policy){
		"operator":   func(p *Policy) { p.Operator = "Another" },
		"contact":    func(p *Policy) { p.Contact = "https://example.org/privacy" },
		"consent":    func(p *Policy) { p.OptIn = false },
		"DNT":        func(p *Policy) { p.DNT = true },
		"stream":     func(p *Policy) { p.Streams = p.Streams[:1] },
		"of dialogs": func(p *Policy) { p.Streams[0].Purpose = "to see whether people get in" },
		"purpose":    func(p *Policy) { p.Streams[1].Purpose = "" },
		"unit":       func(p *Policy) { p.Streams[1].Unit = "" },
		"rate":       func(p *Policy) { p.Streams[1].SampleRate = 0.5 },
		"rate of 1":  func(p *Policy) { p.Streams[1].SampleRate = 1 },
		"rate of 0":  func(p *Policy) { p.Streams[0].SampleRate = 0 },
		"until":      func(p *Policy) { p.Streams[1].Until = "2028-01-01" },
		"ended":      func(p *Policy) { p.Streams[1].Ended = true },
		"field":      func(p *Policy) { p.Streams[1].Fields = p.Streams[1].Fields[1:] },
		"words":      func(p *Policy) { p.Streams[1].Fields[0].Description = "At what time." },
		"purposes":   func(p *Policy) { p.Streams[1].Fields[1].Purpose = "to look" },
		"values":     func(p *Policy) { p.Streams[1].Fields[3].Values = []string{"light"} },
		"rule":       func(p *Policy) { p.Streams[1].Fields[0].Rule.Floor = "1d" },
		"no rule":    func(p *Policy) { p.Streams[1].Fields[0].Rule = nil },
		"edges":      func(p *Policy) { p.Streams[1].Fields[2].Rule.Bucket = []float64{1} },
		"retention":  func(p *Policy) { p.Kept[1].Hours = 24 },
		"no end":     func(p *Policy) { p.Kept[1].Hours = 0 },
		"bytes":      func(p *Policy) { p.Kept[1].Bytes = 0 },
		"waiting":    func(p *Policy) { p.Kept[1].Waits = false },
		"only bytes": func(p *Policy) { p.Kept[1].Hours, p.Kept[1].Waits = 0, false },
		"guard":      func(p *Policy) { p.Guard = 0 },
		"dataset":    func(p *Policy) { p.Kept = p.Kept[:3] },
		"reduced":    func(p *Policy) { p.Reduced = false },
		"no salts":   func(p *Policy) { p.Salts = nil },
		"period":     func(p *Policy) { p.Salts = &Salts{LongestHours: 720, GraceHours: 48} },
		"external":   func(p *Policy) { p.Salts.External = true },
		"no hash":    func(p *Policy) { p.Streams[1].Fields[1].Rule, p.Streams[1].Fields[5].Rule = nil, nil },
		"grace":      func(p *Policy) { p.Salts.GraceHours = 24 },
		"readers":    func(p *Policy) { p.Readers = nil },
		"groups":     func(p *Policy) { p.Readers[2].Groups = []string{"root"} },
		"min cell":   func(p *Policy) { p.Readers[0].MinCell = 5 },
		"stores":     func(p *Policy) { p.Stores = nil },
		"what goes":  func(p *Policy) { p.Stores[0].Dataset = "raw" },
		"published":  func(p *Policy) { p.Published = nil },
		"totals":     func(p *Policy) { p.Published.Totals = p.Published.Totals[:1] },
		"epsilon":    func(p *Policy) { p.Published.Day = 2 },
		"budget":     func(p *Policy) { p.Published.All = 400 },
		"forgetting": func(p *Policy) { p.Forget = false },
	} {
		t.Run(name, func(t *testing.T) {
			for _, l := range languages {
				p := full()
				before := p.Document(l)
				change(p)
				after := p.Document(l)
				if changes := Diff(&before, &after); len(changes) == 0 {
					t.Errorf("%s: nothing that is said changes", l.Tag)
				}
			}
		})
	}
}

// What is not in force is not claimed.
func TestNothingElseIsClaimed(t *testing.T) {
	d := plain().Document(languages[0])
	text := d.Markdown()
	for _, word := range []string{"pseudonym", "salt", "kept longer", "install id", "last column", "Events of an app", "/kpi", "noise"} {
		if strings.Contains(text, word) {
			t.Errorf("it speaks of %q", word)
		}
	}
	for _, words := range []string{"without an end", "At present no reduced copy is made", "has not said who is responsible", "People to whom the operator has given a name and a password here"} {
		if !strings.Contains(text, words) {
			t.Errorf("it does not say %q", words)
		}
	}
}

// Pseudonyms can be joined from the first hour of a period to the destruction of its salt.
func TestLongestJoin(t *testing.T) {
	d := full().Document(languages[0])
	if text := d.Markdown(); !strings.Contains(text, "over at most 94 days: 92 days of one salt, and 2 days until it is destroyed") {
		t.Error(text)
	}
	for name, c := range map[string]struct {
		change func(*Policy)
		says   string
	}{
		"NoSalts":      {func(p *Policy) { p.Salts = nil }, "over at most 90 days: so long is the install id kept"},
		"ShortSalts":   {func(p *Policy) { p.Salts = &Salts{LongestHours: 24, GraceHours: 1} }, "over at most 90 days: so long"},
		"RawForEver":   {func(p *Policy) { p.Kept[1].Hours = 0 }, "As long as such records are kept"},
		"UnitDropped":  {func(p *Policy) { p.Streams[1].Fields[1].Rule = nil }, "over at most 90 days: so long is the install id kept"},
		"UnitPlain":    {func(p *Policy) { p.Streams[1].Fields[1].Rule.Name = "keep" }, "As long as such records are kept"},
		"PlainForTime": {func(p *Policy) { p.Streams[1].Fields[1].Rule.Name, p.Kept[2].Hours = "keep", 4800 }, "over at most 200 days: so long is the install id kept"},
		"NothingKnown": {func(p *Policy) { p.Salts, p.Kept = nil, nil }, "As long as such records are kept"},
	} {
		p := full()
		c.change(p)
		d = p.Document(languages[0])
		if text := d.Markdown(); !strings.Contains(text, c.says) || strings.Contains(text, "94 days") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// The rule of a field holds for what is below it, and the nearest one counts.
func TestApply(t *testing.T) {
	p := full()
	got := map[string]string{}
	for _, s := range p.Streams {
		for _, f := range s.Fields {
			if f.Rule != nil {
				got[s.Name+"."+f.Path] = f.Rule.Name
			}
		}
	}
	for path, want := range map[string]string{
		"app_session.all": "keep_all", "app_session.all.of": "keep_all", "app_session.geo": "", "app_session.geo.city": "hash_per_stream",
		"app_session.other": "", "interaction.event_stream.name": "only", "interaction.id": "", "interaction.timestamp": "keep",
		"app_session.settings.theme": "keep", "app_session.settings.*": "", "app_session.settings": "",
	} {
		if got[path] != want {
			t.Errorf("%s: %q, want %q", path, got[path], want)
		}
	}
}

func TestUndescribed(t *testing.T) {
	p := full()
	if got := p.Undescribed(); !slices.Equal(got, []Undescribed{{"app_session", "theme", "description", true}}) {
		t.Errorf("%v", got)
	}
	p.Streams[1].Purpose = ""
	if got := len(p.Undescribed()); got != 9 {
		t.Errorf("%d fields lack words where the stream has no purpose", got)
	}
	p.Streams[0].Fields[0].Purpose = ""
	if got := p.Undescribed()[0]; got != (Undescribed{"interaction", "timestamp", "purpose", true}) {
		t.Errorf("%v", got)
	}
}

func TestFieldsTakeTheWordsOfTheConfig(t *testing.T) {
	fields := Fields(event.Fields(event.InteractionSchema()), map[string]Words{
		"language":          {Description: "Which language."},
		"screen_size.width": {Purpose: "to tell phones"},
	})
	at := func(path string) Field {
		return fields[slices.IndexFunc(fields, func(f Field) bool { return f.Path == path })]
	}
	if f := at("language"); f.Description != "Which language." || f.Purpose != "To find translations that users get stuck in." {
		t.Errorf("%+v", f)
	}
	if f := at("screen_size.width"); f.Description != "The width in CSS pixels." || f.Purpose != "to tell phones" {
		t.Errorf("%+v", f)
	}
}

// The facts survive the way through JSON: a program that reads /privacy.json has all of them.
func TestPolicyAsJSON(t *testing.T) {
	text, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	var p Policy
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	for _, l := range languages {
		before, after := full().Document(l), p.Document(l)
		if changes := Diff(&before, &after); len(changes) > 0 {
			t.Errorf("%v", changes)
		}
	}
}

// What others wrote stays words: it makes no markup.
func TestMarkdownEscapes(t *testing.T) {
	p := full()
	p.Operator = "<script>*a*\n# [b](c)"
	p.Streams[1].Fields[0].Description = "a | b"
	d := p.Document(languages[0])
	text := d.Markdown()
	for _, want := range []string{`- \<script\>\*a\* \# \[b\](c) runs`, `| dt | a \| b |`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
