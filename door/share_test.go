package door

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// calls is a listener whose connections are all there already.
type calls struct{ waiting []net.Conn }

func (l *calls) Accept() (net.Conn, error) {
	if len(l.waiting) == 0 {
		return nil, errNobody
	}
	conn := l.waiting[0]
	l.waiting = l.waiting[1:]
	return conn, nil
}

func (l *calls) Close() error   { return nil }
func (l *calls) Addr() net.Addr { return &net.UnixAddr{} }

var errNobody = errors.New("nobody calls")

// call is a connection from an address.
type call struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (c *call) RemoteAddr() net.Addr { return c.from }
func (c *call) Close() error         { c.closed = true; return nil }

func from(addr string) *call {
	return &call{from: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 5000))}
}

// One address has its share and no more, whatever it closes how often; others, proxies and this machine are let in beside it.
func TestShare(t *testing.T) {
	line := &calls{}
	l := Share(line, 2, Proxies{netip.MustParsePrefix("10.0.0.0/8")})
	var in []net.Conn
	try := func(c *call) bool {
		line.waiting = []net.Conn{c}
		conn, err := l.Accept()
		if err == nil {
			in = append(in, conn)
		}
		if c.closed == (err == nil) {
			t.Errorf("%s is let in: %t, and closed: %t", c.from, err == nil, c.closed)
		}
		return err == nil
	}
	for _, c := range []struct {
		from string
		in   bool
	}{
		{"192.0.2.1", true}, {"192.0.2.1", true}, {"192.0.2.1", false}, {"::ffff:192.0.2.1", false}, {"192.0.2.2", true},
		{"2001:db8::1", true}, {"2001:db8::2", true}, {"2001:db8::3", false}, {"2001:db8:0:1::1", true},
		{"10.0.0.7", true}, {"10.0.0.7", true}, {"10.0.0.7", true}, {"127.0.0.1", true}, {"127.0.0.1", true}, {"127.0.0.1", true}, {"::1", true},
	} {
		if got := try(from(c.from)); got != c.in {
			t.Errorf("%s is let in: %t", c.from, got)
		}
	}
	in[0].Close()
	in[0].Close()
	if !try(from("192.0.2.1")) || try(from("192.0.2.1")) {
		t.Error("a connection that ended, and was closed twice, makes room for other than one")
	}
	if !try(&call{from: &net.UnixAddr{}}) {
		t.Error("a peer without an address is kept out")
	}
	for _, conn := range in {
		conn.Close()
	}
	if left := l.(*shared).open; len(left) > 0 {
		t.Errorf("%d addresses are kept after their connections", len(left))
	}
}
