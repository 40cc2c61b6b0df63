package salt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
)

// errPower is what every change fails with once the power is gone.
var errPower = errors.New("no power")

// memHouse is a house on a disk in memory.
func memHouse(t *testing.T, now string) (*house, *memDisk) {
	t.Helper()
	h := newHouse(t, now)
	d := newMemDisk(t, h.data, h.dir)
	h.options.disk = d
	h.open()
	return h, d
}

// rotation is a house whose rotation at the end of the year has everything to do: a salt to destroy,
// one to make, and what an earlier crash left to clear.
func rotation(t *testing.T) (h *house, d *memDisk, q4Print string) {
	h, d = memHouse(t, "2026-09-30T00")
	h.rotateAt(h.now)
	q4Print = h.mustFor("2026-10-01T00").Fingerprint()
	if err := errors.Join(d.create(h.file(".new-"+q1), []byte("half")), d.sync(h.dir)); err != nil {
		t.Fatal(err)
	}
	h.now = at("2026-12-31T00")
	return h, d, q4Print
}

// check wants, after whatever went wrong and one more rotation, what a rotation without mishap leaves.
func (h *house) check(t *testing.T, mishap, q3Print, q4Print string) {
	t.Helper()
	h.open()
	if salt, err := h.folder.For(at("2026-12-30T00")); err == nil && salt.Fingerprint() != q4Print {
		t.Fatalf("%s: before the next rotation the salt in force is another", mishap)
	}
	if _, err := h.folder.For(at("2026-09-01T00")); !errors.Is(err, ErrForgotten) {
		t.Fatalf("%s: an overdue salt: %v", mishap, err)
	}
	if last, err := h.folder.records.read(); err != nil || last[q3].What == Destroyed && h.holds(q3) {
		t.Fatalf("%s: it is recorded as destroyed and there: %v", mishap, err)
	}
	next := ""
	if salt, err := h.folder.For(at("2027-01-01T00")); err == nil {
		next = salt.Fingerprint()
	}
	if _, err := h.folder.Rotate(h.now, false); err != nil {
		t.Fatalf("%s: the next rotation: %v", mishap, err)
	}
	if got := h.mustFor("2026-12-30T00").Fingerprint(); got != q4Print {
		t.Errorf("%s: the salt in force is another", mishap)
	}
	if got := h.mustFor("2027-01-01T00").Fingerprint(); next != "" && got != next {
		t.Errorf("%s: the salt that was made ahead is another", mishap)
	}
	var names []string
	for _, i := range must(h.options.disk.list(h.dir)) {
		names = append(names, i.name)
	}
	if got := strings.Join(names, " "); got != q4+" "+q1 {
		t.Errorf("%s: the folder holds %s", mishap, got)
	}
	last, err := h.folder.records.read()
	if got := last[q3]; err != nil || got.What != Destroyed || got.Fingerprint != q3Print {
		t.Errorf("%s: the record of the destroyed salt is %+v, %v", mishap, got.Record, err)
	}
	if steps, err := h.folder.Rotate(h.now, false); err != nil || len(steps) > 0 {
		t.Errorf("%s: something is left to do: %s, %v", mishap, what(steps), err)
	}
}

// The power is cut before each change to the disk in turn, and of what was not synced anything may
// be left; while it recovers it is cut again.
func TestPowerCut(t *testing.T) {
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 3))
		for at, done := 0, false; !done; at++ {
			h, d, q4Print := rotation(t)
			q3Print := must(h.folder.lastPrint(q3))
			done = cutPower(d, at, h)
			d.powerCut(random)
			cutPower(d, random.IntN(12), h)
			d.powerCut(random)
			h.check(t, fmt.Sprintf("cut before change %d, seed %d", at, seed), q3Print, q4Print)
		}
	}
}

func (h *house) holds(name string) bool {
	_, err := h.options.disk.stat(h.file(name))
	return err == nil
}

// In a folder that has held no salt yet, too, a salt that was ever given out stays the same.
func TestPowerCutAtFirst(t *testing.T) {
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 4))
		for at, done := 0, false; !done; at++ {
			h, d := memHouse(t, "2026-11-25T11")
			done = cutPower(d, at, h)
			given, _ := h.folder.For(h.now)
			d.powerCut(random)
			h.open()
			h.rotateAt(h.now)
			if salt := h.mustFor("2026-11-25T11"); given != nil && salt.Fingerprint() != given.Fingerprint() {
				t.Errorf("cut before change %d, seed %d: another salt", at, seed)
			}
		}
	}
}

func (f *Folder) lastPrint(name string) (string, error) {
	last, err := f.records.read()
	return last[name].Fingerprint, err
}

// cutPower rotates until so many changes are done; it tells whether there were no more.
func cutPower(d *memDisk, changes int, h *house) (done bool) {
	done = true
	d.before = func(string) error {
		if changes--; changes < 0 {
			done = false
			return errPower
		}
		return nil
	}
	h.open()
	h.folder.Rotate(h.now, false)
	d.before = func(string) error { return nil }
	return done
}

// Each change to the disk fails in turn: it is told, and the next rotation does what is left.
func TestFullDisk(t *testing.T) {
	for at := 0; ; at++ {
		h, d, q4Print := rotation(t)
		q3Print := must(h.folder.lastPrint(q3))
		n, failed := 0, ""
		d.before = func(op string) error {
			if n++; n-1 == at {
				failed = op
				return syscall.ENOSPC
			}
			return nil
		}
		_, err := h.folder.Rotate(h.now, false)
		d.before = func(string) error { return nil }
		if failed == "" {
			if at < 15 {
				t.Fatalf("a rotation of only %d changes", at)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s failed, and the rotation says %v", failed, err)
		}
		h.check(t, failed, q3Print, q4Print)
	}
}
