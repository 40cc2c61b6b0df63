// Command build makes the browser library: it bundles src/ into dist/, as a classic script that sets
// window.brine (brine.js), as a module (brine.mjs), and with the types of both (brine.d.ts). It is run by
// go generate in the folder client, after npm ci; what it writes is committed, so that building Brine needs no JavaScript tool.
package main

import (
	"fmt"
	"os"
	"os/exec"
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
		AbsWorkingDir: dir,
		EntryPoints:   []string{entry},
		Outfile:       out,
		Bundle:        true,
		Format:        format,
		Target:        api.ES2022,
		MinifySyntax:  true,
		Sourcemap:     api.SourceMapExternal,
		Charset:       api.CharsetUTF8,
		TsconfigRaw:   `{"compilerOptions": {"alwaysStrict": false}}`, // no "use strict": the types are checked strictly, by tsc
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%s", api.FormatMessages(result.Errors, api.FormatMessagesOptions{})[0])
	}
	return result.OutputFiles, shorten(dir, result.OutputFiles, format == api.FormatESModule)
}

// shorten makes a script, and its map with it, as short as can be, in place. Terser puts functions that are called once
// where they are called and gives one letter to more names than esbuild does: a twentieth of what a page has to load.
func shorten(dir string, files []api.OutputFile, module bool) error {
	aside, err := os.MkdirTemp("", "brine-client-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	var paths []string // of the map, then of the script: as esbuild gives them
	for _, f := range files {
		paths = append(paths, filepath.Join(aside, filepath.Base(f.Path)))
		if err := os.WriteFile(paths[len(paths)-1], f.Contents, 0o644); err != nil {
			return err
		}
	}
	sourceMap, script := paths[0], paths[1]
	terser := exec.Command(filepath.Join(dir, "node_modules/.bin/terser"), script, "--output", script,
		"--compress", "ecma=2022,passes=3,unsafe_arrows=true", "--mangle", "toplevel="+fmt.Sprint(module), "--source-map", "content='"+sourceMap+"'")
	if said, err := terser.CombinedOutput(); err != nil {
		return fmt.Errorf("terser: %w %s (npm ci in client/ installs it)", err, said)
	}
	for i := range files {
		if files[i].Contents, err = os.ReadFile(paths[i]); err != nil {
			return err
		}
	}
	return nil
}
