// Command build bundles the dashboard's charts, src/ with Observable Plot, into dist/charts.js, and gathers beside it the licenses of
// what is in it. It is run by go generate in the folder console/board, after npm ci; what it writes is committed, so that building Brine
// needs no JavaScript tool.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if err := run("charts"); err != nil {
		fmt.Fprintln(os.Stderr, "console/board/charts/build:", err)
		os.Exit(1)
	}
}

// run builds what is in the folder charts and writes it there.
func run(charts string) error {
	files, err := build(charts)
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

// build gives the bundle and the licenses, in memory. An error of the source is told with its file and line.
func build(charts string) ([]api.OutputFile, error) {
	dir, err := filepath.Abs(charts)
	if err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     dir,
		EntryPoints:       []string{"src/charts.ts"},
		Outfile:           "dist/charts.js",
		Bundle:            true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		MinifySyntax:      true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		Metafile:          true,
		LegalComments:     api.LegalCommentsNone, // the licenses stand beside, whole
		Charset:           api.CharsetUTF8,
	})
	if len(result.Errors) > 0 {
		return nil, fmt.Errorf("%s", api.FormatMessages(result.Errors, api.FormatMessagesOptions{})[0])
	}
	text, err := licenses(dir, result.Metafile)
	if err != nil {
		return nil, err
	}
	return append(result.OutputFiles, api.OutputFile{Path: filepath.Join(dir, "dist/LICENSES"), Contents: text}), nil
}

// licenses are those of the packages that the bundle has something of.
func licenses(dir, metafile string) ([]byte, error) {
	var meta struct {
		Outputs map[string]struct {
			Inputs map[string]struct{ BytesInOutput int }
		}
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, err
	}
	var packages []string
	for _, out := range meta.Outputs {
		for input, in := range out.Inputs {
			if name := packageOf(input); name != "" && in.BytesInOutput > 0 && !slices.Contains(packages, name) {
				packages = append(packages, name)
			}
		}
	}
	slices.Sort(packages)
	var all bytes.Buffer
	for _, name := range packages {
		text, err := os.ReadFile(filepath.Join(dir, "node_modules", name, "LICENSE"))
		if err != nil {
			return nil, fmt.Errorf("%s is in the bundle: %w", name, err)
		}
		fmt.Fprintf(&all, "%s\n%s\n\n%s\n\n\n", name, strings.Repeat("=", len(name)), bytes.TrimSpace(text))
	}
	return append(bytes.TrimSpace(all.Bytes()), '\n'), nil
}

// packageOf is the package that a file below node_modules belongs to, "" of another file.
func packageOf(path string) string {
	_, inside, ok := strings.Cut(path, "node_modules/")
	if !ok {
		return ""
	}
	parts := strings.Split(inside, "/")
	if strings.HasPrefix(inside, "@") {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}
