package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The committed charts are what their source makes.
func TestOutputIsFresh(t *testing.T) {
	files, err := build("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Fatalf("the build gave %d files, want the bundle and the licenses", len(files))
	}
	for _, f := range files {
		committed, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(committed, f.Contents) {
			t.Errorf("dist/%s is not what src/ makes: run go generate ./console/board", filepath.Base(f.Path))
		}
	}
}
