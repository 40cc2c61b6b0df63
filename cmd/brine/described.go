package main

import (
	"fmt"

	"brine/config"
	"brine/event"
	"brine/policy"
)

// descriptionMistakes are descriptions of the config that no field of the stream has a use for.
func descriptionMistakes(cfg *config.Config, s *event.Stream) (mistakes config.Mistakes) {
	var paths []string
	known := map[string]bool{}
	for _, f := range event.Fields(s.Schemas...) {
		paths, known[f.Path] = append(paths, f.Path), true
	}
	for path := range cfg.Streams[s.Name].Descriptions {
		if !known[path] {
			mistakes = append(mistakes, cfg.Mistake("streams."+s.Name+".descriptions."+path, "no schema of this stream has this field", config.Nearest(path, paths)))
		}
	}
	return mistakes
}

// undescribed are the fields of which the policy cannot say what they are or what for. That is a mistake
// of the built-in stream, and of a field that the allowlist keeps; else it is a warning.
func undescribed(cfg *config.Config, p *policy.Policy) (mistakes, warnings config.Mistakes) {
	purposeless := map[string]*struct{ fields, kept int }{}
	for _, u := range p.Undescribed() {
		path := "streams." + u.Stream
		m := cfg.Mistake(path, u.Field+" has no "+u.Lacks+", and the policy says so", "put it into the schema (description, x-purpose), or under "+path+".descriptions")
		switch {
		case u.Stream == event.Interaction:
			mistakes = append(mistakes, m)
		case u.Lacks == "purpose":
			if purposeless[u.Stream] == nil {
				purposeless[u.Stream] = &struct{ fields, kept int }{}
			}
			purposeless[u.Stream].fields++
			if u.Kept {
				purposeless[u.Stream].kept++
			}
		case u.Kept:
			m.What = u.Field + " has no " + u.Lacks + ", and the allowlist keeps it"
			mistakes = append(mistakes, m)
		default:
			warnings = append(warnings, m)
		}
	}
	for stream, n := range purposeless {
		m := cfg.Mistake("streams."+stream+".purpose", "", "say what the stream is for")
		if n.kept > 0 {
			m.What = fmt.Sprintf("empty, and %d of the fields that the allowlist keeps have no purpose of their own", n.kept)
			mistakes = append(mistakes, m)
		} else {
			m.What = fmt.Sprintf("empty, and %d of the fields have no purpose of their own: the policy says so", n.fields)
			warnings = append(warnings, m)
		}
	}
	return mistakes, warnings
}

// operatorWarnings tell of what people would look for on the policy page.
func operatorWarnings(cfg *config.Config) (warnings config.Mistakes) {
	if cfg.Policy.Operator == "" {
		warnings = append(warnings, cfg.Mistake("policy.operator", "empty: the policy page cannot say who is responsible", "the name of whoever runs this"))
	}
	if cfg.Policy.Contact == "" {
		warnings = append(warnings, cfg.Mistake("policy.contact", "empty: the policy page cannot say where people may ask", "a mail, web or postal address"))
	}
	return warnings
}
