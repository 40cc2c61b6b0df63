package doortest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
)

// given are the addresses that a test of this process has: who is down between two starts does not listen on its own.
var given sync.Map

// FreeAddr is a loopback address, host:port, that nothing listens on and no other test of this process has. Its port lies below those
// that the system gives to connections, so that none takes it before it is listened on, nor between two starts; test processes that
// run side by side mostly draw from ranges of their own.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	const first, ranges, size = 10_000, 10, 2_000
	from := first + os.Getpid()%ranges*size
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", from+rand.N(size))
		if _, taken := given.LoadOrStore(addr, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr
		}
	}
	tb.Fatal("no port is free on 127.0.0.1")
	return ""
}
