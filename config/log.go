package config

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"brine/mistake"
)

// Log says on which storage nodes the log lies. It is the same on all of them, but for name, listen and the certificate.
type Log struct {
	Nodes    []string `yaml:"nodes"`    // name=host:port of each storage node, on which the others reach it; default none: the log is this process's own
	Doors    []string `yaml:"doors"`    // name=host:port of each node's door for the others; default the host in nodes, and the port after. Read it by [Log.NodeDoors]
	Cluster  string   `yaml:"cluster"`  // name of the nodes together, which no other cluster has; no default
	Name     string   `yaml:"name"`     // of this node, one of nodes; default the machine's name up to its first dot. Read it by [Log.Self]
	Listen   string   `yaml:"listen"`   // host:port to listen on for the others; default this node's in nodes
	Replicas int      `yaml:"replicas"` // nodes that hold each event, 3 or 5; default 3
	TLS      LogTLS   `yaml:"tls"`      // what the nodes know each other by
}

// LogTLS names the files that a node proves itself with, and that it knows the others by.
type LogTLS struct {
	Cert string `yaml:"cert"` // PEM: the node's certificate, for its host in nodes, to serve and to ask; no default. Taken on when it changes, as key
	Key  string `yaml:"key"`  // PEM, which its owner alone may read; no default
	CA   string `yaml:"ca"`   // PEM: the root of the nodes' certificates, which signs nothing else; no default. Taken on when it changes
}

// LogNode is one of the nodes.
type LogNode struct{ Name, Addr string }

const defaultReplicas = 3

// Replicated is whether the log lies on several nodes.
func (l Log) Replicated() bool { return len(l.Nodes) > 0 }

// Members are the nodes.
func (l Log) Members() []LogNode { return members(l.Nodes) }

func members(texts []string) (all []LogNode) {
	for _, text := range texts {
		name, addr, _ := strings.Cut(text, "=")
		all = append(all, LogNode{name, addr})
	}
	return all
}

// NodeDoors are the nodes, each with the address of its door for the others.
func (l Log) NodeDoors() (all []LogNode) {
	if len(l.Doors) > 0 {
		return members(l.Doors)
	}
	for _, n := range l.Members() {
		host, text, _ := net.SplitHostPort(n.Addr)
		port, _ := strconv.Atoi(text) // checked with nodes
		all = append(all, LogNode{n.Name, net.JoinHostPort(host, strconv.Itoa(port+1))})
	}
	return all
}

// DoorListen is where this node's door for the others listens: at its port, on the host of listen where that is set.
func (l Log) DoorListen() string {
	for _, n := range l.NodeDoors() {
		if n.Name != l.Self() {
			continue
		}
		host, port, _ := net.SplitHostPort(n.Addr)
		if on, _, err := net.SplitHostPort(l.Listen); err == nil {
			host = on
		}
		return net.JoinHostPort(host, port)
	}
	return ""
}

// Self is the name of this node.
func (l Log) Self() string {
	if l.Name != "" {
		return l.Name
	}
	return machineName() // "" is none of the nodes
}

var nodeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (c *Config) checkLog(d *decoder) {
	if !c.Log.Replicated() {
		for _, key := range []string{"doors", "cluster", "name", "listen", "replicas", "tls"} {
			if d.set(mistake.Join("log", key)) {
				d.mistake(mistake.Join("log", key), "list the storage nodes in log.nodes, or leave it out", "it is of a log on several nodes, and log.nodes has none")
			}
		}
		return
	}
	c.checkNodes(d)
	c.checkNodeDoors(d)
	if !nodeName.MatchString(c.Log.Cluster) {
		d.mistake("log.cluster", "like brine-prod, and never that of another cluster", "%q is no name: small letters, digits and dashes", c.Log.Cluster)
	}
	if n := c.Log.Replicas; n != 3 && n != 5 {
		d.mistake("log.replicas", "3 survive the loss of one node, 5 of two", "expected 3 or 5")
	} else if n > len(c.Log.Nodes) {
		d.mistake("log.replicas", "add nodes", "%d, but log.nodes has %d", n, len(c.Log.Nodes))
	}
	if c.Lake == "" {
		d.mistake("log.nodes", "set lake to an object store, like s3://bucket/prefix?region=eu-central-1", "a lake in a folder is one node's, and each node has to reach it")
	}
	if c.Log.Listen != "" {
		checkAddr(d, "log.listen", c.Log.Listen)
	}
	for _, f := range []struct{ key, file string }{{"cert", c.Log.TLS.Cert}, {"key", c.Log.TLS.Key}, {"ca", c.Log.TLS.CA}} {
		if f.file == "" {
			d.mistake(mistake.Join("log.tls", f.key), "nodes speak with each other over TLS only: set cert, key and ca", "it is missing")
		}
		d.wantFile(mistake.Join("log.tls", f.key), "name a file of PEM, in a folder that this user may enter", f.file)
	}
}

func (c *Config) checkNodes(d *decoder) {
	names := checkNodeList(d, "log.nodes", c.Log.Nodes)
	if self := c.Log.Self(); !slices.Contains(names, self) {
		d.mistake("log.name", "one of "+strings.Join(names, ", "), "this node is %q, which log.nodes does not have", self)
	}
}

// checkNodeDoors wants a door of each node, which is none of what the nodes have otherwise.
func (c *Config) checkNodeDoors(d *decoder) {
	if len(c.Log.Doors) == 0 {
		for i, n := range c.Log.Members() {
			if _, port, err := net.SplitHostPort(n.Addr); err == nil && port == "65535" {
				d.mistake("log.nodes["+strconv.Itoa(i)+"]", "set log.doors", "the node's door for the others has the port after it, and there is none")
			}
		}
		return
	}
	names := checkNodeList(d, "log.doors", c.Log.Doors)
	for _, n := range c.Log.Members() {
		if !slices.Contains(names, n.Name) {
			d.mistake("log.doors", "like "+n.Name+"=store-a.example.org:6223, or leave the key out", "node %s has none", n.Name)
		}
		if slices.Contains(c.Log.Doors, n.Name+"="+n.Addr) {
			d.mistake("log.doors", "give the door a port of its own", "node %s has the same address in log.nodes", n.Name)
		}
	}
	for i, n := range members(c.Log.Doors) {
		if !slices.ContainsFunc(c.Log.Members(), func(m LogNode) bool { return m.Name == n.Name }) {
			d.mistake("log.doors["+strconv.Itoa(i)+"]", "add it to log.nodes, or leave it out", "log.nodes has no %s", n.Name)
		}
	}
}

// checkNodeList wants name=host:port of each node, and gives the names.
func checkNodeList(d *decoder, path string, nodes []string) (names []string) {
	var addrs []string
	for i, text := range nodes {
		key := path + "[" + strconv.Itoa(i) + "]"
		name, addr, ok := strings.Cut(text, "=")
		if !ok || !nodeName.MatchString(name) {
			d.mistake(key, "like a=store-a.example.org:6222", "expected name=host:port, the name of small letters, digits and dashes")
			continue
		}
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "0" {
			d.mistake(key, "like "+name+"=store-a.example.org:6222", "%q is not host:port", addr)
		} else {
			checkAddr(d, key, addr)
		}
		if slices.Contains(names, name) || slices.Contains(addrs, addr) {
			d.mistake(key, "give each node a name and an address of its own", "another node has it too")
		}
		names, addrs = append(names, name), append(addrs, addr)
	}
	return names
}
