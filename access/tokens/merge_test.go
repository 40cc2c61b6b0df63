package tokens

import (
	"os"
	"testing"
	"time"
)

// What either file has made is in both, what either has revoked is revoked in both, and each has a number of its own, whichever is put into which.
func TestMerge(t *testing.T) {
	a, b := open(t), open(t)
	shared, one := a.make(day)
	text, err := os.ReadFile(a.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Revoke(one); err != nil {
		t.Fatal(err)
	}
	a.now, b.now = a.now.Add(time.Second), b.now.Add(2*time.Second)
	first, two := a.make(day)
	second, again := b.make(day)
	if two != again {
		t.Fatal("the numbers differ already")
	}
	files := [2][]byte{}
	for i, h := range []*house{a, b} {
		if files[i], err = os.ReadFile(h.path); err != nil {
			t.Fatal(err)
		}
	}
	for _, pair := range [][2]int{{0, 1}, {1, 0}} {
		merged, err := Merge(nil, files[pair[0]], files[pair[1]])
		if err != nil {
			t.Fatal(err)
		}
		c := open(t)
		c.now = b.now
		if err := os.WriteFile(c.path, merged, 0o600); err != nil {
			t.Fatal(err)
		}
		if c.works(c.File, shared) || !c.works(c.File, first) || !c.works(c.File, second) {
			t.Error("the wrong tokens work")
		}
		all, err := c.List()
		if err != nil || len(all) != 3 || all[1].Number != two || !all[1].Made.Equal(a.now) || all[2].Number != two+1 {
			t.Errorf("%+v, %v", all, err)
		}
		if once, err := Merge(nil, merged, files[1]); err != nil || string(once) != string(merged) {
			t.Errorf("once more it is another: %s, %v", once, err)
		}
	}
	if _, err := Merge(nil, files[0], []byte("{")); err == nil {
		t.Error("a broken file is merged")
	}
}
