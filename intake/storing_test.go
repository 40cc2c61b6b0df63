package intake_test

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"

	"brine/event"
	"brine/intake"
)

func TestNoSuccessWithoutTheLog(t *testing.T) {
	d := openDoor(t)
	d.log.fail(errDisk)
	w := d.post(blob(nil))
	if a := decode(t, w.Body); w.Code != 503 || w.Header().Get("Retry-After") == "" || a.Success || a.Stored != 0 {
		t.Errorf("got %d %+v", w.Code, a)
	}
	mixed := "[" + blob(nil) + "," + blob(map[string]any{"language": 5}) + "]"
	if w := d.post(mixed); w.Code != 503 {
		t.Error("mixed:", w.Code)
	}
	d.log.fail(nil)
	if w := d.post(blob(nil)); w.Code != 200 {
		t.Error("after the disk is back:", w.Code)
	}
	if n := len(d.log.records(t, event.DatasetRaw)); n != 1 {
		t.Errorf("%d events stored", n)
	}
}

// TestRequestsAreNotSplit has many clients at once: the events of a request lie in one group,
// and what was answered 200 is what is in the log.
func TestRequestsAreNotSplit(t *testing.T) {
	const clients, requests, blobs = 16, 20, 5
	d := openDoor(t)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			data := []byte("[")
			for i := range blobs {
				data = append(append(data, blob(map[string]any{"number_emails": i})...), ',')
			}
			data[len(data)-1] = ']'
			for range requests {
				if w := d.post(string(data)); w.Code != http.StatusOK {
					t.Error("status", w.Code)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for _, group := range d.log.groups {
		n := bytes.Count(group, []byte("\n"))
		if n%blobs != 0 {
			t.Errorf("a group of %d events splits a request", n)
		}
		total += n
	}
	if want := clients * requests * blobs; total != want || d.Stats().Stored != uint64(want) {
		t.Errorf("%d events in the log, %d counted, want %d", total, d.Stats().Stored, want)
	}
}

func TestClosedDoor(t *testing.T) {
	d := openDoor(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if w := d.post(blob(nil)); w.Code != 503 {
		t.Error("status", w.Code)
	}
}

// TestClientThatLeaves has a client go before its event is durable: it is stored all the same.
func TestClientThatLeaves(t *testing.T) {
	writing, goOn := make(chan bool), make(chan bool)
	log := &testLog{}
	d := openDoor(t, func(s *intake.Server) {
		s.Append = func(ctx context.Context, group []byte) error {
			writing <- true
			<-goOn
			return log.append(ctx, group)
		}
	})
	ctx, leave := context.WithCancel(t.Context())
	answered := make(chan int)
	go func() { answered <- d.do(d.request(d.envelope(blob(nil))).WithContext(ctx)).Code }()
	<-writing
	leave()
	close(goOn)
	<-answered
	d.Close()
	if n := len(log.records(t, event.DatasetRaw)); n != 1 {
		t.Errorf("%d events stored", n)
	}
}
