package door

import (
	"net/netip"
	"strings"
)

// IsLoopback says whether a host, without its port, is this machine's own name for itself: localhost, or a loopback address. Any other
// name, also one below localhost, may be one that somebody made point elsewhere or here.
func IsLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
