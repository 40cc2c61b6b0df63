package policy

import (
	"slices"
	"strings"
	"testing"

	"brine/event"
)

// Every language has every text, and each text the same places for values.
func TestLanguagesAreWhole(t *testing.T) {
	english := languages[0]
	if english.Tag != "en" || len(languages) < 2 {
		t.Fatalf("languages %v", Languages())
	}
	for _, l := range languages[1:] {
		t.Run(l.Tag, func(t *testing.T) {
			for key, text := range english.Texts {
				if strings.TrimSpace(l.Texts[key]) == "" {
					t.Errorf("no text %s", key)
				}
				if want, got := places(text), places(l.Texts[key]); !slices.Equal(got, want) {
					t.Errorf("%s: places %v, in English %v", key, got, want)
				}
			}
			for key := range l.Texts {
				if _, ok := english.Texts[key]; !ok {
					t.Errorf("English has no text %s", key)
				}
			}
			l.mustTranslate(t)
		})
	}
}

func places(text string) []string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return found
}

// mustTranslate compares the translations with what the built-in schema says now.
func (l *Language) mustTranslate(t *testing.T) {
	t.Helper()
	said := map[string]bool{}
	for _, f := range Fields(event.Fields(event.InteractionSchema()), nil) {
		for _, text := range []string{f.Description, f.Purpose} {
			said[text] = true
			if l.Schema[text] == "" {
				t.Errorf("%s: no translation of %q", f.Path, text)
			}
		}
	}
	for text := range l.Schema {
		if !said[text] {
			t.Errorf("the schema does not say %q (any more)", text)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ tag, accept, want string }{
		{"", "", "en"},
		{"", "de", "de"},
		{"", "de-AT,de;q=0.9,en;q=0.5", "de"},
		{"", "fr, de;q=0.5", "de"},
		{"", "fr", "en"},
		{"", "en-GB, de;q=0.9", "en"},
		{"de", "en", "de"},
		{"xx", "de", "de"},
		{"../en", "de", "de"},
		{"", "*", "en"},
		{"", ";;;,,q=", "en"},
		{"", "\x00\xff", "en"},
		{"", "de" + strings.Repeat("-a1", 5000), "en"},
		{"", strings.Repeat("de_", 5000), "en"},
		{"", strings.Repeat("de,", 80) + "de", "de"},
	} {
		if got := choose(c.tag, c.accept).Tag; got != c.want {
			t.Errorf("lang=%s, Accept-Language %.40q: %s, want %s", c.tag, c.accept, got, c.want)
		}
	}
}

func TestWordsOfTimesAndNumbers(t *testing.T) {
	german, _ := InLanguage("de")
	for hours, want := range map[int]string{1: "1 Stunde", 24: "1 Tag", 26: "26 Stunden", 48: "2 Tage", 2160: "90 Tage"} {
		if got := german.time(hours); got != want {
			t.Errorf("%d hours: %s", hours, got)
		}
	}
	if got := german.number(12.5); got != "12,5" {
		t.Error(got)
	}
}

// A value is put in as it is, also where it looks like a place.
func TestTextTakesValuesAsTheyAre(t *testing.T) {
	if got := languages[0].text("store", "store", "{what}", "what", "all"); !strings.HasPrefix(got, "{what} receives this too: all") {
		t.Error(got)
	}
}

func FuzzChoose(f *testing.F) {
	f.Add("", "de-AT,de;q=0.9")
	f.Add("de", "\xff")
	f.Fuzz(func(t *testing.T, tag, accept string) {
		if choose(tag, accept) == nil {
			t.Error("no language")
		}
	})
}
