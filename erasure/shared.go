package erasure

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// Where several nodes share a lake, each has all requests in its own folder, and the one that leads does the work: whichever node is
// lost, another has what waits. What passes between nodes is for package peers; here a request comes in and goes out as its work file.

// Progress is how far a request is, in steps: 0 is accepted, 1 removed from files, 2 after the last pass.
type Progress int

func (r *request) progress() Progress {
	switch {
	case r.Last:
		return 2
	case r.Receipt.State != Accepted:
		return 1
	}
	return 0
}

// Waiting is how far each request is that is not complete, by the number of its receipt.
func (e *Erasures) Waiting() map[string]Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := map[string]Progress{}
	for number, r := range e.requests {
		all[number] = r.progress()
	}
	return all
}

// Hand gives a request, id included, for another node alone.
func (e *Erasures) Hand(number string) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.requests[number]
	if r == nil {
		return nil, ErrNoReceipt
	}
	return json.Marshal(r)
}

// errNoRequest is what another node hands over that is none. It never says what it holds.
var errNoRequest = errors.New("that is no request to erase")

// Take makes a request of another node durable here. One that is as far already, or complete here, stays as it is.
func (e *Erasures) Take(number string, content []byte) error {
	r := &request{}
	if !numberPattern.MatchString(number) || json.Unmarshal(content, r) != nil || r.Receipt.Number != number || !isUnit(r.Unit) {
		return errNoRequest
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	have := e.requests[number]
	if _, done := e.done[number]; done || have != nil && have.progress() >= r.progress() {
		return nil
	}
	if have == nil {
		if receipt, err := ReadReceipt(e.o.Dir, e.o.Receipts, number); err == nil && receipt.State == Complete {
			return nil
		}
		if e.full(r.Unit) {
			return ErrFull
		}
	} else if have.Unit != r.Unit {
		return errNoRequest
	}
	if err := e.files.save(r); err != nil {
		return fmt.Errorf("keep a request to erase: %w", err)
	}
	if have != nil {
		e.drop(have)
	}
	e.add(r)
	select {
	case e.wake <- struct{}{}:
	default:
	}
	return nil
}

// drop forgets a request in memory.
func (e *Erasures) drop(r *request) {
	if e.requests[r.Receipt.Number] != r {
		return
	}
	delete(e.requests, r.Receipt.Number)
	e.bytes -= len(r.Unit)
	if e.fresh[r.Unit] == r {
		delete(e.fresh, r.Unit)
	}
}

// Done are the receipts of what this process has completed, until [Erasures.Told]: other nodes may wait for it.
func (e *Erasures) Done() map[string]Receipt {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.done)
}

// Told says that no node waits for a request any more that is complete here.
func (e *Erasures) Told(number string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.done, number)
}

// Completed ends a request that another node has completed, as [Erasures.Accept] says it of quiet ones.
func (e *Erasures) Completed(receipt Receipt) error {
	if !numberPattern.MatchString(receipt.Number) || receipt.State != Complete {
		return errNoRequest
	}
	e.mu.Lock()
	r := e.requests[receipt.Number]
	e.mu.Unlock()
	if r == nil {
		return nil
	}
	if !r.Quiet || len(receipt.Removed) > 0 {
		if err := writeReceipt(e.o.Dir, e.o.Receipts, receipt, e.o.Now()); err != nil {
			return fmt.Errorf("write the receipt of an erasure: %w", err)
		}
	}
	if err := e.files.remove(r); err != nil {
		return fmt.Errorf("remove the work file of an erasure: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(r)
	return nil
}
