// Package client holds the browser library and the demo page, as files inside the binary.
//
// The library is written in TypeScript (src/, one file a thing; src/api.d.ts is its surface, src/classic.ts sets
// window.brine) and built by go generate into dist/, which is committed: a classic script, a module for bundlers, and types. The demo page (demo/) is a sign-in dialog that a
// person can click through, instrumented with the real library; it expects the library at /brine.js
// and the public door on its own origin.
//
// The package imports nothing of the house. Nothing comes in; files go out, to the public door.
package client

import (
	"embed"
	"io/fs"
)

//go:generate go run ./build

var (
	//go:embed dist/brine.js
	library []byte

	//go:embed dist/brine.js.map
	sourceMap []byte

	//go:embed demo
	demo embed.FS
)

// Library is the browser library, a classic script to be served as /brine.js
// (text/javascript; charset=utf-8). The bytes are shared and must not be changed.
func Library() []byte { return library }

// SourceMap is the library's source map, to be served as /brine.js.map (application/json).
// The bytes are shared and must not be changed.
func SourceMap() []byte { return sourceMap }

// Demo holds the demo page: index.html, demo.css and demo.js at its root, to be served below /demo/.
func Demo() fs.FS {
	files, err := fs.Sub(demo, "demo")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	return files
}
