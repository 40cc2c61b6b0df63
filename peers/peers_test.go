package peers

import (
	"net/http"
	"testing"
)

// New roots are taken on at once: by who comes, by connections that are open, and by a node that asks others.
func TestNewRoots(t *testing.T) {
	s := newSite(t, "2026-11-21T13")
	node := map[string]string{headerNode: "b", headerCluster: "test"}
	before, other := s.ca.node(t, loopback), newAuthority(t)
	after := other.node(t, loopback)
	after.RootCAs = before.RootCAs // the doors show what they showed
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: before}}
	defer client.CloseIdleConnections()
	lead := func() error {
		_, err := s.nodes["b"].peers.client.Get("https://" + s.list[0].Addr + "/salts")
		return err
	}
	if status, answer, err := s.askBy(client, "a", "GET", "/salts", "", node); status != http.StatusOK || err != nil || lead() != nil {
		t.Fatal(status, answer, err, lead())
	}
	s.roots.Store(other.pool())
	s.nodes["b"].peers.Reconnect()
	if status, answer, err := s.askBy(client, "a", "GET", "/salts", "", node); status != http.StatusForbidden || err != nil {
		t.Errorf("an open connection by the old root: %d %q, %v", status, answer, err)
	}
	if status, answer, err := s.ask(after, "a", "GET", "/salts", "", node); status != http.StatusOK || err != nil {
		t.Errorf("the new root: %d %q, %v", status, answer, err)
	}
	if lead() == nil {
		t.Error("a door with a certificate of the old root was asked")
	}
}
