package peers

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/erasure"
)

// take takes a request at a node, and gives the number of its receipt.
func (n *testNode) take(unit string) string {
	n.s.t.Helper()
	number, err := n.erase.Here.Accept(unit, false)
	check(n.s.t, err)
	check(n.s.t, n.erase.Spread(n.s.t.Context(), number))
	return number
}

// takenByAll is take, after which every node has the request: one of the three may lack it when a majority has it.
func (n *testNode) takenByAll(unit string) string {
	n.s.t.Helper()
	number := n.take(unit)
	for name, other := range n.s.nodes {
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if _, has := other.erase.Here.Waiting()[number]; has {
				break
			}
			if time.Now().After(end) {
				n.s.t.Fatalf("%s has no request", name)
			}
		}
	}
	return number
}

// waiting wants that these nodes have a request, and no others.
func (s *site) waiting(number string, names string) {
	s.t.Helper()
	for name, n := range s.nodes {
		_, has := n.erase.Here.Waiting()[number]
		_, err := os.Stat(filepath.Join(n.data, "erasures", number+".json"))
		if want := strings.Contains(names, name); has != want || (err == nil) != want {
			s.t.Errorf("%s has the request: %v, %v; want %v", name, has, err, want)
		}
	}
}

// Any node takes a request, and any other has it when that one is lost; a node that was away gets it.
func TestErasureSurvivesItsNode(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["b"].stop()
	number := s.nodes["c"].take("an install")
	s.waiting(number, "a c")
	if again := s.nodes["c"].take("an install"); again != number {
		t.Error("the same request twice has two receipts")
	}
	s.nodes["c"].stop()
	s.start("b", s.nodes["b"].data)
	s.leads("b")
	s.waiting(number, "a b c")
	content, err := os.ReadFile(filepath.Join(s.nodes["b"].data, "erasures", number+".json"))
	if err != nil || !strings.Contains(string(content), "an install") {
		t.Errorf("%s, %v", content, err)
	}
}

// Alone a node does not say that a request is taken, and keeps it all the same.
func TestErasureAlone(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["a"].stop()
	s.nodes["b"].stop()
	number, err := s.nodes["c"].erase.Here.Accept("an install", true)
	check(t, err)
	if err := s.nodes["c"].erase.Spread(t.Context(), number); !errors.Is(err, ErrAlone) {
		t.Error(err)
	}
	s.start("a", s.nodes["a"].data)
	s.leads("a")
	s.waiting(number, "a c")
}

// What is complete on the node that leads is complete on all, whoever leads then, and a node that slept through it does not bring it back.
func TestErasureComplete(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	number := s.nodes["c"].takenByAll("an install")
	s.nodes["c"].stop()
	receipt, err := s.nodes["a"].erase.Here.Receipt(number)
	check(t, err)
	receipt.State = erasure.Complete
	check(t, s.nodes["a"].erase.Here.Completed(receipt))
	s.leads("a")
	s.waiting(number, "c")
	s.start("c", s.nodes["c"].data)
	s.leads("b")
	s.waiting(number, "")
	for name, n := range s.nodes {
		if got, err := n.erase.Here.Receipt(number); err != nil || got.State != erasure.Complete {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	s.nodes["c"].stop()
	elsewhere, err := s.start("c", filepath.Join(t.TempDir(), "new")).erase.Receipt(t.Context(), number)
	if err != nil || elsewhere.State != erasure.Complete {
		t.Errorf("a new node: %+v, %v", elsewhere, err)
	}
}

// A node that slept while a request was completed takes a second one for the same install as one of its own: the first would be told complete.
func TestErasureAskedAgainAfterAway(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	number := s.nodes["c"].takenByAll("an install")
	s.leads("a")
	s.nodes["c"].stop()
	receipt, err := s.nodes["a"].erase.Here.Receipt(number)
	check(t, err)
	receipt.State = erasure.Complete
	check(t, s.nodes["a"].erase.Here.Completed(receipt))
	s.leads("a")
	s.now = s.now.Add(26 * time.Hour)
	s.start("c", s.nodes["c"].data)
	again := s.nodes["c"].take("an install")
	s.leads("a")
	s.waiting(number, "")
	s.waiting(again, "a b c")
}

// A node that hangs keeps nobody waiting who asks another to erase.
func TestErasureBesideAHungNode(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	s.nodes["b"].stop()
	hung, err := net.Listen("tcp", s.nodes["b"].peers.addr("b"))
	check(t, err)
	defer hung.Close()
	s.waiting(s.nodes["c"].take("an install"), "a c")
	conn, err := hung.Accept()
	check(t, err)
	defer conn.Close()
	check(t, conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	if _, err := io.Copy(io.Discard, conn); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it was waited for until the connection ended: %v", err)
	}
}

// What is no request is not kept, and the refusal does not repeat it.
func TestErasureRefused(t *testing.T) {
	s := newSite(t, "2026-11-25T11")
	number := s.nodes["a"].takenByAll("an install")
	node := map[string]string{headerNode: "b", headerCluster: "test"}
	good := s.ca.node(t, loopback)
	other := strings.Repeat("0", 32)
	for name, c := range map[string]struct{ number, body string }{
		"Path":        {"..%2f..%2fusers", `{"unit":"secret","receipt":{"receipt":"../../users","state":"accepted"}}`},
		"OtherNumber": {other, `{"unit":"secret","receipt":{"receipt":"` + number + `","state":"accepted"}}`},
		"NoUnit":      {other, `{"unit":"","receipt":{"receipt":"` + other + `","state":"accepted"}}`},
		"NoJSON":      {other, `secret`},
		"OtherUnit":   {number, `{"unit":"secret","last":true,"receipt":{"receipt":"` + number + `","state":"removed from files"}}`},
	} {
		status, answer, err := s.ask(good, "a", "PUT", "/erasures/"+c.number, c.body, node)
		if status != http.StatusConflict || err != nil || strings.Contains(answer, "secret") {
			t.Errorf("%s: %d %q, %v", name, status, answer, err)
		}
	}
	if got := s.nodes["a"].erase.Here.Waiting(); len(got) != 1 {
		t.Errorf("%v wait", got)
	}
}
