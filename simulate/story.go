package simulate

import "time"

// Story is what befalls the dialog in the course of a history, for a dashboard to tell. Nothing befalls it
// at times that are zero.
type Story struct {
	Gap        time.Time // a day, in UTC, of which nothing arrived
	Redesign   time.Time // since when the password screen is another: more people go on from it on phones and tablets, fewer elsewhere
	Experiment time.Time // since when the mail to new people comes in two wordings; with the second more of them confirm
}

// The experiment of a [Story], as interactions carry it.
const (
	StoryExperiment = "mail_wording"
	StoryControl    = "formal"
	StoryTreatment  = "friendly"
)

// DemoStory is the story of the demo: 60 days up to an end, with something to find in each part of them.
func DemoStory(end time.Time) *Story {
	day := end.UTC().Truncate(24 * time.Hour)
	return &Story{Gap: day.AddDate(0, 0, -44), Redesign: day.AddDate(0, 0, -28), Experiment: day.AddDate(0, 0, -21)}
}

// What a story changes, in shares of the people at a step who go on.
const (
	redesignMobile  = 0.985 // instead of tryPassword's, on phones and tablets
	redesignDesktop = 0.890 // elsewhere
	friendlyConfirm = 0.810 // instead of confirmAccount's
)

// silent says whether nothing arrives of a time.
func (y *Story) silent(at time.Time) bool {
	return y != nil && !y.Gap.IsZero() && at.UTC().Truncate(24*time.Hour).Equal(y.Gap)
}

// chapter is what of a story one visit meets.
type chapter struct {
	redesigned bool
	branch     string // of the experiment; "": before it
}

func (s *Source) chapter(at time.Time) (c chapter) {
	if s.Story == nil {
		return c
	}
	began := func(t time.Time) bool { return !t.IsZero() && !at.Before(t) }
	c.redesigned = began(s.Story.Redesign)
	if began(s.Story.Experiment) {
		c.branch = StoryControl
		if s.happens(0.5) {
			c.branch = StoryTreatment
		}
	}
	return c
}

// stay is the share of people who get as far as a step, in this visit.
func (v *visit) stay(s step) float64 {
	switch {
	case v.redesigned && s.name == tryPassword[0].name && v.mobile:
		return redesignMobile
	case v.redesigned && s.name == tryPassword[0].name:
		return redesignDesktop
	case v.branch == StoryTreatment && s.name == confirmAccount[0].name:
		return friendlyConfirm
	}
	return s.stay
}
