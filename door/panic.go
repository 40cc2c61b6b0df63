package door

import (
	"fmt"
	"runtime"
)

// PanicError says what panicked. Only the runtime's own errors are quoted: they hold numbers
// and types, where another value could hold what a client sent.
func PanicError(p any) error {
	if err, ok := p.(runtime.Error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic with a %T", p)
}
