package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
)

// The committed library is what its source makes.
func TestOutputIsFresh(t *testing.T) {
	files, err := build("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 5 {
		t.Fatalf("the build gave %d files, want two scripts with a source map each, and the types", len(files))
	}
	for _, f := range files {
		committed, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(committed, f.Contents) {
			t.Errorf("dist/%s is not what src/ makes: run go generate ./client", filepath.Base(f.Path))
		}
	}
}

func TestLibraryIsSmall(t *testing.T) {
	const most = 3500 // bytes, gzipped
	script, err := os.ReadFile("../dist/brine.js")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	_, _ = w.Write(script)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("brine.js: %d bytes, %d gzipped", len(script), packed.Len())
	if packed.Len() > most {
		t.Errorf("brine.js is %d bytes gzipped, over the %d that a page should have to load", packed.Len(), most)
	}
}
