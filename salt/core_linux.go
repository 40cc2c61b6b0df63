package salt

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// noCoreDumps sets the limit of a core dump to 0, and marks the process as one that is not dumped:
// Linux does not heed the limit where dumps go into a pipe, as systemd's do (core(5)).
func noCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("set RLIMIT_CORE: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("set PR_SET_DUMPABLE: %w", err)
	}
	return nil
}
