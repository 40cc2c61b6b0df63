package salt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the tests start this binary again as a process that they can kill.
func TestMain(m *testing.M) {
	if data := os.Getenv("BRINE_TEST_ROTATE"); data != "" {
		rotateForEver(data, os.Getenv("BRINE_TEST_BEGAN"))
	}
	os.Exit(m.Run())
}

// hourLasts is how long an hour is for these processes, which rotate salts of 3 hours.
const hourLasts = 100 * time.Millisecond

// fastClock is a clock of all of them: it stood at 2026-01-01 at a moment in real nanoseconds.
func fastClock(began string) func() time.Time {
	ns, err := strconv.ParseInt(began, 10, 64)
	if err != nil {
		panic(err)
	}
	return func() time.Time {
		return at("2026-01-01T00").Add(time.Since(time.Unix(0, ns)) * time.Duration(time.Hour/hourLasts))
	}
}

func fastFolder(data string, now func() time.Time) (*Folder, error) {
	periods, err := ParsePeriods("3h", "", 3*time.Hour)
	if err != nil {
		return nil, err
	}
	return Open(filepath.Join(data, "salts"), Options{Periods: periods, Records: filepath.Join(data, "salts.ndjson"), Now: now})
}

// rotateForEver rotates, asks for the salts of hours around now, and prints each as it is given.
func rotateForEver(data, began string) {
	now := fastClock(began)
	folder, err := fastFolder(data, now)
	for err == nil {
		if _, err = folder.Rotate(now(), false); err != nil {
			break
		}
		hour := now().Truncate(time.Hour).Add(time.Duration(rand.N(8)-6) * time.Hour)
		salt, wrong := folder.For(hour)
		switch {
		case wrong == nil:
			fmt.Println(hour.Format(nameTime), salt.Fingerprint())
		case !errors.Is(wrong, ErrForgotten):
			err = wrong
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Two processes that rotate one folder are killed at random; BRINE_ROUNDS says how often.
// Each hour has one salt whoever asks and whenever, the folder is in order, and of a destroyed salt nothing is left.
func TestKill(t *testing.T) {
	data, began := t.TempDir(), strconv.FormatInt(time.Now().UnixNano(), 10)
	now := fastClock(began)
	given, keys := map[string]string{}, map[string]string{}
	for round := range rounds(t) {
		var readers []io.Reader
		for range 2 {
			readers = append(readers, startRotating(t, data, began))
		}
		for _, out := range readers {
			readGiven(t, out, given)
		}
		folder := must(fastFolder(data, now))
		if _, err := folder.Rotate(now(), false); err != nil {
			t.Fatalf("round %d: %v", round+1, err)
		}
		if err := folder.Check(); err != nil {
			t.Fatalf("round %d: %v", round+1, err)
		}
		readKeys(t, data, keys)
		checkGiven(t, folder, given)
	}
	t.Logf("%d hours were asked for, %d salts were there", len(given), len(keys))
	if len(given) < 2*rounds(t) || len(keys) < rounds(t) {
		t.Fatalf("only %d hours had salts, and %d salts were there: this was no load", len(given), len(keys))
	}
	checkNothingLeft(t, data, keys)
}

func rounds(t *testing.T) int {
	text := os.Getenv("BRINE_ROUNDS")
	if text == "" {
		return 8
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("BRINE_ROUNDS: %v", err)
	}
	return n
}

// startRotating starts a process, and kills it some time after its first words.
func startRotating(t *testing.T, data, began string) io.Reader {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BRINE_TEST_ROTATE="+data, "BRINE_TEST_BEGAN="+began)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, says := io.Pipe()
	go func() {
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 0 {
				time.AfterFunc(rand.N(400*time.Millisecond), func() { cmd.Process.Kill() })
			}
			fmt.Fprintln(says, lines.Text())
		}
		cmd.Wait()
		says.Close()
	}()
	return said
}

// readGiven wants each hour with the salt that it always had.
func readGiven(t *testing.T, out io.Reader, given map[string]string) {
	t.Helper()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		hour, fingerprint, _ := strings.Cut(lines.Text(), " ")
		if len(fingerprint) != 16 {
			continue // the kill cut it off
		}
		if before := given[hour]; before != "" && before != fingerprint {
			t.Fatalf("hour %s had %s and has %s", hour, before, fingerprint)
		}
		given[hour] = fingerprint
	}
}

func checkGiven(t *testing.T, folder *Folder, given map[string]string) {
	t.Helper()
	err := folder.locked(func(s *state) error {
		for text, fingerprint := range given {
			hour := must(time.Parse(nameTime, text))
			salt, err := s.choose(hour)
			if err == nil && salt.Fingerprint() != fingerprint || err != nil && !errors.Is(err, ErrForgotten) {
				return fmt.Errorf("hour %s had %s and has %v, %v", text, fingerprint, salt, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// readKeys notes the salts that are there now, by name.
func readKeys(t *testing.T, data string, keys map[string]string) {
	t.Helper()
	dir := filepath.Join(data, "salts")
	for _, e := range must(os.ReadDir(dir)) {
		key := strings.TrimSpace(string(must(os.ReadFile(filepath.Join(dir, e.Name())))))
		if before := keys[e.Name()]; before != "" && before != key || len(key) != 64 {
			t.Fatalf("salt %s was changed", e.Name())
		}
		keys[e.Name()] = key
	}
}

// checkNothingLeft wants each salt that is not there any more recorded, and in no file.
func checkNothingLeft(t *testing.T, data string, keys map[string]string) {
	t.Helper()
	last, err := (&recordFile{osDisk{}, filepath.Join(data, "salts.ndjson")}).read()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	err = filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			all.Write(must(os.ReadFile(path)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range keys {
		if _, err := os.Lstat(filepath.Join(data, "salts", name)); err == nil {
			continue
		}
		if last[name].What != Destroyed || len(last[name].Fingerprint) != 16 {
			t.Errorf("the last record of %s is %+v", name, last[name].Record)
		}
		if strings.Contains(all.String(), key) {
			t.Errorf("destroyed salt %s is still in a file", name)
		}
	}
}
