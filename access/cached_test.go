package access

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// asked is a directory in which anna is an analyst, and which counts.
type asked struct {
	asks atomic.Int32
	says func(ctx context.Context, person string) (Roles, error)
}

func (d *asked) Find(ctx context.Context, name string) (Account, error) {
	d.asks.Add(1)
	roles, err := d.says(ctx, name)
	return Account{Name: name, Roles: roles}, err
}

func (d *asked) Login(ctx context.Context, name, _ string) (Account, error) { return d.Find(ctx, name) }

func yes(context.Context, string) (Roles, error) { return RolesOf(Analyst), nil }

func TestCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &asked{says: yes}
		c := NewCached(d, time.Now)
		ask := func(asks int32, want error) {
			t.Helper()
			roles, err := rolesOf(t.Context(), c, "anna")
			if !errors.Is(err, want) || (err == nil) != roles.Has(Analyst) || d.asks.Load() != asks {
				t.Errorf("%v, %v after %d asks, want %v after %d", roles, err, d.asks.Load(), want, asks)
			}
		}
		ask(1, nil)
		time.Sleep(maxAge - 1)
		ask(1, nil)
		time.Sleep(time.Nanosecond)
		ask(2, nil)
		time.Sleep(maxAge)
		for i, err := range []error{ErrDenied, ErrUnavailable, ErrDenied} { // none is remembered
			d.says = func(context.Context, string) (Roles, error) { return 0, fmt.Errorf("%w: why", err) }
			ask(int32(3+i), err)
		}
		d.says = yes
		if _, _, err := login(t.Context(), c, "anna", "pw"); err != nil {
			t.Fatal(err)
		}
		ask(6, nil) // a login's answer is remembered
		if _, _, err := login(t.Context(), c, "anna", "pw"); err != nil || d.asks.Load() != 7 {
			t.Error("a login was not asked for:", err)
		}
	})
}

// The minute is counted from the question: an answer that takes its time is no younger for it.
func TestCachedSlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &asked{says: func(context.Context, string) (Roles, error) { time.Sleep(5 * time.Second); return RolesOf(Viewer), nil }}
		c := NewCached(d, time.Now)
		rolesOf(t.Context(), c, "anna")
		time.Sleep(maxAge - 5*time.Second)
		rolesOf(t.Context(), c, "anna")
		if d.asks.Load() != 2 {
			t.Error("an answer was used for more than a minute")
		}
	})
}

func TestCachedClockGoesBack(t *testing.T) {
	now := time.Now().Round(0)
	d := &asked{says: yes}
	c := NewCached(d, func() time.Time { return now })
	rolesOf(t.Context(), c, "anna")
	now = now.Add(-time.Hour)
	rolesOf(t.Context(), c, "anna")
	rolesOf(t.Context(), c, "anna")
	if d.asks.Load() != 2 {
		t.Errorf("%d asks", d.asks.Load())
	}
}

func TestCachedJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &asked{says: func(ctx context.Context, _ string) (Roles, error) {
			select {
			case <-time.After(time.Second):
				return RolesOf(Analyst), nil
			case <-ctx.Done():
				return 0, ErrUnavailable
			}
		}}
		c := NewCached(d, time.Now)
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		failed := make(chan error, 1)
		go func() {
			_, err := rolesOf(impatient, c, "anna")
			failed <- err
		}()
		synctest.Wait() // the impatient one is the one who asks
		done := make(chan error, 20)
		for range cap(done) {
			go func() {
				_, err := rolesOf(t.Context(), c, "anna")
				done <- err
			}()
		}
		if err := <-failed; !errors.Is(err, context.DeadlineExceeded) {
			t.Error("who gave up:", err)
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error("who waited:", err)
			}
		}
		if d.asks.Load() != 1 {
			t.Errorf("%d asks", d.asks.Load())
		}
	})
}

func TestCachedHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &asked{says: func(ctx context.Context, _ string) (Roles, error) { <-ctx.Done(); return 0, ErrUnavailable }}
		if _, err := rolesOf(t.Context(), NewCached(d, time.Now), "anna"); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}

func TestCachedBounded(t *testing.T) {
	c := NewCached(&asked{says: yes}, time.Now)
	for i := range maxPeople + 100 {
		rolesOf(t.Context(), c, fmt.Sprint(i))
	}
	if n := c.people.Len(); n != maxPeople {
		t.Errorf("%d people are remembered", n)
	}
}

func BenchmarkCached(b *testing.B) {
	c := NewCached(&asked{says: yes}, time.Now)
	for b.Loop() {
		c.Find(b.Context(), "anna")
	}
}

func login(ctx context.Context, d Directory, name, password string) (person string, roles Roles, err error) {
	account, err := d.Login(ctx, name, password)
	return account.Name, account.Roles, err
}

func rolesOf(ctx context.Context, d Directory, name string) (Roles, error) {
	account, err := d.Find(ctx, name)
	return account.Roles, err
}
