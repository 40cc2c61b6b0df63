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
	Cluster  string   `yaml:"cluster"`  // name of the nodes together, which no other cluster has; no default
	Name     string   `yaml:"name"`     // of this node, one of nodes; default the machine's name up to its first dot. Read it by [Log.Self]
	Listen   string   `yaml:"listen"`   // host:port to listen on for the others; default this node's in nodes
	Replicas int      `yaml:"replicas"` // nodes that hold each event, 3 or 5; default 3
	TLS      LogTLS   `yaml:"tls"`      // what the nodes know each other by
}

// LogTLS names the files that a node proves itself with, and that it knows the others by.
type LogTLS struct {
	Cert string `yaml:"cert"` // PEM: the node's certificate, for its host in nodes, to serve and to ask; no default
	Key  string `yaml:"key"`  // PEM, which its owner alone may read; no default
	CA   string `yaml:"ca"`   // PEM: the root of the nodes' certificates, which signs nothing else; no default
}

// LogNode is one of the nodes.
type LogNode struct{ Name, Addr string }

const defaultReplicas = 3

// Replicated is whether the log lies on several nodes.
func (l Log) Replicated() bool { return len(l.Nodes) > 0 }

// Members are the nodes.
func (l Log) Members() []LogNode {
	var all []LogNode
	for _, text := range l.Nodes {
		name, addr, _ := strings.Cut(text, "=")
		all = append(all, LogNode{name, addr})
	}
	return all
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
		for _, key := range []string{"cluster", "name", "listen", "replicas", "tls"} {
			if d.set(mistake.Join("log", key)) {
				d.mistake(mistake.Join("log", key), "list the storage nodes in log.nodes, or leave it out", "it is of a log on several nodes, and log.nodes has none")
			}
		}
		return
	}
	c.checkNodes(d)
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
	if !c.Salts.External() {
		d.mistake("salts.manage", "external, with the same salts on every node", "each node of log.nodes would make salts of its own, and pseudonyms would change with the node that sanitizes")
	}
	if c.Log.Listen != "" {
		checkAddr(d, "log.listen", c.Log.Listen)
	}
	for _, f := range []struct{ key, file string }{{"cert", c.Log.TLS.Cert}, {"key", c.Log.TLS.Key}, {"ca", c.Log.TLS.CA}} {
		switch {
		case f.file == "":
			d.mistake(mistake.Join("log.tls", f.key), "nodes speak with each other over TLS only: set cert, key and ca", "it is missing")
		case !isFile(f.file):
			d.mistake(mistake.Join("log.tls", f.key), "name a file of PEM, in a folder that this user may enter", "no file %s", f.file)
		}
	}
}

func (c *Config) checkNodes(d *decoder) {
	var names, addrs []string
	for i, text := range c.Log.Nodes {
		key := "log.nodes[" + strconv.Itoa(i) + "]"
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
	if self := c.Log.Self(); !slices.Contains(names, self) {
		d.mistake("log.name", "one of "+strings.Join(names, ", "), "this node is %q, which log.nodes does not have", self)
	}
}
