package basis_test

import (
	"os"
	"path/filepath"
	"testing"

	"brine/eventlog/internal/basis"
)

// Folders that come and go, as JetStream's do when it purges, keep nobody from syncing the others; a folder that was never there does.
func TestSyncFolders(t *testing.T) {
	dir := t.TempDir()
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		deep, purged := filepath.Join(dir, "msgs", "a", "b"), filepath.Join(dir, "__msgs__")
		for {
			err := os.MkdirAll(deep, 0o700)
			if err == nil {
				err = os.Rename(filepath.Join(dir, "msgs"), purged)
			}
			if err == nil {
				err = os.RemoveAll(purged)
			}
			select {
			case <-stop:
				stopped <- err
				return
			default:
			}
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	for range 500 {
		if err := basis.SyncFolders(dir); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if basis.SyncFolders(filepath.Join(dir, "missing")) == nil {
		t.Error("a folder that is not there was synced")
	}
}
