package eventlog

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Killed at any moment, a log has every group that was acknowledged, once and in order, and its
// sequence numbers go on; in every other round it is being read and trimmed meanwhile. BRINE_ROUNDS says how
// often; the default is 5.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var all killed
	for round := range rounds(t) {
		all.add(appendUntilKilled(t, dir, round))
		began := time.Now()
		log := mustOpen(t, Options{Dir: dir, TailBytes: 1})
		t.Logf("round %d: %d acknowledged in all, opened after %s", round, len(all.acked), time.Since(began))
		var read, last int
		for _, info := range log.Logs() {
			last += int(info.Last)
			read += all.check(t, numbers(t, readAll(t, log, info)))
		}
		if last <= len(all.acked) {
			t.Fatalf("%d entries were acknowledged, and the sequence stands at %d", len(all.acked), last)
		}
		t.Logf("%d read", read)
		log.Close()
	}
}

// killed is what a process had said when it was killed.
type killed struct {
	acked   []int // the numbers of the groups that were acknowledged
	trimmed int   // up to this number groups may have been trimmed
}

func (k *killed) add(more killed) {
	k.acked = append(k.acked, more.acked...)
	k.trimmed = max(k.trimmed, more.trimmed)
}

// check wants all that was acknowledged and not trimmed in read, in order. Numbers that were never acknowledged may be there
// too, but none twice.
func (k *killed) check(t *testing.T, read []int) int {
	t.Helper()
	if !slices.IsSorted(read) || len(slices.Compact(slices.Clone(read))) != len(read) {
		t.Fatal("groups are out of order, or twice")
	}
	for _, number := range k.acked {
		if _, found := slices.BinarySearch(read, number); !found && number > k.trimmed {
			t.Fatalf("group %d was acknowledged and is lost", number)
		}
	}
	return len(read)
}

func rounds(t *testing.T) int {
	text := os.Getenv("BRINE_ROUNDS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("BRINE_ROUNDS: %v", err)
	}
	return n
}

// appendUntilKilled runs a process that appends, kills it after a while, and gives what it had said.
func appendUntilKilled(t *testing.T, dir string, round int) (said killed) {
	t.Helper()
	said.trimmed = -1
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BRINE_TEST_APPEND="+dir,
		fmt.Sprintf("BRINE_TEST_FIRST=%d", round*1_000_000), fmt.Sprintf("BRINE_TEST_TRIM=%d", round%2))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var number int
		if _, err := fmt.Sscanf(lines.Text(), "trim %d", &number); err == nil {
			said.trimmed = number
			continue
		}
		if _, err := fmt.Sscanf(lines.Text(), "acked %d", &number); err != nil {
			t.Fatalf("the process said %q", lines.Text())
		}
		if said.acked = append(said.acked, number); len(said.acked) == 1 {
			time.AfterFunc(rand.N(700*time.Millisecond), func() { cmd.Process.Kill() })
		}
	}
	cmd.Wait()
	if len(said.acked) == 0 {
		t.Fatal("nothing was acknowledged")
	}
	return said
}

// appendForEver is that process: it appends numbered groups of up to 80 kB and prints each number once it is
// acknowledged.
func appendForEver(dir string) {
	log, err := Open(context.Background(), Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil && envInt("BRINE_TEST_TRIM") == 1 {
		go trimForEver(log)
	}
	for number := envInt("BRINE_TEST_FIRST"); err == nil; number++ {
		group := fmt.Sprintf("%d %s", number, strings.Repeat("x", rand.N(80_000)))
		if err = log.Append(context.Background(), []byte(group)); err == nil {
			fmt.Println("acked", number)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// trimForEver reads the newest log and trims what it has read, as the flush does. It prints the number of
// the last group before.
func trimForEver(log *Log) {
	for {
		logs := log.Logs()
		info := logs[len(logs)-1]
		entries, err := log.Read(context.Background(), info.Name, info.First, 1<<20)
		for _, entry := range slices.Backward(entries) {
			if err == nil && !entry.Mark {
				number, _, _ := strings.Cut(string(entry.Group), " ")
				fmt.Println("trim", number)
				err = log.Trim(context.Background(), info.Name, entry.Seq)
				break
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func envInt(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		panic(name + ": " + err.Error())
	}
	return n
}

func numbers(t *testing.T, entries []Entry) (numbers []int) {
	for _, entry := range entries {
		if entry.Mark {
			continue
		}
		text, _, _ := strings.Cut(string(entry.Group), " ")
		number, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, number)
	}
	return numbers
}

// A log of 300 MB opens after a kill as after a close. A copy of the folder is what a kill leaves.
func TestOpenLarge(t *testing.T) {
	dir, killed := t.TempDir(), t.TempDir()
	log := mustOpen(t, Options{Dir: dir, TailBytes: 1})
	group := []byte(strings.Repeat("0123456789abcdef", 128<<10))
	const groups = 150
	for range groups {
		if err := log.Append(t.Context(), group); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	log.Close()
	for name, folder := range map[string]string{"closed": dir, "killed": killed} {
		began := time.Now()
		log := mustOpen(t, Options{Dir: folder})
		t.Logf("%s: opened after %s", name, time.Since(began))
		if got := log.Logs()[0]; got.Last != groups+1 {
			t.Errorf("%s: %+v", name, got)
		}
		log.Close()
	}
}
