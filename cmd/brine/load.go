package main

import (
	"errors"
	"os"
	"regexp"
	"strconv"

	"brine/config"
	"brine/event"
)

// configFlag is the flag of commands that need the config.
type configFlag struct {
	Config string `placeholder:"brine.yaml" help:"Config file. Without it brine.yaml in the working folder where there is one, else every key's default."`
}

// dataFlag is the flag of commands that work on a data folder.
type dataFlag struct {
	configFlag
	Data string `placeholder:"FOLDER" help:"Data folder, instead of the config's."`
}

// load is [load] with what the flags say.
func (f dataFlag) load() (*config.Config, *event.Registry, error) {
	cfg, registry, err := load(f.path())
	if err == nil && f.Data != "" {
		cfg.Data = f.Data
	}
	return cfg, registry, err
}

// loadExisting is load for commands on a data folder that has to be there, with the streams.
func (f dataFlag) loadExisting() (*config.Config, map[string]*event.Stream, error) {
	cfg, registry, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return nil, nil, err
	}
	return cfg, streams, mustExist(cfg.Data)
}

// path is the config file to read, "" for none.
func (f configFlag) path() string {
	const usual = "brine.yaml"
	if f.Config != "" {
		return f.Config
	}
	if _, err := os.Stat(usual); err == nil {
		return usual
	}
	return ""
}

// load reads the config and the schemas that it names, and tries its streams. What is wrong with any
// of them comes at once, as [config.Mistakes].
func load(path string) (*config.Config, *event.Registry, error) {
	cfg, err := config.Load(path)
	var mistakes config.Mistakes
	if err != nil && !errors.As(err, &mistakes) {
		return nil, nil, err
	}
	registry, err := event.LoadRegistry(cfg.Schemas)
	if err != nil {
		mistakes = append(mistakes, schemaMistakes(err)...)
	} else if len(mistakes) == 0 {
		_, err = openStreams(cfg, registry)
		errors.As(err, &mistakes)
	}
	if len(mistakes) > 0 {
		return nil, nil, mistakes
	}
	return cfg, registry, nil
}

// openStreams makes the streams of the config, and interaction, by name.
func openStreams(cfg *config.Config, registry *event.Registry) (map[string]*event.Stream, error) {
	streams := map[string]*event.Stream{event.Interaction: event.InteractionStream()}
	var mistakes config.Mistakes
	for _, name := range cfg.StreamNames() {
		if name == event.Interaction {
			continue // it is built in
		}
		c := cfg.Streams[name]
		s, err := registry.Stream(event.StreamConfig{Name: name, Schema: c.Schema, Time: c.Time, Unit: c.Unit, Keep: c.KeepFields})
		if err != nil {
			mistakes = append(mistakes, streamMistake(cfg, name, err))
			continue
		}
		streams[name] = s
		mistakes = append(mistakes, descriptionMistakes(cfg, s)...)
	}
	if len(mistakes) > 0 {
		mistakes.Sort()
		return nil, mistakes
	}
	return streams, nil
}

// streamMistake puts an error of a stream at the key that it is about.
func streamMistake(cfg *config.Config, name string, err error) config.Mistake {
	var about *event.StreamError
	if !errors.As(err, &about) || about.Key == "" {
		return cfg.Mistake("streams."+name, err.Error(), "")
	}
	return cfg.Mistake("streams."+name+"."+about.Key, about.What, about.Fix)
}

// located is how errors of the registry begin: with a file, and a line where one is to blame.
var located = regexp.MustCompile(`(?s)^(.+?\.(?:ya?ml|json))(?::(\d+))?: (.*)$`)

// schemaMistakes are the errors that the registry joined.
func schemaMistakes(err error) (mistakes config.Mistakes) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			mistakes = append(mistakes, schemaMistakes(err)...)
		}
		return mistakes
	}
	m := config.Mistake{File: "schemas", What: err.Error()}
	if part := located.FindStringSubmatch(err.Error()); part != nil {
		m.File, m.What = part[1], part[3]
		m.Line, _ = strconv.Atoi(part[2])
	}
	return config.Mistakes{m}
}
