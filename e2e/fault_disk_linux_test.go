package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The disk of the log is full, with no limit set before that.
func TestFullLogDisk(t *testing.T) { testFullDisk(t, "log", `flush: {every: 10m}`) }

// The disk of the lake is full.
func TestFullLakeDisk(t *testing.T) { testFullDisk(t, "lake", "") }

// testFullDisk fills the disk of a folder of the data folder under load. Brine refuses what it
// cannot store, goes on within 5 s of space coming back, and loses nothing.
func testFullDisk(t *testing.T, folder, configYAML string) {
	b := newBrine(t, configYAML)
	disk := filepath.Join(b.data, folder)
	if !smallDisk(t, disk, 24<<20) {
		return
	}
	b.start()
	said := newLedger("interaction")
	for round := range 2 {
		stopSending := b.send(2, said)
		ballast := fill(t, disk)
		b.eventually(20*time.Second, "events are refused, and __heartbeat__ fails", func() bool {
			return !b.ready() && b.refuses(t, said)
		})
		stopSending()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s := b.session()
		b.eventually(30*time.Second, "events are stored again", func() bool {
			id, sent := said.fresh()
			r, err := s.send(sent)
			said.note([]string{id}, r, err)
			return err == nil && r.status == http.StatusOK && b.ready()
		})
		t.Logf("round %d: %d acknowledged, %d refusals; stores again after %s", round+1, len(said.acked), said.refusals, time.Since(began).Round(time.Millisecond))
	}
	b.stop()
	b.configure(`flush: {every: 200ms}`)
	b.start()
	said.check(t, b)
	if left := b.status().LeftOut; len(left) > 0 {
		t.Errorf("left out: %v", left)
	}
}

// refuses sends an event and says whether it was refused as one that could not be stored.
func (b *brine) refuses(t *testing.T, said *ledger) bool {
	t.Helper()
	id, sent := said.fresh()
	r := b.session().post(t, sent)
	said.note([]string{id}, r, nil)
	return r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != ""
}

// smallDisk mounts a disk of so many bytes at a folder, until the test ends. Where that needs a
// user name space of its own it runs the test again in one, and says no.
func smallDisk(t *testing.T, path string, size int) bool {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size))
	if err == nil {
		t.Cleanup(func() { syscall.Unmount(path, syscall.MNT_DETACH) })
		return true
	}
	const again = "BRINE_TEST_UNSHARED"
	if os.Getenv(again) != "" {
		t.Fatalf("mount a tmpfs, as root of a user name space: %v", err)
	}
	cmd := exec.Command("unshare", "-rm", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), again+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("this test mounts a small tmpfs: run it as root, or allow unprivileged user name spaces: %v", err)
	}
	return false
}

// resize gives a disk of [smallDisk] another size; 0 is what is in use, so that it is full from then on.
func resize(t *testing.T, path string, size int64) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		to := size
		if size == 0 {
			var now syscall.Statfs_t
			if err := syscall.Statfs(path, &now); err != nil {
				t.Fatal(err)
			}
			to = int64(now.Blocks-now.Bfree) * now.Bsize
		}
		err := syscall.Mount("tmpfs", path, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", to))
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EINVAL) || time.Now().After(deadline) { // EINVAL: it has grown meanwhile
			t.Fatal(err)
		}
	}
}

// fill takes up all space of a disk with one file.
func fill(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return path
}
