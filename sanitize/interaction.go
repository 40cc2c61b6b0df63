package sanitize

import (
	_ "embed"

	"brine/event"
)

//go:embed interaction.yaml
var interactionText []byte

// ShippedFile is the name that messages have for the allowlist that ships with Brine.
const ShippedFile = "(shipped) interaction.yaml"

// Shipped is the text of the allowlist for interaction that holds where the operator's own says
// nothing of that stream.
func Shipped() []byte { return interactionText }

// inForce is the list to judge a stream by: the operator's, or the shipped one, whose keep_all
// needs nobody's leave as what it keeps is bounded by the built-in schema. interaction: drop in an
// operator's list turns the shipped one off.
func inForce(stream *event.Stream, list *Allowlist, o Options) (*Allowlist, Options) {
	if list == nil {
		list = &Allowlist{}
	}
	if stream.Name != event.Interaction || list.entry(event.Interaction) != nil || len(list.mistakes) > 0 {
		return list, o
	}
	return Parse(ShippedFile, interactionText), Options{AllowKeepAll: true}
}
