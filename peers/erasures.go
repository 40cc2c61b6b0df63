package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"brine/erasure"
	"brine/lease"
)

// Erasures keeps the requests to erase in the folders of all nodes, each until it is complete. The node that leads does them; any takes them.
type Erasures struct {
	Peers *Peers
	Here  *erasure.Erasures
}

// ErrAlone is a request that too few other nodes could be given: it is kept, and done when they answer again; but if this node were lost
// before, it would be lost with it.
var ErrAlone = errors.New("no majority of the nodes has the request yet: send it again later")

// Open answers the others.
func (e *Erasures) Open() {
	p := e.Peers
	p.handle("GET /erasures", func(*http.Request, []byte) (any, error) { return e.Here.Waiting(), nil })
	p.handle("GET /erasures/{number}", func(r *http.Request, _ []byte) (any, error) { return e.Here.Hand(r.PathValue("number")) })
	p.handle("GET /erasures/{number}/receipt", func(r *http.Request, _ []byte) (any, error) { return e.Here.Receipt(r.PathValue("number")) })
	p.handle("PUT /erasures/{number}", func(r *http.Request, request []byte) (any, error) {
		return nil, e.Here.Take(r.PathValue("number"), request)
	})
	p.handle("POST /erasures/complete", func(_ *http.Request, text []byte) (any, error) {
		var receipt erasure.Receipt
		if err := json.Unmarshal(text, &receipt); err != nil {
			return nil, err
		}
		return nil, e.Here.Completed(receipt)
	})
}

// Spread gives the others a request that this node has accepted, and returns once a majority of the nodes has it on disk, this one among
// them. The error is [ErrAlone].
func (e *Erasures) Spread(ctx context.Context, number string) error {
	request, err := e.Here.Hand(number)
	if errors.Is(err, erasure.ErrNoReceipt) {
		return nil // it is complete already
	}
	if err != nil {
		return err
	}
	var asked sync.WaitGroup
	answers := make(chan error, len(e.Peers.Others()))
	for _, n := range e.Peers.Others() {
		asked.Go(func() { // one that does not answer keeps nobody waiting
			answers <- e.Peers.ask(context.WithoutCancel(ctx), nil, n, "PUT", "/erasures/"+number, request, nil)
		})
	}
	go func() {
		asked.Wait()
		clear(request)
	}()
	has := 1
	for range cap(answers) {
		if err := <-answers; err == nil {
			has++
		}
		if 2*has > len(e.Peers.o.Nodes) {
			return nil
		}
	}
	return ErrAlone
}

// Receipt looks for a receipt on the other nodes.
func (e *Erasures) Receipt(ctx context.Context, number string) (erasure.Receipt, error) {
	found, _ := each(e.Peers, func(n Node) (r erasure.Receipt, err error) {
		err = e.Peers.ask(ctx, nil, n, "GET", "/erasures/"+number+"/receipt", nil, &r)
		return r, err
	})
	for _, r := range found {
		return r, nil
	}
	return erasure.Receipt{}, erasure.ErrNoReceipt
}

// Lead is a term at the head of the nodes: rounds until its context ends. term is nil while it lasts.
func (e *Erasures) Lead(ctx context.Context, epoch uint64, term func() error) {
	defer e.Peers.note("erasures", "")
	for {
		e.Round(ctx, epoch, term)
		if !lease.Pause(ctx, roundEvery) {
			return
		}
	}
}

// Round brings every request to every node, as far as it is, and tells those that wait what is complete.
func (e *Erasures) Round(ctx context.Context, epoch uint64, term func() error) {
	l := &lead{epoch, term}
	if e.Peers.raise(epoch) != nil {
		return
	}
	answers, _ := each(e.Peers, func(n Node) (waiting map[string]erasure.Progress, err error) {
		err = e.Peers.ask(ctx, l, n, "GET", "/erasures", nil, &waiting)
		return waiting, err
	})
	done, asked := e.Here.Done(), map[string]bool{}
	var errs []error
	for _, n := range e.Peers.Others() {
		waiting, ok := answers[n.Name]
		if !ok {
			continue
		}
		var failed []error
		here := e.Here.Waiting()
		for number, progress := range waiting {
			if _, complete := done[number]; complete {
				asked[number] = true
			}
			if has, there := here[number]; (!there || has < progress) && len(failed) < mostFaults {
				failed = fault(failed, e.fetch(ctx, l, n, number, done))
			}
		}
		for number, progress := range here {
			if has, there := waiting[number]; (!there || has < progress) && len(failed) < mostFaults {
				failed = fault(failed, e.give(ctx, l, n, number))
			}
		}
		if len(failed) > 0 {
			errs = append(errs, failed[0])
		}
	}
	for number := range done {
		if len(answers) == len(e.Peers.Others()) && !asked[number] {
			e.Here.Told(number)
		}
	}
	if err := errors.Join(errs...); ctx.Err() == nil {
		e.Peers.note("erasures", text(err))
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return "requests to erase are not on every node: " + strings.ReplaceAll(err.Error(), "\n", "; ")
}

// mostFaults is how many requests may fail with a node in one round: the next one tries again, and begins with others.
const mostFaults = 8

func fault(failed []error, err error) []error {
	if err != nil {
		failed = append(failed, err)
	}
	return failed
}

// fetch takes a request of a node that is not here, or is further there; or tells the node that it is complete.
func (e *Erasures) fetch(ctx context.Context, l *lead, n Node, number string, done map[string]erasure.Receipt) error {
	receipt, complete := done[number]
	if !complete {
		r, err := e.Here.Receipt(number)
		receipt, complete = r, err == nil && r.State == erasure.Complete
	}
	if complete {
		body, err := json.Marshal(receipt)
		if err != nil {
			return err
		}
		return e.Peers.ask(ctx, l, n, "POST", "/erasures/complete", body, nil)
	}
	var request []byte
	err := e.Peers.ask(ctx, l, n, "GET", "/erasures/"+number, nil, &request)
	if err == nil {
		err = e.Here.Take(number, request)
	}
	clear(request)
	if err != nil {
		return fmt.Errorf("take a request of node %s: %w", n.Name, err)
	}
	return nil
}

func (e *Erasures) give(ctx context.Context, l *lead, n Node, number string) error {
	request, err := e.Here.Hand(number)
	if err != nil {
		return nil // it is complete meanwhile
	}
	defer clear(request)
	return e.Peers.ask(ctx, l, n, "PUT", "/erasures/"+number, request, nil)
}
