// Command build makes the browser library: it bundles src/ into dist/, as a classic script that sets
// window.brine (brine.js), as a module (brine.mjs), and with the types of both (brine.d.ts). It is run by
// go generate in the folder client; what it writes is committed, so that building Brine needs no JavaScript tool.
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
	files, err := build(client)
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

// build gives the files that make up the built library, in memory. An error of the source is told
// with its file and line.
func build(client string) ([]api.OutputFile, error) {
	dir, err := filepath.Abs(client)
	if err != nil {
		return nil, err
	}
	types, err := os.ReadFile(filepath.Join(dir, "src/api.d.ts"))
	if err != nil {
		return nil, err
	}
	files := []api.OutputFile{{Path: filepath.Join(dir, "dist/brine.d.ts"), Contents: types}}
	for _, form := range []struct {
		entry, out string
		format     api.Format
	}{
		{"src/classic.ts", "dist/brine.js", api.FormatIIFE},
		{"src/brine.ts", "dist/brine.mjs", api.FormatESModule},
	} {
		made, err := bundle(dir, form.entry, form.out, form.format)
		if err != nil {
			return nil, err
		}
		files = append(files, made...)
	}
	return files, nil
}

// bundle gives one script and its source map. The script does not name the map, which the server does in a
// header: each byte of the script is paid by everybody, the map is for those who debug.
func bundle(dir, entry, out string, format api.Format) ([]api.OutputFile, error) {
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     dir,
		EntryPoints:       []string{entry},
		Outfile:           out,
		Bundle:            true,
		Format:            format,
		Target:            api.ES2021,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Sourcemap:         api.SourceMapExternal,
		Charset:           api.CharsetUTF8,
		TsconfigRaw:       `{"compilerOptions": {"alwaysStrict": false}}`, // no "use strict": the types are checked strictly, by tsc
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%s", api.FormatMessages(result.Errors, api.FormatMessagesOptions{})[0])
	}
	return result.OutputFiles, nil
}
