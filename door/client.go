package door

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For and X-Forwarded-Proto count.
type Proxies []netip.Prefix

// ClientAddr is the address that limits go by; it is neither kept nor logged.
// X-Forwarded-For counts only as far as trusted proxies wrote it: the client is its rightmost
// address that is no trusted proxy. A peer without an address (a Unix socket) gives the zero Addr.
func (p Proxies) ClientAddr(r *http.Request) netip.Addr {
	client := peerAddr(r)
	if !p.trust(client) {
		return client
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var last string
			rest, last, more = cutLast(rest, ',')
			addr, err := netip.ParseAddr(strings.TrimSpace(last))
			if err != nil {
				return client
			}
			client = addr.Unmap().WithZone("")
			if !p.trust(client) {
				return client
			}
		}
	}
	return client
}

// OverTLS tells whether the browser spoke TLS, to this door or to a trusted proxy before it.
func (p Proxies) OverTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return p.trust(peerAddr(r)) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func (p Proxies) trust(addr netip.Addr) bool {
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

func peerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

// cutLast cuts s around the last sep; without one, last is all of s and more is false.
func cutLast(s string, sep byte) (before, last string, more bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", s, false
}
