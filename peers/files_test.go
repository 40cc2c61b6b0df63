package peers

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/access"
	"brine/access/tokens"
)

// content is a file of a node, "" where there is none.
func (n *testNode) content(name string) string {
	text, err := os.ReadFile(filepath.Join(n.data, name))
	if err != nil && !os.IsNotExist(err) {
		n.s.t.Fatal(err)
	}
	return string(text)
}

func (n *testNode) write(name, text string) {
	n.s.t.Helper()
	check(n.s.t, os.WriteFile(filepath.Join(n.data, name), []byte(text), 0o600))
}

// everywhere wants a file to be the same on these nodes.
func (s *site) everywhere(name, text string, nodes ...string) {
	s.t.Helper()
	for _, of := range nodes {
		if got := s.nodes[of].content(name); got != text {
			s.t.Errorf("%s of %s is %q, want %q", name, of, got, text)
		}
	}
}

func (n *testNode) tokens() *tokens.File {
	return tokens.Open(filepath.Join(n.data, "tokens"), time.Now)
}

func (n *testNode) works(secret string) bool {
	_, _, err := n.tokens().Find(secret)
	return err == nil
}

func (n *testNode) newToken(owner string) (secret string, number int) {
	n.s.t.Helper()
	secret, made, err := n.tokens().Create(owner, access.RolesOf(access.Analyst), time.Now().Add(time.Hour), "")
	check(n.s.t, err)
	return secret, made.Number
}

// A token that is made or revoked on one node is so on all, whichever leads.
func TestTokensEverywhere(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	secret, number := s.nodes["a"].newToken("mira")
	other, _ := s.nodes["b"].newToken("anna") // which has the same number
	s.leads("c")
	for name, n := range s.nodes {
		if !n.works(secret) || !n.works(other) {
			t.Errorf("%s does not know both tokens", name)
		}
		if all, err := n.tokens().List(); err != nil || len(all) != 2 || all[0].Number == all[1].Number {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
	all, err := s.nodes["c"].tokens().List()
	check(t, err)
	for _, of := range all {
		if of.Owner == "mira" {
			number = of.Number
		}
	}
	_, err = s.nodes["c"].tokens().Revoke(number)
	check(t, err)
	s.leads("a")
	for name, n := range s.nodes {
		if n.works(secret) || !n.works(other) {
			t.Errorf("%s: the wrong token works", name)
		}
	}
}

// A token that was revoked while a node was away does not work there any more once it is back, also when that node leads; and what was
// revoked on a node that was alone holds when the others come back.
func TestRevokedWhileAway(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	first, one := s.nodes["a"].newToken("mira")
	second, two := s.nodes["a"].newToken("anna")
	s.leads("a")
	s.nodes["c"].stop()
	_, err := s.nodes["b"].tokens().Revoke(one)
	check(t, err)
	s.leads("a")
	_, err = s.nodes["c"].tokens().Revoke(two)
	check(t, err)
	s.start("c", s.nodes["c"].data)
	s.leads("c")
	for name, n := range s.nodes {
		if n.works(first) || n.works(second) {
			t.Errorf("a revoked token works on %s", name)
		}
	}
}

// A change reaches all; what two nodes change at once is put together; what is taken away stays away, also with a node that was not there.
func TestLinesEverywhere(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["a"].write("users", "# Who may read\nmira:raw:x\n")
	s.leads("b")
	s.everywhere("users", "# Who may read\nmira:raw:x\n", "a", "b", "c")
	s.nodes["a"].write("users", "# Who may read\nmira:viewer:x\nanna:raw:y\n")
	s.nodes["c"].write("users", "# Who may read\nmira:raw:x\nzoe:raw:z\n")
	s.leads("b")
	s.everywhere("users", "# Who may read\nmira:viewer:x\nanna:raw:y\nzoe:raw:z\n", "a", "b", "c")
	s.nodes["c"].stop()
	s.nodes["b"].write("users", "# Who may read\nanna:raw:y\nzoe:raw:z\n")
	s.leads("a")
	s.start("c", s.nodes["c"].data)
	s.leads("c") // which has mira still, and leads
	s.everywhere("users", "# Who may read\nanna:raw:y\nzoe:raw:z\n", "a", "b", "c")
	s.nodes["a"].stop()
	s.start("a", filepath.Join(t.TempDir(), "new"))
	s.leads("a") // which has nothing, and leads
	s.everywhere("users", "# Who may read\nanna:raw:y\nzoe:raw:z\n", "a", "b", "c")
}

// Alone, nothing is agreed on: what the one changed is a change when the others are back, and what the others changed meanwhile is too.
func TestFilesAlone(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["a"].write("users", "mira:raw:x\n")
	s.leads("a")
	s.nodes["b"].stop()
	s.nodes["c"].stop()
	s.nodes["a"].write("users", "mira:raw:x\nanna:raw:y\n")
	s.leads("a").waits("no majority of the nodes answers")
	s.nodes["a"].stop()
	s.start("b", s.nodes["b"].data)
	s.start("c", s.nodes["c"].data)
	s.nodes["b"].write("users", "mira:viewer:x\n")
	s.leads("c")
	s.everywhere("users", "mira:viewer:x\n", "b", "c")
	s.start("a", s.nodes["a"].data)
	s.leads("a")
	s.everywhere("users", "mira:viewer:x\nanna:raw:y\n", "a", "b", "c")
}

// Who was removed on a node stays removed, also when the node that led had told no other, and that one was away while more was changed.
func TestChangeThatFewHave(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	a, b := s.nodes["a"], s.nodes["b"]
	a.write("users", "mira:raw:x\n")
	s.leads("a")
	s.nodes["c"].stop()
	b.write("users", "")
	users := &a.files.Files[1]
	merge := users.Merge
	users.Merge = func(base, mine, theirs []byte) ([]byte, error) {
		a.write("users", "mira:raw:x\nanna:raw:y\n") // a command, while the nodes speak of the file
		return merge(base, mine, theirs)
	}
	a.files.Round(t.Context(), s.epoch, always)
	users.Merge = merge
	b.stop()
	s.start("c", s.nodes["c"].data)
	s.leads("a")
	s.everywhere("users", "mira:raw:x\nanna:raw:y\n", "a", "c")
	s.start("b", b.data)
	s.leads("c")
	s.everywhere("users", "anna:raw:y\n", "a", "b", "c")
}

// A key is one of those that the nodes made each for itself, and stays: a new node takes it on, and hears of it.
func TestKeyEverywhere(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	for name, n := range s.nodes {
		n.write("csrf.key", "made by "+name)
	}
	s.leads("c")
	s.everywhere("csrf.key", "made by a", "a", "b", "c")
	s.nodes["a"].stop()
	a := s.start("a", filepath.Join(t.TempDir(), "new"))
	a.write("csrf.key", "made by the new a")
	s.leads("a")
	s.everywhere("csrf.key", "made by a", "a", "b", "c")
	if a.keys != 1 {
		t.Errorf("the new node heard %d times of another key", a.keys)
	}
}

// What is none of the files is not written, and an older content replaces no newer one.
func TestFilesRefused(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["a"].write("users", "mira:raw:x\n")
	s.leads("a")
	h, err := s.nodes["a"].files.read(s.nodes["a"].files.Files[1])
	check(t, err)
	node := map[string]string{headerNode: "b", headerCluster: "test"}
	good := s.ca.node(t, loopback)
	for name, c := range map[string]struct{ path, body string }{
		"Path":       {"..%2fbrine.yaml", `{"seen":"` + hashOf(nil) + `","content":"eA=="}`},
		"OtherFile":  {"salts.ndjson", `{"seen":"` + hashOf(nil) + `","content":"eA=="}`},
		"OldVersion": {"users", fmt.Sprintf(`{"seen":%q,"version":{"epoch":0,"n":1},"content":"eA=="}`, hashOf(h.Content))},
		"OfAnother":  {"users", fmt.Sprintf(`{"seen":%q,"version":{"epoch":9,"n":1},"content":"eA=="}`, hashOf(nil))},
		"NoJSON":     {"users", "x"},
	} {
		status, answer, err := s.ask(good, "a", "PUT", "/files/"+c.path, c.body, node)
		if status != http.StatusConflict || err != nil {
			t.Errorf("%s: %d %q, %v", name, status, answer, err)
		}
	}
	s.everywhere("users", "mira:raw:x\n", "a", "b", "c")
}

// Where the log was made anew, epochs begin anew, and what was agreed on before is the base all the same.
func TestFilesOfANewLog(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["a"].write("users", "mira:raw:x\nanna:raw:y\n")
	s.epoch = 1000
	s.leads("a")
	for name, n := range s.nodes {
		n.stop()
		s.start(name, n.data)
	}
	s.nodes["b"].write("users", "anna:raw:y\n")
	s.epoch = 0
	s.leads("c")
	s.everywhere("users", "anna:raw:y\n", "a", "b", "c")
}

// A file that others may read is not spread, and that is told.
func TestFilesExposed(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["a"].write("users", "mira:raw:x\n")
	check(t, os.Chmod(filepath.Join(s.nodes["a"].data, "users"), 0o644))
	s.leads("a").waits("has mode 0644")
	s.leads("b").waits("node a: ")
	s.everywhere("users", "", "b", "c")
}

func TestNamed(t *testing.T) {
	base := `[{"name":"one","at":1},{"name":"two"}]`
	merged, err := Named([]byte(base), []byte(`[{"name":"two"},{"name":"three"}]`), []byte(`[{"name":"one","at":1},{"name":"two","at":2},{"name":"four"}]`))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(string(merged)), ""); got != `[{"name":"two","at":2},{"name":"three"},{"name":"four"}]` {
		t.Error(got)
	}
	if _, err := Named(nil, []byte("[]"), []byte("{")); err == nil {
		t.Error("a broken file is merged")
	}
}
