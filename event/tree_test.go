package event

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// A key that comes twice is found among few and among many.
func TestTreeFindsRepeatedKeys(t *testing.T) {
	for _, n := range []int{2, fewNames, fewNames + 1, 500} {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf(`"k%d":%d`, i, i))
		}
		var whole, repeated tree
		if _, p := whole.read([]byte(`{` + strings.Join(members, ",") + `}`)); p != nil {
			t.Errorf("%d keys: %v", n, p)
		}
		again := fmt.Sprintf(`"\u006b%d":0`, n/2)
		if _, p := repeated.read([]byte(`{` + strings.Join(members, ",") + `,` + again + `}`)); p == nil || p.Code != CodeDuplicate || p.Path != fmt.Sprintf("/k%d", n/2) {
			t.Errorf("%d keys and one again: %v", n, p)
		}
	}
}

// What is read into a tree that was used before has nothing of what it held.
func TestTreeIsUsedAgain(t *testing.T) {
	var e tree
	for _, text := range []string{`{"a":[1,{"b":"\u00e9\n"}],"c":{"d":null,"e":true}}`, `{}`, `{"a":[],"x":-1.5e3}`, `{"a":[[[]]],"é":"z"}`} {
		if _, p := e.read([]byte(text)); p != nil {
			t.Fatal(p)
		}
		got, err := json.Marshal(e.decoded(root))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.NewReplacer(`\u00e9`, `é`).Replace(text)
		if string(got) != want {
			t.Errorf("%s reads as %s", text, got)
		}
	}
}

func TestTreeSetAndRemove(t *testing.T) {
	var e tree
	if _, p := e.read([]byte(`{"a":1,"b":2,"c":{"d":3}}`)); p != nil {
		t.Fatal(p)
	}
	e.set(root, "b", e.nodes[1].typ, []byte("7"))
	e.remove(root, "a")
	c, _ := e.named(root, "c")
	e.remove(c, "d")
	e.remove(c, "d")
	e.set(c, "e", e.nodes[1].typ, []byte("8"))
	if got, err := json.Marshal(e.decoded(root)); err != nil || string(got) != `{"b":7,"c":{"e":8}}` {
		t.Errorf("%s %v", got, err)
	}
}

func TestReadingAgainMakesNothing(t *testing.T) {
	var e tree
	src := []byte(visit(`"amount":3,"install":"abcdefgh","steps":[["a",1],["b",2,3]],`))
	if n := testing.AllocsPerRun(100, func() { e.read(src) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
