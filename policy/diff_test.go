package policy

import (
	"testing"
)

func TestDiffText(t *testing.T) {
	old, new := full(), full()
	new.Streams[1].SampleRate = 0.5
	new.Streams[1].Fields = append(new.Streams[1].Fields[1:], Field{Path: "wifi", Type: "boolean", Description: "Whether on wireless.", Purpose: "to compare"})
	new.Kept[1].Bytes = 0
	new.Stores = nil
	for tag, want := range map[string]string{
		"en": `What would change for people

Events of an app (app_session)
  before: 12.5 % of the installations are recorded, chosen at random; they are chosen anew with each turn of the salts.
  after: 50 % of the installations are recorded, chosen at random; they are chosen anew with each turn of the salts.
  new: wifi: Whether on wireless. (What it is for: to compare; In the reduced copy: nothing)
  no longer: dt: When the session began. (What it is for: as above, for the whole; In the reduced copy: only which hour it was in)

How long it is kept
  no longer: Records as they were sent: above 5.0 GB, the oldest is deleted first, but for what still waits to be reduced.

Where else it goes
  new: Nowhere. No other store receives anything of it.
  no longer: CouchDB receives this too: The reduced copy of records.
`} {
		l, _ := InLanguage(tag)
		before, after := old.Document(l), new.Document(l)
		if got := l.DiffText(Diff(&before, &after)); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		if got := l.DiffText(Diff(&before, &before)); got != l.text("diff_none")+"\n" {
			t.Errorf("nothing changes, and it says %s", got)
		}
	}
}
