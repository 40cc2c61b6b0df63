package salt

import "path/filepath"

// Medium is the file system that a folder lies on, and what overwriting a file there is worth.
type Medium struct {
	Name   string `json:"name"`   // like ext4
	Advice string `json:"advice"` // what that means for destroyed salts
}

// The kinds of file systems.
const (
	inMemory    = "in memory: a destroyed salt is gone, unless swap holds it; keep a sealed copy, as a restart empties it"
	inPlace     = "overwrites in place, but an SSD below it may keep the old blocks: use an encrypted volume without snapshots, or tmpfs"
	copyOnWrite = "writes elsewhere instead of over the old blocks, and snapshots keep them: overwriting proves nothing here; use tmpfs, or an encrypted volume without snapshots"
	network     = "another machine stores it, and Brine cannot tell how: overwriting proves nothing here; use tmpfs, or an encrypted volume of this machine"
	unknown     = "Brine does not know how it stores: do not rely on overwriting; use tmpfs, or an encrypted volume without snapshots"
)

// MediumOf looks at the folder, or at the nearest one above it that is there.
func MediumOf(dir string) (Medium, error) {
	for {
		m, err := mediumOf(dir)
		above := filepath.Dir(dir)
		if err == nil || above == dir {
			return m, err
		}
		dir = above
	}
}
