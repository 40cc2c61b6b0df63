// Command build makes the browser library: it bundles src/classic.ts into dist/brine.js, a classic
// script that sets window.brine, and its source map. It is run by go generate in the folder client;
// what it writes is committed, so that building Brine needs no JavaScript tool.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "client/build:", err)
		os.Exit(1)
	}
}

// run builds the library in the folder client and writes it there.
func run(client string) error {
	files, err := bundle(client)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(f.Path, f.Contents, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// bundle gives the files that make up the built library, in memory. An error of the source is told
// with its file and line.
func bundle(client string) ([]api.OutputFile, error) {
	dir, err := filepath.Abs(client)
	if err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     dir,
		EntryPoints:       []string{"src/classic.ts"},
		Outfile:           "dist/brine.js",
		Bundle:            true,
		Format:            api.FormatIIFE,
		Target:            api.ES2021,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Sourcemap:         api.SourceMapLinked,
		Charset:           api.CharsetUTF8,
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%s", api.FormatMessages(result.Errors, api.FormatMessagesOptions{})[0])
	}
	return result.OutputFiles, nil
}
