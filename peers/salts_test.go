package peers

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"brine/salt"
)

const (
	q3 = "2026070100_2026100100_2026100300"
	q4 = "2026100100_2027010100_2027010300"
	q1 = "2027010100_2027040100_2027040300"
)

// One node makes the salts, and all have the same; whoever leads next goes on with them.
func TestOneMakesAllHave(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	for name, n := range s.nodes {
		if len(n.folderNames()) > 0 {
			t.Errorf("%s has made a salt by itself", name)
		}
		if _, err := n.folder.For(s.now); !errors.Is(err, salt.ErrMissing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.leads("b")
	first := s.same("2026-11-25T11", "a", "b", "c")
	s.now = at("2026-12-30T00")
	s.nodes["a"].rotate() // a salt is needed soon, and it is not for this one to make it
	s.leads("c")
	if s.same("2026-12-30T00", "a", "b", "c") != first {
		t.Error("the next leader has made another salt")
	}
	s.same("2027-01-01T00", "a", "b", "c")
	for name, n := range s.nodes {
		if err := n.peers.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, file := range n.folderNames() {
			info, err := os.Stat(filepath.Join(n.data, "salts", file))
			check(t, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s of %s has mode %s", file, name, info.Mode())
			}
		}
	}
}

// Where a node's records name a salt that nobody has, as after a restore, none is made in its place until it is put back on any node, or given up.
func TestNoneIsMadeInPlaceOfALostOne(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.leads("a")
	first := s.same("2026-11-25T11", "a", "b", "c")
	key, err := os.ReadFile(filepath.Join(s.nodes["a"].data, "salts", q4))
	check(t, err)
	records, err := os.ReadFile(filepath.Join(s.nodes["b"].data, "salts.ndjson"))
	check(t, err)
	for name, n := range s.nodes {
		n.stop()
		data := filepath.Join(t.TempDir(), name)
		check(t, os.MkdirAll(filepath.Join(data, "salts"), 0o700))
		if name == "b" {
			check(t, os.WriteFile(filepath.Join(data, "salts.ndjson"), records, 0o600))
		}
		s.start(name, data)
	}
	for _, leader := range []string{"a", "b"} {
		s.leads(leader)
		for name, n := range s.nodes {
			if got := n.folderNames(); len(got) > 0 {
				t.Fatalf("%s leads, and %s has %v", leader, name, got)
			}
		}
	}
	if err := s.nodes["b"].peers.Err(); err == nil || !strings.Contains(err.Error(), "put it back on one, or give it up: brine salt destroy "+q4) {
		t.Errorf("it is not told: %v", err)
	}
	check(t, os.WriteFile(filepath.Join(s.nodes["c"].data, "salts", q4), key, 0o600))
	s.leads("a")
	if s.same("2026-11-25T11", "a", "b", "c") != first {
		t.Error("they have another salt")
	}
}

// No salt is made while a node has not told what it has: it might be the one that has made it.
func TestNoneIsMadeUnlessAllAnswer(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["c"].stop()
	a := s.leads("a")
	a.rotate()
	if got := a.folderNames(); len(got) > 0 {
		t.Fatalf("made %v", got)
	}
	a.waits("what it has; awaited: c")
	if st := a.folder.Status(); !strings.Contains(errText(a.folder, s), "not every node has told what it has") {
		t.Errorf("%+v", st)
	}
	s.start("c", s.nodes["c"].data)
	s.leads("a")
	s.same("2026-11-25T11", "a", "b", "c")
}

func errText(f *salt.Folder, s *site) string {
	_, err := f.Rotate(s.now, false)
	if err == nil {
		return ""
	}
	return err.Error()
}

// A leader that made a salt and died before it handed it out comes back with it, and nobody has made another.
func TestMakerDies(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["a"].salts.may(&lead{1, always}, "") // it has heard of all, and makes one
	s.nodes["a"].rotate()
	s.nodes["a"].salts.may(nil, "")
	s.nodes["a"].stop()
	s.epoch = 1
	s.leads("b")
	if got := s.nodes["b"].folderNames(); len(got) > 0 {
		t.Fatalf("b made %v while a is away", got)
	}
	s.start("a", s.nodes["a"].data)
	s.leads("b")
	s.same("2026-11-25T11", "a", "b", "c")
}

// What was lost comes back: a node's file, and a whole node's data.
func TestReplaced(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.leads("a")
	first := s.same("2026-11-25T11", "a", "b", "c")
	check(t, os.Remove(filepath.Join(s.nodes["b"].data, "salts", q4)))
	s.nodes["c"].stop()
	s.start("c", filepath.Join(t.TempDir(), "new"))
	if _, err := s.nodes["c"].folder.For(s.now); !errors.Is(err, salt.ErrMissing) {
		t.Errorf("a new node: %v", err)
	}
	s.leads("c") // the new one, of all
	if s.same("2026-11-25T11", "a", "b", "c") != first {
		t.Error("the salt is another")
	}
}

// A destruction is complete when every node has confirmed it. A node that is down is awaited by name, and destroys its copy before it uses
// any salt again.
func TestDestroyedEverywhere(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.leads("a")
	s.same("2026-11-25T11", "a", "b", "c")
	c := s.nodes["c"]
	c.stop()
	rec, err := s.nodes["b"].folder.Destroy(q4) // an operator, on any node
	if err != nil || rec.What != salt.Destroying {
		t.Fatal(rec, err)
	}
	a := s.leads("a")
	a.waits("salt " + q4 + " is not destroyed; awaited: c")
	for _, name := range []string{"a", "b"} {
		n := s.nodes[name]
		if slices.Contains(n.folderNames(), q4) || !strings.Contains(n.records(), `"destroying"`) || strings.Contains(n.records(), `"destroyed"`) || len(n.told) > 0 {
			t.Errorf("%s: %v, %s", name, n.folderNames(), n.records())
		}
	}
	if !slices.Contains(c.folderNames(), q4) {
		t.Fatal("c was not away")
	}
	c = s.start("c", c.data)
	if _, err := c.folder.For(s.now); !errors.Is(err, salt.ErrMissing) || !strings.Contains(err.Error(), "has not heard") {
		t.Errorf("c uses a salt that was destroyed: %v", err)
	}
	s.leads("b")
	for name, n := range s.nodes {
		if slices.Contains(n.folderNames(), q4) || !strings.Contains(n.records(), `"destroyed"`) || !slices.Contains(n.told, q4) {
			t.Errorf("%s: %v, %v, %s", name, n.folderNames(), n.told, n.records())
		}
		if err := n.peers.Err(); name == "b" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.now = at("2026-11-25T13")
	s.same("2026-11-25T13", "a", "b", "c") // the hours after it have a new one
}

// At its time each node destroys by its own clock, also without a leader; that it is complete is recorded when all have told.
func TestDue(t *testing.T) {
	s := newSite(t, "2026-12-30T00")
	s.leads("a")
	s.now = at("2027-01-03T00")
	for name, n := range s.nodes {
		n.rotate()
		if got := n.folderNames(); !slices.Equal(got, []string{q1}) || strings.Contains(n.records(), `"destroyed"`) {
			t.Errorf("%s: %v, %s", name, got, n.records())
		}
	}
	s.nodes["b"].stop()
	s.leads("a").waits("salt " + q4 + " is not destroyed; awaited: b")
	s.start("b", s.nodes["b"].data)
	s.leads("a")
	for name, n := range s.nodes {
		if got := n.records(); strings.Count(got, `"destroyed"`) != 1 || len(n.told) != 1 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A new node learns what ended early, too, else it would see hours without a salt.
func TestNewNodeAfterDestroy(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.leads("a")
	_, err := s.nodes["a"].folder.Destroy(q4)
	check(t, err)
	s.leads("a")
	s.now = at("2026-11-25T13")
	s.leads("a")
	first := s.same("2026-11-25T13", "a", "b", "c")
	s.nodes["b"].stop()
	s.start("b", filepath.Join(t.TempDir(), "new"))
	s.leads("b")
	if s.same("2026-11-25T13", "a", "b", "c") != first {
		t.Error("another salt")
	}
	if _, err := s.nodes["b"].folder.For(at("2026-11-25T09")); !errors.Is(err, salt.ErrForgotten) {
		t.Error(err)
	}
}

// A leader that was paused past its time does nothing any more.
func TestOldLeader(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	a := s.leads("a")
	old := s.epoch
	s.leads("b")
	if err := a.salts.MayMake(); !errors.Is(err, ErrOld) {
		t.Errorf("it makes salts: %v", err)
	}
	a.salts.Round(t.Context(), old, always)
	a.waits("another node has come to lead")
	ended := errors.New("the term is over")
	s.nodes["b"].salts.Round(t.Context(), s.epoch, func() error { return ended })
	s.nodes["b"].waits("the term is over")
}

// Nobody but a node gets through the door.
func TestDoorRefuses(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.leads("a")
	node := map[string]string{headerNode: "b", headerCluster: "test"}
	as := func(change map[string]string) map[string]string {
		h := map[string]string{}
		for _, of := range []map[string]string{node, change} {
			for k, v := range of {
				h[k] = v
			}
		}
		return h
	}
	good := s.ca.node(t, loopback)
	if status, _, err := s.ask(good, "a", "GET", "/salts/"+q4, "", node); status != http.StatusOK || err != nil {
		t.Fatal(status, err)
	}
	bare := good.Clone()
	bare.Certificates = nil
	foreign := newAuthority(t).node(t, loopback)
	foreign.RootCAs = good.RootCAs
	elsewhere := s.ca.node(t, net.IPv4(10, 0, 0, 9))
	for name, c := range map[string]struct {
		ask    func() (int, string, error)
		status int // 0: not even a connection
	}{
		"NoCertificate": {func() (int, string, error) { return s.ask(bare, "a", "GET", "/salts/"+q4, "", node) }, 0},
		"CollectorsToken": {func() (int, string, error) {
			return s.ask(bare, "a", "GET", "/salts/"+q4, "", as(map[string]string{"Authorization": "Bearer brine_x"}))
		}, 0},
		"OtherRoot": {func() (int, string, error) { return s.ask(foreign, "a", "GET", "/salts/"+q4, "", node) }, 0},
		"OtherHost": {func() (int, string, error) { return s.ask(elsewhere, "a", "GET", "/salts/"+q4, "", node) }, http.StatusForbidden},
		"NoName":    {func() (int, string, error) { return s.ask(good, "a", "GET", "/salts/"+q4, "", nil) }, http.StatusForbidden},
		"UnknownNode": {func() (int, string, error) {
			return s.ask(good, "a", "GET", "/salts/"+q4, "", as(map[string]string{headerNode: "x"}))
		}, http.StatusForbidden},
		"Itself": {func() (int, string, error) {
			return s.ask(good, "a", "GET", "/salts/"+q4, "", as(map[string]string{headerNode: "a"}))
		}, http.StatusForbidden},
		"OtherCluster": {func() (int, string, error) {
			return s.ask(good, "a", "GET", "/salts/"+q4, "", as(map[string]string{headerCluster: "prod"}))
		}, http.StatusForbidden},
		"OldEpoch": {func() (int, string, error) {
			return s.ask(good, "a", "GET", "/salts", "", as(map[string]string{headerEpoch: "0"}))
		}, http.StatusConflict},
		"PathInName": {func() (int, string, error) {
			return s.ask(good, "a", "PUT", "/salts/..%2f..%2fusers", strings.Repeat("0", 64), node)
		}, http.StatusConflict},
		"PathAfterName": {func() (int, string, error) {
			return s.ask(good, "a", "PUT", "/salts/"+q3+"%2fx", strings.Repeat("0", 64), node)
		}, http.StatusConflict},
		"NoSalt": {func() (int, string, error) { return s.ask(good, "a", "PUT", "/salts/"+q1, "short", node) }, http.StatusConflict},
		"OverTheOneInForce": {func() (int, string, error) {
			return s.ask(good, "a", "PUT", "/salts/"+q4, strings.Repeat("0", 64), node)
		}, http.StatusConflict},
		"ForSomeOfItsHours": {func() (int, string, error) {
			return s.ask(good, "a", "PUT", "/salts/2026110100_2026120100_2026120300", strings.Repeat("0", 64), node)
		}, http.StatusConflict},
		"CompleteBeforeDone": {func() (int, string, error) { return s.ask(good, "a", "POST", "/salts/"+q4+"/complete", "", node) }, http.StatusConflict},
		"EndOfNoSalt":        {func() (int, string, error) { return s.ask(good, "a", "POST", "/salts/..%2fx/end", "", node) }, http.StatusConflict},
	} {
		status, answer, err := c.ask()
		if status != c.status || (err != nil) != (c.status == 0) {
			t.Errorf("%s: %d %q, %v", name, status, answer, err)
		}
	}
	res, err := http.Get("http://" + s.list[0].Addr + "/salts/" + q4)
	if err != nil || res.StatusCode != http.StatusBadRequest {
		t.Errorf("a plain client: %v, %v", res, err)
	}
	if got := s.nodes["a"].folderNames(); !slices.Equal(got, []string{q4}) {
		t.Errorf("the folder holds %v", got)
	}
	above, err := os.ReadDir(s.nodes["a"].data)
	check(t, err)
	for _, e := range above {
		if !slices.Contains([]string{"erasures", "nodes", "salts", "salts.ndjson"}, e.Name()) && !strings.HasSuffix(e.Name(), ".lock") {
			t.Errorf("the data folder holds %v", e)
		}
	}
}

// An older set of salts, as a node has that was restored from an old disk, brings nothing back and replaces nothing.
func TestOldSet(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.leads("a")
	c := s.nodes["c"]
	key, err := c.folder.Hand(q4)
	check(t, err)
	old := c.records()
	_, err = s.nodes["a"].folder.Destroy(q4)
	check(t, err)
	s.leads("a")
	s.now = at("2026-11-25T13")
	s.leads("a")
	next := s.same("2026-11-25T13", "a", "b", "c")
	c.stop()
	check(t, os.RemoveAll(filepath.Join(c.data, "salts")))
	check(t, os.Mkdir(filepath.Join(c.data, "salts"), 0o700))
	check(t, os.WriteFile(filepath.Join(c.data, "salts", q4), append(key, '\n'), 0o600))
	check(t, os.WriteFile(filepath.Join(c.data, "salts.ndjson"), []byte(old), 0o600))
	s.start("c", c.data)
	s.leads("c") // which leads, of all
	if s.same("2026-11-25T13", "a", "b", "c") != next {
		t.Error("another salt")
	}
	for name, n := range s.nodes {
		if slices.Contains(n.folderNames(), q4) {
			t.Errorf("%s has the destroyed salt again", name)
		}
	}
	if err := s.nodes["a"].folder.Take(q4, key); !errors.Is(err, salt.ErrForgotten) {
		t.Errorf("a takes it: %v", err)
	}
}

// Two nodes that made salts each by itself, before they were nodes of one log, are told apart and nothing is overwritten.
func TestTwoSalts(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	for _, name := range []string{"a", "b"} {
		s.nodes[name].salts.may(&lead{0, always}, "")
		s.nodes[name].rotate()
		s.nodes[name].salts.may(nil, "")
	}
	before := s.nodes["a"].records() + s.nodes["b"].records()
	s.leads("a").waits("salt " + q4 + " is ")
	if after := s.nodes["a"].records() + s.nodes["b"].records(); after != before || len(s.nodes["c"].folderNames()) > 0 {
		t.Errorf("%s, %v", after, s.nodes["c"].folderNames())
	}
}
