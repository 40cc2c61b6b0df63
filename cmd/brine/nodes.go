package main

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"sync"
	"time"

	"brine/access/tokens"
	"brine/eventlog/cluster"
	"brine/intake"
	"brine/lease"
	"brine/peers"
	"brine/salt"
)

// nodes are the storage nodes of the log, as they hold together what is neither in the log nor in the lake.
type nodes struct {
	*peers.Peers
	salts    *peers.Salts // nil where another tool keeps the salts
	erasures *peers.Erasures
	files    *peers.Files
}

// openPeers makes this node's side of it, where there are several. Nothing is asked or answered yet.
func (h *house) openPeers() error {
	if h.cluster == nil {
		return nil
	}
	known := clusterOptions(h.cfg, h.certificates, h.authorities[logAuthority])
	o := peers.Options{Self: h.cfg.Log.Self(), Cluster: h.cfg.Log.Cluster, TLS: func() *tls.Config { return cluster.TLS(known) }, Logger: h.logger}
	for _, n := range h.cfg.Log.NodeDoors() {
		o.Nodes = append(o.Nodes, peers.Node{Name: n.Name, Addr: n.Addr})
	}
	h.peers = &nodes{Peers: peers.New(o)}
	h.onClose(h.peers.Close)
	return h.shareFiles()
}

// nodesFolder is where a node keeps what all agreed on last, in a data folder.
const nodesFolder = "nodes"

// shareFiles has the small files that commands change the same on all nodes.
func (h *house) shareFiles() error {
	s := &peers.Files{Peers: h.peers.Peers, Dir: filepath.Join(h.cfg.Data, nodesFolder), Files: []peers.File{
		{Name: "tokens", Path: filepath.Join(h.cfg.Data, tokensFile), Merge: tokens.Merge},
		{Name: "users", Path: filepath.Join(h.cfg.Data, usersFile), Merge: peers.Lines},
		{Name: "changes", Path: openChanges(h.cfg.Data).path, Merge: peers.Named},
	}}
	if h.cfg.Public.CSRFKeyFile == "" { // else whoever set it sees to it
		s.Files = append(s.Files, peers.File{Name: "csrf.key", Path: h.cfg.CSRFKeyPath(), Merge: peers.Whole, Changed: h.csrfKeyChanged})
	}
	if err := makeFolder(s.Dir); err != nil {
		return err
	}
	h.peers.files = s
	s.Open()
	return nil
}

// csrfKeyChanged takes on a key that another node has made or changed.
func (h *house) csrfKeyChanged() {
	if h.intake == nil {
		return
	}
	key, err := intake.LoadCSRFKey(h.cfg.CSRFKeyPath())
	if err != nil {
		h.logger.Error("the new CSRF key is not in force", "err", err)
		return
	}
	h.intake.SetCSRFKey(key)
	h.logger.Info("the CSRF key of all nodes is in force")
}

// nodeDoor is the door of the other nodes.
func (h *house) nodeDoor() *entrance {
	d := newEntrance("node", h.cfg.Log.DoorListen(), newServer(h.peers.Handler())).counted()
	d.nodes, d.most = h.peers.TLS(), h.cfg.Private.MaxConnections
	return d
}

// shareSalts has the salts made by the node that leads, and handed to all.
func (h *house) shareSalts() (err error) {
	s := &peers.Salts{Peers: h.peers.Peers, Agree: h.clusterErr,
		Turn: func() { h.rotator.Turn() },
		Told: func(r salt.Record) {
			h.logger.Info("salt", "done", r.What, "salt", r.Salt, "fingerprint", r.Fingerprint, "on", "every node")
			h.tellAudit(recorderTo(h.audit).saltSteps("", []salt.Step{{Do: salt.Destroy, Salt: r.Salt, Fingerprint: r.Fingerprint}}))
		}}
	if s.Folder, err = openSaltsAs(h.cfg, time.Now, &salt.Shared{Make: s.MayMake, Use: s.MayUse}); err != nil {
		return err
	}
	h.salts, h.peers.salts = s.Folder, s
	s.Open()
	return nil
}

// lead does for the other nodes what the one that leads does, until the context ends. What it gives waits for the end of it.
func (n *nodes) lead(ctx context.Context, term *lease.Term) (wait func()) {
	var jobs sync.WaitGroup
	if n.salts != nil {
		jobs.Go(func() { n.salts.Lead(ctx, term.Epoch, term.Err) })
	}
	jobs.Go(func() { n.files.Lead(ctx, term.Epoch, term.Err) })
	jobs.Go(func() { n.erasures.Lead(ctx, term.Epoch, term.Err) })
	return jobs.Wait
}
