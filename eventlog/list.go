package eventlog

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"brine/eventlog/internal/basis"
)

// logs lists the stored logs in order of creation: by day, as days never go back, and within one by the
// server's record.
func (s *store) logs(ctx context.Context) ([]Info, error) {
	var infos []Info
	created := map[string]time.Time{}
	list := s.js.ListStreams(ctx)
	for stream := range list.Info() {
		name := stream.Config.Name
		day, err := basis.DayOf(name)
		if err != nil {
			continue // the stream of hours
		}
		created[name] = stream.Created
		infos = append(infos, Info{Name: name, Day: day, First: max(1, stream.State.FirstSeq), Last: stream.State.LastSeq})
	}
	slices.SortFunc(infos, func(a, b Info) int {
		if c := a.Day.Compare(b.Day); c != 0 {
			return c
		}
		return created[a.Name].Compare(created[b.Name])
	})
	return infos, list.Err()
}

// checkAllListed fails where a log lies on disk that the server did not open. It only warns of one whose
// files it cannot make sense of, and its groups would be gone without a word.
func checkAllListed(dir string, infos []Info) error {
	disk := os.DirFS(dir)
	metas, err := fs.Glob(disk, "jetstream/$G/streams/*/meta.inf")
	if err != nil {
		return err
	}
	for _, meta := range metas {
		folder := path.Dir(meta)
		listed := slices.ContainsFunc(infos, func(info Info) bool { return info.Name == path.Base(folder) })
		if !listed && basis.IsName(path.Base(folder)) && holdsEntries(disk, folder) {
			return fmt.Errorf("%s holds entries, but JetStream cannot open it (its warning says why): "+
				"restore the folder, or move it away if its groups may be lost", filepath.Join(dir, folder))
		}
	}
	return nil
}

// holdsEntries tells a log from one whose making was cut short.
func holdsEntries(disk fs.FS, folder string) bool {
	blocks, err := fs.Glob(disk, folder+"/msgs/*.blk")
	return err == nil && slices.ContainsFunc(blocks, func(block string) bool {
		info, err := fs.Stat(disk, block)
		return err == nil && info.Size() > 0
	})
}
