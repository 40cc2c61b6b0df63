package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"brine/eventlog"
)

// peers is what the other nodes told of themselves.
type peers struct {
	mu       sync.Mutex
	compared time.Time
	disagree []string
}

// told is what a node tells the others of its config.
type told struct {
	Nodes    []Node            `json:"nodes"`
	Replicas int               `json:"replicas"`
	Same     map[string]string `json:"same,omitempty"` // as Options.Same has it now
}

const compareEvery = 5 * time.Second

// comparePeers tells the others this node's config, and looks at theirs: nodes that do not agree on who they are would
// not survive what each of them thinks they do.
func (l *Log) comparePeers(ctx context.Context) {
	p := &l.peers
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := l.up()
	if err != nil || time.Since(p.compared) < compareEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	disagree, err := l.differences(ctx, n)
	if err != nil {
		return // the cluster is not there, which Err tells
	}
	p.compared = time.Now()
	if !slices.Equal(disagree, p.disagree) && len(disagree) > 0 {
		l.opts.Logger.Warn("the nodes of the log do not agree", "differences", disagree)
	}
	p.disagree = disagree
}

func (l *Log) differences(ctx context.Context, n *node) (all []string, err error) {
	mine := told{Nodes: l.opts.Nodes, Replicas: l.opts.Replicas}
	if l.opts.Same != nil {
		mine.Same = l.opts.Same()
	}
	for _, node := range l.opts.Nodes {
		data, _, err := lastOf(ctx, n, stateStream, nodeSubject+node.Name)
		if err != nil {
			return nil, err
		}
		if node.Name == l.opts.Name {
			if err := tell(ctx, n, nodeSubject+node.Name, mine, data); err != nil {
				return nil, err
			}
			continue
		}
		var other told
		if data == nil {
			continue // it has not been there yet
		}
		if err := json.Unmarshal(data, &other); err != nil {
			return nil, err
		}
		all = append(all, mine.differences(l.opts.Name, node.Name, other)...)
	}
	return all, nil
}

// tell writes what this node tells, unless it stands there already.
func tell(ctx context.Context, n *node, subject string, mine told, before []byte) error {
	data, err := json.Marshal(mine)
	if err != nil || string(data) == string(before) {
		return err
	}
	_, err = n.js.Publish(ctx, subject, data)
	return err
}

// differences says where two nodes do not agree.
func (t told) differences(me, other string, its told) (all []string) {
	if t.Replicas != its.Replicas {
		all = append(all, fmt.Sprintf("log.replicas is %d on %s and %d on %s", t.Replicas, me, its.Replicas, other))
	}
	if mine, theirs := list(t.Nodes), list(its.Nodes); mine != theirs {
		all = append(all, fmt.Sprintf("log.nodes is %s on %s and %s on %s", mine, me, theirs, other))
	}
	for _, key := range slices.Sorted(maps.Keys(t.Same)) {
		if theirs, ok := its.Same[key]; ok && theirs != t.Same[key] {
			all = append(all, fmt.Sprintf("%s is %s on %s and %s on %s", key, t.Same[key], me, theirs, other))
		}
	}
	return all
}

// list is the nodes in the order of their names.
func list(nodes []Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name+"="+n.Addr)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// Disagreements says where the configs of the nodes differ, as far as they have told; none: they agree.
func (l *Log) Disagreements() []string {
	l.peers.mu.Lock()
	defer l.peers.mu.Unlock()
	return slices.Clone(l.peers.disagree)
}

// Status is how the cluster stands, as this node sees it.
type Status struct {
	Node          string       `json:"node"`
	Cluster       string       `json:"cluster"`
	Leading       bool         `json:"leading"`         // this node leads the log
	Epoch         uint64       `json:"epoch"`           // of the leader
	Error         string       `json:"error,omitempty"` // why this node takes no events
	Nodes         []NodeStatus `json:"nodes"`
	Logs          []LogStatus  `json:"logs"`
	Disagreements []string     `json:"disagreements,omitempty"` // of the nodes' configs
}

// NodeStatus is how one node stands.
type NodeStatus struct {
	Name  string `json:"name"`
	Addr  string `json:"addr,omitempty"` // as this node's config has it; "" for one that is not in it
	Here  bool   `json:"here"`           // it can be reached
	Known bool   `json:"known"`          // it is of the cluster, here or not
	Lag   uint64 `json:"lag"`            // decisions that it has not heard yet
}

// LogStatus is how one log stands.
type LogStatus struct {
	Name     string `json:"name"`
	Current  bool   `json:"current"`
	Replicas int    `json:"replicas"` // nodes that hold it and can be reached
	Through  string `json:"through"`  // the node that brings its entries in order, JetStream's leader of the stream; "" while there is none
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`            // that is known
	Error    string `json:"error,omitempty"` // why no more is known
}

// Status tells how the cluster stands.
func (l *Log) Status() Status {
	s, _ := l.latest()
	st := Status{Node: l.opts.Name, Cluster: l.opts.Cluster, Leading: l.Leading(), Epoch: s.Epoch, Disagreements: l.Disagreements(), Nodes: l.nodes()}
	if err := l.Err(); err != nil {
		st.Error = err.Error()
	}
	ctx, cancel := context.WithTimeout(l.ctx, askTimeout)
	defer cancel()
	for _, info := range l.Logs() {
		log := LogStatus{Name: info.Name, Current: info.Name == s.current(), First: info.First, Last: info.Last}
		if n, err := l.up(); err == nil {
			info, err := streamInfo(ctx, n, info.Name)
			if err == nil && !info.byLeader() {
				err = errLeaderless
			}
			if err == nil {
				log.Replicas, log.Through = info.replicas(), info.through()
			} else {
				log.Error = err.Error()
			}
		}
		st.Logs = append(st.Logs, log)
	}
	return st
}

func (s stream) through() string {
	if s.Cluster == nil {
		return ""
	}
	return s.Cluster.Leader
}

func (s stream) replicas() int {
	if s.Cluster == nil {
		return 1
	}
	n := 1
	for _, r := range s.Cluster.Replicas {
		if !r.Offline && r.Current {
			n++
		}
	}
	return n
}

// nodes are those of the config, and those that the cluster has beside them.
func (l *Log) nodes() []NodeStatus {
	var all []NodeStatus
	for _, n := range l.opts.Nodes {
		all = append(all, NodeStatus{Name: n.Name, Addr: n.Addr, Here: n.Name == l.opts.Name, Known: n.Name == l.opts.Name})
	}
	n := l.node.Load()
	if n == nil {
		return all
	}
	for _, peer := range n.peers() {
		i := slices.IndexFunc(all, func(n NodeStatus) bool { return n.Name == peer.Name })
		if i < 0 {
			all = append(all, NodeStatus{Name: peer.Name})
			i = len(all) - 1
		}
		all[i].Here, all[i].Known, all[i].Lag = all[i].Name == l.opts.Name || !peer.Offline, true, peer.Lag
	}
	slices.SortFunc(all, func(a, b NodeStatus) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// peers are the members of the cluster but for this node, as JetStream knows them.
func (n *node) peers() []*server.PeerInfo {
	info, err := n.srv.Jsz(&server.JSzOptions{})
	if err != nil || info.Meta == nil {
		return nil
	}
	return info.Meta.Replicas
}

// reached says in words which nodes can be reached.
func (l *Log) reached() string {
	var here, away []string
	n := l.node.Load()
	if n == nil {
		return "this node is down"
	}
	routes := map[string]bool{l.opts.Name: true}
	if z, err := n.srv.Routez(&server.RoutezOptions{}); err == nil {
		for _, r := range z.Routes {
			routes[r.RemoteName] = true
		}
	}
	for _, node := range l.opts.Nodes {
		if routes[node.Name] {
			here = append(here, node.Name)
		} else {
			away = append(away, node.Name)
		}
	}
	return fmt.Sprintf("here: %s; away: %s", words(here), words(away))
}

func words(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// Remove takes a node out of the cluster for good: one that is dead and will not come back with the data that
// it had. What it held has its other replicas; a node that takes its place has a new name and an empty folder. The
// errors are of the cluster, which needs a majority of its nodes for this, the dead one counted.
func (l *Log) Remove(ctx context.Context, name string) error {
	if name == l.opts.Name {
		return errors.New("log: a node does not remove itself: ask another one")
	}
	n, err := l.up()
	if err != nil {
		return err
	}
	for _, peer := range n.peers() {
		if peer.Name == name && !peer.Offline {
			return fmt.Errorf("log: node %s can be reached: stop it first", name)
		}
	}
	var answer struct {
		apiAnswer
		Success bool `json:"success"`
	}
	ctx, cancel := context.WithTimeout(ctx, 5*askTimeout)
	defer cancel()
	if err := ask(ctx, n.system, server.JSApiRemoveServer, map[string]string{"peer": name}, &answer); err != nil {
		return fmt.Errorf("%w: remove node %s: %w", eventlog.ErrUnavailable, name, err)
	}
	if err := answer.err(); err != nil {
		return fmt.Errorf("log: remove node %s: %w", name, err)
	}
	if !answer.Success {
		return fmt.Errorf("log: node %s was not removed", name)
	}
	return nil
}
