package sanitize

import (
	"context"
	"errors"
	"time"
)

// Redo sanitizes an hour of a stream anew that is stale. The error says why it cannot be done.
func (j *Job) Redo(ctx context.Context, stream string, hour time.Time) error {
	q := Request{From: hour, To: hour.Add(time.Hour), Stream: stream, Stale: true}
	states, err := j.States(ctx, q)
	if err != nil {
		return err
	}
	if len(states) > 0 && states[0].Redo != "" {
		return errors.New(states[0].Redo)
	}
	report, err := j.Run(ctx, q)
	if err == nil && len(report.Refused) > 0 {
		err = errors.New(report.Refused[0].Why)
	}
	return err
}
