//go:build !linux

package salt

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// noCoreDumps sets the limit of a core dump to 0.
func noCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("set RLIMIT_CORE: %w", err)
	}
	return nil
}
