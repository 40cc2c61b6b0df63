package config

import "testing"

// The door of a node for the others is where log.doors has it, else on the port after that of its part of the log.
func TestNodeDoors(t *testing.T) {
	nodes := []string{"a=store-a:6222", "b=10.0.0.2:7000"}
	for name, c := range map[string]struct {
		log          Log
		door, listen string
	}{
		"Default":    {Log{Nodes: nodes, Name: "b"}, "10.0.0.2:7001", "10.0.0.2:7001"},
		"Everywhere": {Log{Nodes: nodes, Name: "a", Listen: "0.0.0.0:6222"}, "store-a:6223", "0.0.0.0:6223"},
		"Given":      {Log{Nodes: nodes, Name: "a", Doors: []string{"b=10.0.0.2:1", "a=store-a:2"}, Listen: "10.0.0.1:6222"}, "store-a:2", "10.0.0.1:2"},
	} {
		for _, n := range c.log.NodeDoors() {
			if n.Name == c.log.Self() && n.Addr != c.door {
				t.Errorf("%s: %s", name, n.Addr)
			}
		}
		if got := c.log.DoorListen(); got != c.listen {
			t.Errorf("%s listens on %s, want %s", name, got, c.listen)
		}
	}
}
