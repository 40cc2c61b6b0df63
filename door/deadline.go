package door

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Lazily has the deadlines of a listener's connections cost less: net/http moves eight of them for each request, nearly all to a later time,
// and each is a timer. Here one that becomes later, or none, is only noted: the one before is looked at when it is over.
func Lazily(l net.Listener) net.Listener { return lazyListener{l} }

type lazyListener struct{ net.Listener }

// Accept waits for a connection.
func (l lazyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &lazyConn{Conn: conn}
	c.read.set, c.write.set = conn.SetReadDeadline, conn.SetWriteDeadline
	return c, nil
}

type lazyConn struct {
	net.Conn
	read, write lazyDeadline
}

// Read reads what there is until the deadline that was asked for.
func (c *lazyConn) Read(p []byte) (n int, err error) {
	for {
		n, err = c.Conn.Read(p)
		if n > 0 || err == nil || !c.read.early(err) {
			return n, err
		}
	}
}

// Write writes all of p, or as much as could be until the deadline that was asked for.
func (c *lazyConn) Write(p []byte) (n int, err error) {
	for {
		more, err := c.Conn.Write(p[n:])
		n += more
		if err == nil || !c.write.early(err) {
			return n, err
		}
	}
}

func (c *lazyConn) SetReadDeadline(t time.Time) error  { return c.read.ask(t) }
func (c *lazyConn) SetWriteDeadline(t time.Time) error { return c.write.ask(t) }

func (c *lazyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.read.ask(t), c.write.ask(t))
}

// lazyDeadline is that of one direction of a connection.
type lazyDeadline struct {
	set func(time.Time) error // has the connection below end there what waits

	mu          sync.Mutex
	asked, next time.Time // next is what was set; not after asked
}

// lookAgain is the longest that a deadline is set for, so that one that is asked for afterwards mostly is later.
const lookAgain = 20 * time.Second

// longPast is after the deadline by which net/http ends a read that waits, which is in 1970.
var longPast = time.Unix(1<<30, 0)

func (d *lazyDeadline) ask(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = t
	if t.IsZero() || d.next.After(longPast) && !t.Before(d.next) {
		return nil
	}
	return d.move()
}

// early says whether what failed is to be tried again: a deadline ended it, and not the one that was asked for.
func (d *lazyDeadline) early(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return (d.asked.IsZero() || time.Now().Before(d.asked)) && d.move() == nil
}

// move sets what was asked for, or a time before it. The caller holds mu.
func (d *lazyDeadline) move() error {
	d.next = d.asked
	if soon := time.Now().Add(lookAgain); d.next.After(soon) {
		d.next = soon
	}
	return d.set(d.next)
}
