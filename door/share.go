package door

import (
	"net"
	"net/netip"
	"sync"
)

// Share leaves room for others: of a listener's connections one address, or one /64 of IPv6, has at most each at a time, and one
// more is closed at once. Trusted proxies, this machine itself, and peers without an address have no such bound. An address
// is held in memory while it has a connection, and never told.
func Share(l net.Listener, each int, proxies Proxies) net.Listener {
	return &shared{Listener: l, each: each, proxies: proxies, open: map[netip.Prefix]int{}}
}

// shared is a listener that knows how many connections each peer has.
type shared struct {
	net.Listener
	each    int
	proxies Proxies

	mu   sync.Mutex
	open map[netip.Prefix]int // none that is 0
}

// Accept waits for a connection that its peer may have.
func (l *shared) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer, bounded := l.peer(conn)
		if !bounded {
			return conn, nil
		}
		if l.take(peer) {
			return &sharedConn{Conn: conn, release: sync.OnceFunc(func() { l.release(peer) })}, nil
		}
		conn.Close()
	}
}

// peer is what a connection counts for, if it counts.
func (l *shared) peer(conn net.Conn) (peer netip.Prefix, bounded bool) {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return peer, false
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	if !addr.IsValid() || addr.IsLoopback() || l.proxies.trust(addr) {
		return peer, false
	}
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	peer, err := addr.Prefix(bits)
	return peer, err == nil
}

func (l *shared) take(peer netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer] >= l.each {
		return false
	}
	l.open[peer]++
	return true
}

func (l *shared) release(peer netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[peer]--; l.open[peer] == 0 {
		delete(l.open, peer)
	}
}

// sharedConn gives its place back when it is closed, however often that is.
type sharedConn struct {
	net.Conn
	release func()
}

func (c *sharedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
