package cluster

import (
	"os"
	"path/filepath"
	"testing"
)

// Which cluster a folder is of counts as noted once it is: after a disk that refuses it once, the next look notes it.
func TestFingerprintIsNotedLater(t *testing.T) {
	opts := Options{Dir: t.TempDir(), Cluster: "test", Name: "a"}
	prints, err := claim(opts)
	must(t, err)
	l := &Log{opts: opts, prints: prints}
	inTheWay := filepath.Join(opts.Dir, "."+fingerprintFile) // as a full disk is
	must(t, os.Mkdir(inTheWay, 0o700))
	if l.checkFolder(state{Cluster: "one"}) == nil {
		t.Error("the disk refused it, and nobody was told")
	}
	must(t, os.Remove(inTheWay))
	must(t, l.checkFolder(state{Cluster: "one"}))
	noted, err := claim(opts)
	must(t, err)
	if noted.ID != "one" {
		t.Errorf("noted is %+v", noted)
	}
}
