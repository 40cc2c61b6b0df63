package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"brine/eventlog/internal/basis"
)

// fingerprint says whose a folder is. It lies in the folder, as a node with the data of another
// would bring its own past into the cluster.
type fingerprint struct {
	Cluster string `json:"cluster"` // name of the cluster
	Node    string `json:"node"`    // name of the node
	ID      string `json:"id"`      // which cluster of that name, "" before the node has heard
}

const fingerprintFile = "cluster.json"

// claim makes the folder this node's, or refuses one of another. It reads before the server touches the folder.
func claim(opts Options) (fingerprint, error) {
	mine := fingerprint{Cluster: opts.Cluster, Node: opts.Name}
	name := filepath.Join(opts.Dir, fingerprintFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(opts.Dir, "jetstream")); err == nil {
			return mine, fmt.Errorf("%w: %s holds a log, but not one of a cluster: name an empty folder", ErrForeign, opts.Dir)
		}
		return mine, mine.save(opts.Dir)
	}
	if err != nil {
		return mine, fmt.Errorf("log: %w", err)
	}
	var found fingerprint
	if err := json.Unmarshal(data, &found); err != nil {
		return mine, fmt.Errorf("log: %s: %w", name, err)
	}
	if found.Cluster != mine.Cluster || found.Node != mine.Node {
		return found, fmt.Errorf("%w: %s is of node %q of cluster %q, and this is node %q of cluster %q: correct the config, or name an empty folder",
			ErrForeign, opts.Dir, found.Node, found.Cluster, mine.Node, mine.Cluster)
	}
	return found, nil
}

// save writes the fingerprint whole or not at all, and durably.
func (f fingerprint) save(dir string) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := basis.ReplaceFile(filepath.Join(dir, fingerprintFile), data); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	return nil
}

// checkFolder compares the folder with the cluster that answers, and notes which one that is the first time.
func (l *Log) checkFolder(s state) error {
	l.ends.mu.Lock()
	defer l.ends.mu.Unlock()
	if l.prints.ID == s.Cluster {
		return nil
	}
	if l.prints.ID != "" {
		return fmt.Errorf("%w: %s is of an earlier cluster %q (%s), and the nodes that answer are another (%s): give this node an empty folder",
			ErrForeign, l.opts.Dir, l.opts.Cluster, l.prints.ID, s.Cluster)
	}
	prints := l.prints
	prints.ID = s.Cluster
	if err := prints.save(l.opts.Dir); err != nil {
		return err
	}
	l.prints = prints
	return nil
}
