package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"

	"brine/eventlog/cluster"
)

// clusterCmd looks at the nodes that the log lies on, and changes which they are.
type clusterCmd struct {
	Status clusterStatusCmd `cmd:"" help:"Tell which nodes there are, and who leads."`
	Remove clusterRemoveCmd `cmd:"" help:"Take a dead node out for good."`
	Turn   clusterTurnCmd   `cmd:"" help:"End the current log now."`
}

// Help is shown below the flags.
func (*clusterCmd) Help() string {
	return `Where the log lies on several nodes (log.nodes): see docs/operations.md, A replicated log.

Examples:
  brine cluster status --config /etc/brine/brine.yaml
  brine cluster remove c --config /etc/brine/brine.yaml`
}

// clusterStatusCmd tells how the cluster stands.
type clusterStatusCmd struct {
	dataFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown below the flags.
func (*clusterStatusCmd) Help() string {
	return `As the node sees it whose brine runs here. Exit code 1 when it takes no events.

Example:
  brine cluster status --config /etc/brine/brine.yaml`
}

// Run asks the brine that runs.
func (c *clusterStatusCmd) Run(g *globals) error {
	var st cluster.Status
	if err := c.askCluster(g, "GET", "/cluster", &st); err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(g.stdout).Encode(st); err != nil {
			return err
		}
	} else {
		printCluster(g, st)
	}
	if st.Error != "" {
		return errTold
	}
	return nil
}

func printCluster(g *globals, st cluster.Status) {
	leads := "another node leads"
	if st.Leading {
		leads = "this node leads"
	}
	fmt.Fprintf(g.stdout, "node %s of cluster %s; %s, epoch %d\n", st.Node, st.Cluster, leads, st.Epoch)
	if st.Error != "" {
		fmt.Fprintf(g.stdout, "NOT STORING: %s\n", st.Error)
	}
	for _, d := range st.Disagreements {
		fmt.Fprintf(g.stdout, "THE NODES DO NOT AGREE: %s\n", d)
	}
	for _, l := range st.Logs {
		if l.Error != "" {
			fmt.Fprintf(g.stdout, "LOG %s CANNOT BE READ TO ITS END: %s\n", l.Name, l.Error)
		}
	}
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nNODE\tADDRESS\tSTATE")
	for _, n := range st.Nodes {
		fmt.Fprintf(w, "%s\t%s\t%s\n", n.Name, n.Addr, nodeState(n))
	}
	fmt.Fprintln(w, "\nLOG\tNODES\tENTRIES")
	for _, l := range st.Logs {
		current := ""
		if l.Current {
			current = " (current)"
		}
		fmt.Fprintf(w, "%s%s\t%d\t%d\n", l.Name, current, l.Replicas, l.Last+1-min(l.First, l.Last+1))
	}
	w.Flush()
}

func nodeState(n cluster.NodeStatus) string {
	switch {
	case n.Here && n.Lag > 0:
		return fmt.Sprintf("here, %d decisions behind", n.Lag)
	case n.Here:
		return "here"
	case n.Known:
		return "AWAY"
	}
	return "not joined yet"
}

// clusterRemoveCmd takes a node out.
type clusterRemoveCmd struct {
	dataFlag
	Node string `arg:"" help:"Its name in log.nodes."`
}

// Help is shown below the flags.
func (*clusterRemoveCmd) Help() string {
	return `The node must be down, and never comes back with the data that it had. One with a new name takes its place: see docs/operations.md.

Example:
  brine cluster remove c --config /etc/brine/brine.yaml`
}

// Run asks the brine that runs.
func (c *clusterRemoveCmd) Run(g *globals) error {
	var st cluster.Status
	if err := c.askCluster(g, "POST", "/cluster/remove/"+url.PathEscape(c.Node), &st); err != nil {
		return err
	}
	fmt.Fprintf(g.stdout, "node %s is removed\n", c.Node)
	return nil
}

// clusterTurnCmd turns the log.
type clusterTurnCmd struct{ dataFlag }

// Help is shown below the flags.
func (*clusterTurnCmd) Help() string {
	return `Ask it of the node that leads. What is in the log until now is flushed, and then its bytes are on no node's disk any more.

Example:
  brine cluster turn --config /etc/brine/brine.yaml`
}

// Run asks the brine that runs.
func (c *clusterTurnCmd) Run(g *globals) error {
	var st cluster.Status
	if err := c.askCluster(g, "POST", "/cluster/turn", &st); err != nil {
		return err
	}
	fmt.Fprintln(g.stdout, "the log is turned; the old one goes once it is flushed, in a minute or two")
	return nil
}

// askCluster puts a question to the brine that has the data folder.
func (f dataFlag) askCluster(g *globals, method, path string, answer any) error {
	cfg, _, err := f.loadExisting()
	if err != nil {
		return err
	}
	if !cfg.Log.Replicated() {
		return wrongUse{errors.New("the log is on this node alone: log.nodes has none")}
	}
	err = askSocket(g.ctx, cfg.Data, method, path, nil, answer)
	if nobodyServes(err) {
		return fmt.Errorf("no brine serves from %s: ask on a node that works", cfg.Data)
	}
	return err
}

// clusterRoutes are the socket's part of it.
func (h *house) clusterRoutes(mux *http.ServeMux) {
	if h.cluster == nil {
		return
	}
	answer := func(w http.ResponseWriter, err error) {
		if err != nil {
			writeSocketError(w, err)
			return
		}
		json.NewEncoder(w).Encode(h.cluster.Status())
	}
	mux.HandleFunc("GET /cluster", func(w http.ResponseWriter, r *http.Request) { answer(w, nil) })
	mux.HandleFunc("POST /cluster/turn", func(w http.ResponseWriter, r *http.Request) { answer(w, h.cluster.Turn(r.Context())) })
	mux.HandleFunc("POST /cluster/remove/{node}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, h.cluster.Remove(r.Context(), r.PathValue("node")))
	})
}
