package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// slowLog takes a second to make a group durable, in a synctest bubble's time.
type slowLog struct {
	groups []string
	err    error
}

func (l *slowLog) append(_ context.Context, group []byte) error {
	time.Sleep(time.Second)
	if l.err != nil {
		return l.err
	}
	l.groups = append(l.groups, string(group))
	return nil
}

func openCommitter(append func(context.Context, []byte) error) (*committer, *Stats) {
	stats := &Stats{}
	return newCommitter(append, 1, slog.New(slog.DiscardHandler), stats), stats
}

func TestCommitGathersWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{}
		c, _ := openCommitter(log.append)
		var wg sync.WaitGroup
		commit := func(records string) {
			wg.Go(func() {
				if err := c.commit([]byte(records)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		commit("a")
		commit("b")
		commit("c")
		wg.Wait()
		c.close()
		if got := fmt.Sprint(log.groups); got != "[a bc]" {
			t.Error("groups", got)
		}
	})
}

// With two writers two groups are on their way at a time, never more, and what comes meanwhile gathers for the one that is free first.
// A little does not set out beside another.
func TestCommitAtOnce(t *testing.T) {
	much := strings.Repeat("x", besides-1)
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var groups []string
		writing, most := 0, 0
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			writing += by
			most = max(most, writing)
		}
		c := newCommitter(func(_ context.Context, group []byte) error {
			count(1)
			defer count(-1)
			mu.Lock()
			groups = append(groups, strings.ReplaceAll(string(group), much, "+"))
			mu.Unlock()
			time.Sleep(time.Second)
			return nil
		}, 2, slog.New(slog.DiscardHandler), &Stats{})
		start := time.Now()
		var wg sync.WaitGroup
		for _, records := range []string{"a", "b", much, "c", much, "d"} {
			wg.Go(func() {
				if err := c.commit([]byte(records)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		took := time.Since(start)
		c.close()
		if got := fmt.Sprint(groups); got != "[a b+ c+d]" || most != 2 || took != 2*time.Second {
			t.Errorf("groups %s, %d at once, in %s", got, most, took)
		}
	})
}

func TestCommitReturnsOnlyWhenDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := openCommitter((&slowLog{}).append)
		defer c.close()
		start := time.Now()
		if err := c.commit([]byte("a")); err != nil || time.Since(start) != time.Second {
			t.Error(err, "after", time.Since(start))
		}
	})
}

func TestCommitFailsAllOfAGroupThenRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errDisk := errors.New("no space left on device")
		log := &slowLog{err: errDisk}
		c, stats := openCommitter(log.append)
		defer c.close()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := c.commit([]byte("a")); !errors.Is(err, errDisk) {
					t.Error("got", err)
				}
			})
		}
		wg.Wait()
		log.err = nil
		if err := c.commit([]byte("b")); err != nil {
			t.Error(err)
		}
		if stats.groups.Load() != 1 || stats.groupsFailed.Load() == 0 {
			t.Error("groups", stats.groups.Load(), "failed", stats.groupsFailed.Load())
		}
	})
}

func TestCommitRefusesWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := openCommitter((&slowLog{}).append)
		defer c.close()
		half := []byte(strings.Repeat("x", MaxGroup/2+1))
		first, err := c.gather(half)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the first is being written
		if _, err := c.gather(half); err != nil {
			t.Error("there is room:", err)
		}
		if err := c.commit(half); !errors.Is(err, errGroupFull) {
			t.Error("got", err)
		}
		<-first.done
	})
}

func TestCommitterSurvivesAPanic(t *testing.T) {
	panics := true
	c, _ := openCommitter(func(context.Context, []byte) error {
		if panics {
			panic("in the log")
		}
		return nil
	})
	defer c.close()
	if err := c.commit([]byte("a")); err == nil {
		t.Error("a group that panicked counts as stored")
	}
	panics = false
	if err := c.commit([]byte("b")); err != nil {
		t.Error(err)
	}
}

func TestCloseWritesWhatWasGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &slowLog{}
		c, _ := openCommitter(log.append)
		for _, records := range []string{"a", "b"} {
			if _, err := c.gather([]byte(records)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		c.close()
		if got := fmt.Sprint(log.groups); got != "[a b]" {
			t.Error("groups", got)
		}
		if err := c.commit([]byte("c")); !errors.Is(err, errClosed) {
			t.Error("got", err)
		}
	})
}

// A little does not wait for a group that hangs.
func TestCommitBesideOneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommitter(func(_ context.Context, group []byte) error {
			if string(group) == "hangs" {
				time.Sleep(10 * time.Second)
			}
			return nil
		}, 2, slog.New(slog.DiscardHandler), &Stats{})
		if _, err := c.gather([]byte("hangs")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, after := range []time.Duration{0, patience} { // at once, and when it hangs already
			time.Sleep(after)
			start := time.Now()
			if err := c.commit([]byte("a little")); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > patience {
				t.Errorf("it waited %s", took)
			}
		}
		c.close()
	})
}

// Whatever appending does, each commit is told what became of its own group, once, and close waits for all of them.
func TestCommitWithFaults(t *testing.T) {
	for _, atOnce := range []int{1, 4} {
		t.Run(fmt.Sprint(atOnce), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				times, stored := map[string]int{}, map[string]bool{}
				writing, began := 0, time.Time{}
				c := newCommitter(func(_ context.Context, group []byte) (err error) {
					mu.Lock()
					if writing++; writing > atOnce || writing > 1 && len(group) < besides && time.Since(began) < patience {
						t.Errorf("%d bytes are written as one of %d groups", len(group), writing)
					}
					began = time.Now()
					mu.Unlock()
					time.Sleep(time.Duration(1+rand.IntN(2000)) * time.Millisecond)
					fault := rand.IntN(5)
					if fault == 0 {
						time.Sleep(10 * time.Second)
					}
					mu.Lock()
					defer mu.Unlock()
					writing--
					for id := range strings.FieldsSeq(string(group)) {
						times[id]++
						stored[id] = fault > 1
					}
					switch fault {
					case 0:
						return errors.New("no answer")
					case 1:
						panic("broken")
					}
					return nil
				}, atOnce, slog.New(slog.DiscardHandler), &Stats{})
				var clients sync.WaitGroup
				for i := range 500 {
					clients.Go(func() {
						time.Sleep(time.Duration(rand.IntN(60_000)) * time.Millisecond)
						id := fmt.Sprint(i)
						err := c.commit([]byte(id + strings.Repeat(" ", 1+rand.IntN(besides/2))))
						mu.Lock()
						defer mu.Unlock()
						if times[id] != 1 || stored[id] != (err == nil) {
							t.Errorf("record %s was appended %d times, stored %t: %v", id, times[id], stored[id], err)
						}
					})
				}
				clients.Wait()
				last, err := c.gather([]byte("last "))
				if err != nil {
					t.Fatal(err)
				}
				c.close()
				select {
				case <-last.done:
				default:
					t.Error("the committer is closed before the last group is written")
				}
			})
		})
	}
}
