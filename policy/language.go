package policy

import (
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/language"
)

// Language is the words of the policy in one language: a file of the folder languages.
type Language struct {
	Tag     string            `yaml:"-"`       // the file's name, like en
	Name    string            `yaml:"name"`    // as its speakers call it
	Decimal string            `yaml:"decimal"` // between units and tenths
	Texts   map[string]string `yaml:"texts"`   // by key; {name} stands for a value
	Schema  map[string]string `yaml:"schema"`  // from what the built-in schema says in English
}

//go:embed languages/*.yaml
var languageFiles embed.FS

// languages are all that there are; English, the default, is the first.
var languages = mustReadLanguages()

// matcher finds the language that a reader wants most.
var matcher = language.NewMatcher(tags())

func mustReadLanguages() (all []*Language) {
	files, err := fs.Glob(languageFiles, "languages/*.yaml")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		text, err := languageFiles.ReadFile(file)
		l := &Language{Tag: strings.TrimSuffix(path.Base(file), ".yaml")}
		if err == nil {
			err = yaml.UnmarshalWithOptions(text, l, yaml.Strict())
		}
		if err != nil {
			panic(fmt.Errorf("%s: %w", file, err)) // it is part of the program
		}
		all = append(all, l)
	}
	slices.SortStableFunc(all, func(a, b *Language) int {
		if a.Tag == "en" {
			return -1
		}
		if b.Tag == "en" {
			return 1
		}
		return strings.Compare(a.Tag, b.Tag)
	})
	return all
}

func tags() (all []language.Tag) {
	for _, l := range languages {
		all = append(all, language.MustParse(l.Tag))
	}
	return all
}

// Languages are the tags of all languages there are.
func Languages() (all []string) {
	for _, l := range languages {
		all = append(all, l.Tag)
	}
	return all
}

// InLanguage is the language of that tag.
func InLanguage(tag string) (*Language, bool) {
	i := slices.IndexFunc(languages, func(l *Language) bool { return l.Tag == tag })
	if i < 0 {
		return languages[0], false
	}
	return languages[i], true
}

// maxAccept is the longest Accept-Language that is read: parsing one takes time that grows faster than its length.
const maxAccept = 256

// Chosen is the language that a request asks for: by ?lang= or else by its Accept-Language.
func Chosen(r *http.Request) *Language {
	return choose(r.URL.Query().Get("lang"), r.Header.Get("Accept-Language"))
}

// choose is the language asked for by tag or else by an Accept-Language header; English where neither is known.
func choose(tag, accept string) *Language {
	if l, ok := InLanguage(tag); ok || len(accept) > maxAccept {
		return l
	}
	wanted, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(wanted) == 0 {
		return languages[0]
	}
	_, i, _ := matcher.Match(wanted...)
	return languages[i]
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// Say is the text of a key, with values, which come as name, value pairs, in their places. It is for other rooms' pages in the same languages.
func (l *Language) Say(key string, values ...string) string { return l.text(key, values...) }

// Number is a number in English digits, as the language writes it.
func (l *Language) Number(english string) string {
	if l.Decimal == "." {
		return english
	}
	return strings.NewReplacer(".", l.Decimal, ",", ".").Replace(english)
}

// text is the text of a key, with values, which come as name, value pairs, in their places.
func (l *Language) text(key string, values ...string) string {
	text, ok := l.Texts[key]
	if !ok {
		panic("policy: no text " + key) // a test asks for all
	}
	if len(values) == 0 {
		return text
	}
	given := map[string]string{}
	for pair := range slices.Chunk(values, 2) {
		given["{"+pair[0]+"}"] = pair[1]
	}
	return placeholder.ReplaceAllStringFunc(text, func(name string) string { return given[name] })
}

// said is a text of the built-in schema in this language, or as it stands.
func (l *Language) said(text string) string {
	if translated, ok := l.Schema[text]; ok {
		return translated
	}
	return text
}

// time is a number of hours in words, in days where they are whole.
func (l *Language) time(hours int) string {
	switch {
	case hours == 24:
		return l.text("day_1")
	case hours > 0 && hours%24 == 0:
		return l.text("days", "n", strconv.Itoa(hours/24))
	case hours == 1:
		return l.text("hour_1")
	}
	return l.text("hours", "n", strconv.Itoa(hours))
}

// number is a number as the language writes it.
func (l *Language) number(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', -1, 64), ".", l.Decimal, 1)
}
