package gate

import (
	"context"
	"errors"

	"brine/access"
	"brine/access/tokens"
)

// Lost is the error of an answer that must stop, because whoever gets it may not have it any more.
type Lost struct{ why string }

func (e *Lost) Error() string { return e.why }

// Still asks anew whether the person has what the route needs: for answers that last. The error is a [Lost]. A directory that does not
// answer gives nobody anything.
func (p Person) Still(ctx context.Context) error {
	if p.ask == nil {
		return nil
	}
	now, err := p.ask(ctx)
	switch {
	case errors.Is(err, access.ErrDenied), errors.Is(err, tokens.ErrUnknown), errors.Is(err, errOther):
		return &Lost{"role lost"}
	case err != nil:
		return &Lost{"roles cannot be asked for"}
	case p.need != AnyRole && !now.Has(p.need):
		return &Lost{"role lost"}
	}
	return nil
}
