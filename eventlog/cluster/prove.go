package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// errUnproven is an end that was told by whoever may lead its log no more.
var errUnproven = errors.New("no majority of the nodes that hold it says that it has the same leader still")

// member is what a node tells of its part in a Raft group.
type member struct {
	Term        uint64     `json:"term"`
	Quorum      int        `json:"quorum_needed"`
	LeaderSince *time.Time `json:"leader_since"` // nil where it does not lead
}

// prove makes sure that the streams were told of by their leaders. One that is cut off takes itself for the leader for up to 20 s, in which
// another may be elected and acknowledge groups. Who votes for that other enters its term first: so where a majority of a
// stream's nodes has come to no later term than the leader's when they are asked after it, there was no other leader when it was.
// This is the read index of Raft (Ongaro, Consensus: Bridging Theory and Practice, 6.4), by terms rather than by a round of heartbeats, which JetStream
// has no request for.
func (l *Log) prove(ctx context.Context, streams ...stream) error {
	n, err := l.up()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answers, err := n.system.SubscribeSync(n.system.NewInbox())
	if err != nil {
		return err
	}
	defer answers.Unsubscribe()
	request, err := json.Marshal(server.RaftzOptions{AccountFilter: server.DEFAULT_GLOBAL_ACCOUNT})
	if err != nil {
		return err
	}
	if err := n.system.PublishRequest("$SYS.REQ.SERVER.PING.RAFTZ", answers.Subject, request); err != nil {
		return err
	}
	told := map[string]map[string]member{} // by node, by group
	for {
		unproven := slices.IndexFunc(streams, func(s stream) bool { return !s.proven(told) })
		if unproven < 0 {
			return nil
		}
		msg, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return fmt.Errorf("log %s: %w: %w", streams[unproven].name, errUnproven, err)
		}
		var answer struct {
			Server struct {
				Name string `json:"name"`
			} `json:"server"`
			Data map[string]map[string]member `json:"data"` // by account, by group
		}
		if err := json.Unmarshal(msg.Data, &answer); err != nil {
			return err
		}
		told[answer.Server.Name] = answer.Data[server.DEFAULT_GLOBAL_ACCOUNT]
	}
}

// proven says whether the leader is in the same term still as when it told of the stream, and enough nodes have come no further.
func (s stream) proven(told map[string]map[string]member) bool {
	group := s.Cluster.RaftGroup
	if group == "" {
		return true // one node holds it
	}
	leader, ok := told[s.Cluster.Leader][group]
	if !ok || leader.LeaderSince == nil || s.Cluster.LeaderSince == nil || !leader.LeaderSince.Equal(*s.Cluster.LeaderSince) {
		return false
	}
	agree := 1
	for _, r := range s.Cluster.Replicas {
		if m, ok := told[r.Name][group]; ok && m.Term <= leader.Term {
			agree++
		}
	}
	return agree >= leader.Quorum
}
