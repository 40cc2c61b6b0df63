package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/lake"
	"brine/lake/duck"
)

// Killed at random moments while installs are erased under load, brine erases every install that it said it would, and has
// every other acknowledged event once.
func TestKilledWhileErasing(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := newAppBrine(t)
	b.start()
	said := newLedger("app_session")
	var installs []string
	for round := range jobRounds(t) {
		install := newID()
		installs = append(installs, install)
		b.sendOf(install, 5)
		if round%2 == 0 {
			b.waitFlushed() // else it is still in the log
		}
		stop := b.sendApps(3, said)
		b.forget(install)
		at := rand.N(2500 * time.Millisecond) // a pass begins within a second
		<-time.After(at)
		b.kill()
		stop()
		checkWholeFiles(t, b)
		b.start()
	}
	b.waitErased()
	said.check(t, b)
	b.checkErased(installs)
	b.restart()
	b.checkErased(installs)
	b.stop()
	var st status
	if out, _, _ := b.command(nil, "status", "--json"); json.Unmarshal([]byte(out), &st) != nil || st.Erasures.Removed != len(installs) {
		t.Errorf("at rest the status is %+v", st.Erasures)
	}
	b.checkErased(installs)
}

// sendOf stores events of one install.
func (b *brine) sendOf(install string, events int) {
	b.tb.Helper()
	for range events {
		b.mustStoreEvents(strings.Replace(appEvent(newID()), "816d2cef-93d1-4706-b15e-20155e9fca77", install, 1))
	}
}

// forget asks the public door to erase an install.
func (b *brine) forget(install string) {
	b.tb.Helper()
	res, err := plain.Post(b.public+"/v1/forget", "application/json", strings.NewReader(fmt.Sprintf(`{"unit":%q}`, install)))
	if err != nil {
		b.tb.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		b.tb.Fatalf("forget: %s", res.Status)
	}
}

func (b *brine) waitErased() {
	b.tb.Helper()
	b.eventually(90*time.Second, "all erasures are removed from files", func() bool { return b.status().Erasures.Accepted == 0 })
}

// checkErased wants installs to be found in nothing that is read, in no file but those of the requests that wait, and in no output.
func (b *brine) checkErased(installs []string) {
	b.tb.Helper()
	look := func(where string, content []byte) {
		for _, install := range installs {
			if bytes.Contains(content, []byte(install)) {
				b.tb.Errorf("an erased install is in %s", where)
			}
		}
	}
	look("the output", []byte(b.output()))
	read := map[string]bool{} // covered files are swept later
	for _, f := range b.newestFiles() {
		read[f] = true
	}
	conn, done := b.duck()
	defer done()
	err := filepath.WalkDir(b.data, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && !d.Type().IsRegular() {
			return nil
		}
		if err != nil || filepath.Base(filepath.Dir(path)) == "erasures" {
			return err
		}
		rel, _ := filepath.Rel(filepath.Join(b.data, "lake"), path)
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if read[rel] {
			content = append(content, b.parquetText(conn, rel)...)
		}
		if filepath.Ext(path) != ".parquet" || read[rel] {
			look(rel, content)
		}
		return err
	})
	if err != nil {
		b.tb.Fatal(err)
	}
}

// newestFiles are the lake's files but those that another covers.
func (b *brine) newestFiles() (paths []string) {
	b.tb.Helper()
	var names []lake.Name
	for _, path := range b.lakeFiles() {
		n, err := lake.ParseName(path)
		if err != nil {
			b.tb.Fatal(err)
		}
		names = append(names, n)
	}
	for _, n := range names {
		if !slices.ContainsFunc(names, func(o lake.Name) bool { return o.Covers(n) }) {
			paths = append(paths, n.String())
		}
	}
	return paths
}

// parquetText is all that a file of the lake holds, as text; empty where it was swept meanwhile.
func (b *brine) parquetText(conn *duck.Conn, path string) (text []byte) {
	b.tb.Helper()
	folder := filepath.Join(b.data, "lake")
	rows, err := conn.Query(b.tb.Context(), "SELECT CAST(f AS VARCHAR) FROM read_parquet("+duck.Quote(filepath.Join(folder, path))+", hive_partitioning=false) AS f")
	if err != nil {
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		for i := range rows.Len() {
			text = append(text, rows.Vector(0).String(i)...)
		}
	}
	return text
}

// An operator erases an install beside a serving brine and in a folder that nobody serves, and gets a receipt without the id.
func TestEraseCommand(t *testing.T) {
	b := newAppBrine(t)
	b.start()
	installs := []string{newID(), newID()}
	for i, install := range installs {
		b.sendOf(install, 3)
		if i == 1 {
			b.stop()
		}
		out, errs, code := b.command(strings.NewReader(install+"\n"), "erase", "--json")
		var receipt struct {
			Receipt, State string
			Removed        []struct{ Rows int }
		}
		if json.Unmarshal([]byte(out), &receipt) != nil || code != 0 || receipt.State != "removed from files" || len(receipt.Removed) != 1 || receipt.Removed[0].Rows != 3 {
			t.Fatalf("exit %d: %s%s", code, out, errs)
		}
		shown, errs, code := b.command(nil, "erase", "--receipt", receipt.Receipt)
		if code != 0 || !strings.Contains(shown, "3 events") || strings.Contains(out+shown+errs, install) {
			t.Errorf("exit %d: %s%s", code, shown, errs)
		}
	}
	b.checkErased(installs)
	for name, in := range map[string]string{"Empty": "\n", "Lines": "a\nb\n", "TooLong": strings.Repeat("x", 10<<10+1)} {
		if out, errs, code := b.command(strings.NewReader(in), "erase"); code != 1 || out != "" || errs == "" {
			t.Errorf("%s: exit %d: %s%s", name, code, out, errs)
		}
	}
	if out, _, code := b.command(nil, "erase", "--receipt", "../lock"); code != 1 || out != "" {
		t.Errorf("a receipt that is none: exit %d", code)
	}
}
