package main

import (
	"context"
	"time"

	"brine/eventlog/cluster"
	"brine/lease"
	"brine/peers"
	"brine/salt"
)

// nodes are the storage nodes of the log, as they hold together what is neither in the log nor in the lake.
type nodes struct {
	*peers.Peers
	salts    *peers.Salts // nil where another tool keeps the salts
	erasures *peers.Erasures
}

// openPeers makes this node's side of it, where there are several. Nothing is asked or answered yet.
func (h *house) openPeers() error {
	if h.cluster == nil {
		return nil
	}
	tls, err := cluster.TLS(clusterOptions(h.cfg))
	if err != nil {
		return err
	}
	o := peers.Options{Self: h.cfg.Log.Self(), Cluster: h.cfg.Log.Cluster, TLS: tls, Logger: h.logger}
	for _, n := range h.cfg.Log.NodeDoors() {
		o.Nodes = append(o.Nodes, peers.Node{Name: n.Name, Addr: n.Addr})
	}
	h.peers = &nodes{Peers: peers.New(o)}
	h.onClose(h.peers.Close)
	return nil
}

// nodeDoor is the door of the other nodes.
func (h *house) nodeDoor() *entrance {
	d := newEntrance("node", h.cfg.Log.DoorListen(), newServer(h.peers.Handler())).counted()
	d.nodes, d.most = h.peers.TLS(), h.cfg.Private.MaxConnections
	return d
}

// shareSalts has the salts made by the node that leads, and handed to all.
func (h *house) shareSalts() (err error) {
	s := &peers.Salts{Peers: h.peers.Peers, Agree: h.clusterErr, Logger: h.logger,
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

// lead does for the other nodes what the one that leads does, until the term ends.
func (n *nodes) lead(ctx context.Context, term *lease.Term) {
	if n.salts != nil {
		go n.salts.Lead(ctx, term.Epoch, term.Err)
	}
	go n.erasures.Lead(ctx, term.Epoch, term.Err)
}
