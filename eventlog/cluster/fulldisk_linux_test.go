package cluster

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/eventlog"
	"brine/eventlog/internal/smalldisk"
)

// A node whose disk is full says so, while the others go on; with space again it works by itself, and nothing is lost.
func TestFullDisk(t *testing.T) {
	disk := smalldisk.Mount(t, 24<<20)
	if disk == "" {
		return
	}
	s := newSite(t, "a", "b", "c")
	s.tune = func(o *Options) {
		if o.Name == "c" {
			o.Dir = disk + "/log"
		}
	}
	s.startAll()
	leader := s.lead("a", 1)
	var acked []string
	put := func(l *Log, name string) {
		group := name + strings.Repeat("x", 20_000)
		s.append(l, group)
		acked = append(acked, group)
	}
	for i := range 10 {
		put(s.logs["c"], fmt.Sprint("before", i))
	}
	ballast := smalldisk.Fill(t, disk)
	began := time.Now()
	for i := 0; s.logs["c"].fault.Load() == nil; i++ {
		put(s.logs[[]string{"a", "b"}[i%2]], fmt.Sprint("full", i))
		if time.Since(began) > time.Minute {
			t.Fatal("the node does not say that its disk is full")
		}
	}
	eventually(t, 10*time.Second, "the node tells the reason", func() bool {
		err := s.logs["c"].Err()
		return errors.Is(err, eventlog.ErrUnavailable) && errors.Is(err, syscall.ENOSPC)
	})
	if err := s.logs["c"].Append(t.Context(), []byte("x")); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("an append on the full node: %v", err)
	}
	for i := range 10 {
		put(s.logs["b"], fmt.Sprint("without", i))
	}
	must(t, os.Remove(ballast))
	eventually(t, 30*time.Second, "the node works again", func() bool { return s.logs["c"].Err() == nil })
	put(s.logs["c"], "after")
	r := newReader()
	r.drain(t, leader)
	r.check(t, acked)
}
