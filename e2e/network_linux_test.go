package e2e

import (
	"bytes"
	bits "encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// site is hosts in places, each a name space of its own, that speak over real interfaces: a bridge in each place, and a wire
// between two places that takes its time. A host can be cut off, and the wire be cut. Where name spaces are not allowed, a host is no
// more than an address of this machine's loopback.
type site struct {
	t        testing.TB
	loopback string // the first three numbers of such addresses; "" in name spaces
	hosts    int
	wire     atomic.Bool // it is cut
}

// newSite makes a network of two places, of which the one is a round trip from the other. It lies in name spaces that the test
// runs once more in: the first time it gives nil, and the test is over. Nothing of the machine's own network is touched. Where no such
// name spaces can be made, or BRINE_LOOPBACK=1 says so, the network is loopback, where places are not apart and cannot be parted.
func newSite(t *testing.T, trip time.Duration, places ...string) *site {
	t.Helper()
	const inside = "BRINE_TEST_UNSHARED"
	if os.Getenv(inside) == "" {
		if err := tryNameSpaces(); err != nil {
			n := &site{t: t, loopback: fmt.Sprintf("127.%d.%d", 1+rand.N(254), rand.N(256))} // another run on this machine has others
			t.Logf("hosts are addresses of loopback, %s.*, and places are not apart: %v", n.loopback, err)
			return n
		}
		t.Logf("hosts are network name spaces, and places are %s apart", trip)
		cmd := exec.Command("unshare", "-rmn", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=0")
		cmd.Env = append(os.Environ(), inside+"=1", builtBefore+"="+binary, toolPath())
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("the round in name spaces failed: %v", err)
		}
		return nil
	}
	n := &site{t: t}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil { // ip keeps its names there
		t.Fatalf("mount a tmpfs, as root of a user name space: %v", err)
	}
	n.ip("link set lo up")
	var ends []int
	for _, place := range places {
		n.ip("link add name %s type bridge", place)
		n.ip("link set %s up", place)
		n.ip("link add name %s-near type veth peer name %[1]s-far", place)
		n.ip("link set %s-near master %[1]s up", place)
		n.ip("link set %s-far up", place)
		ends = append(ends, n.socket(place+"-far"))
	}
	go n.carry(ends[0], ends[1], trip/2)
	go n.carry(ends[1], ends[0], trip/2)
	return n
}

// onLoopback is the variable that, set to 1, has a site on loopback wherever it is.
const onLoopback = "BRINE_LOOPBACK"

// toolPath is where ip lies, too, which is not in the path of everybody.
func toolPath() string { return "PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin" }

// tryNameSpaces makes what a site is made of, in name spaces that end at once.
func tryNameSpaces() error {
	if os.Getenv(onLoopback) == "1" {
		return errors.New(onLoopback + "=1")
	}
	cmd := exec.Command("unshare", "-rmn", "sh", "-ec",
		"mount -t tmpfs tmpfs /run; ip link add name place type bridge; ip netns add host; ip link add name near type veth peer name far netns host")
	cmd.Env = append(os.Environ(), toolPath())
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("no network of name spaces can be made here: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// ip runs a command of the tool ip.
func (n *site) ip(format string, args ...any) {
	n.t.Helper()
	line := fmt.Sprintf(format, args...)
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v: %s", line, err, out)
	}
}

// host adds a host.
func (n *site) host(place, name string) *host {
	n.t.Helper()
	n.hosts++
	if n.loopback != "" {
		h := &host{name: name, addr: fmt.Sprintf("%s.%d", n.loopback, n.hosts), enter: func(call func() error) error { return call() }}
		h.client = plain
		return h
	}
	h := &host{name: name, addr: fmt.Sprintf("10.77.0.%d", n.hosts)}
	n.ip("netns add %s", name)
	n.ip("link add name %s type veth peer name eth0 netns %[1]s", name)
	n.ip("link set %s master %s up", name, place)
	n.ip("-n %s link set lo up", name)
	n.ip("-n %s link set eth0 up", name)
	n.ip("-n %s addr add %s/24 dev eth0", name, h.addr)
	space, err := os.Open("/run/netns/" + name)
	if err != nil {
		n.t.Fatal(err)
	}
	h.enter = func(call func() error) error {
		done := make(chan error, 1)
		go func() {
			runtime.LockOSThread() // and ends with the goroutine: it is of no use any more
			if err := unix.Setns(int(space.Fd()), unix.CLONE_NEWNET); err != nil {
				done <- err
				return
			}
			done <- call()
		}()
		return <-done
	}
	h.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: h.dial}}
	return h
}

// listen listens on a port of the host.
func (n *site) listen(h *host, port int) (l net.Listener) {
	n.t.Helper()
	err := h.do(func() (err error) {
		l, err = net.Listen("tcp", fmt.Sprintf("%s:%d", h.addr, port))
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

// cut parts a host from all others, and heal ends that. It hears nothing of it: its packets are lost.
func (n *site) cut(h *host)  { n.ip("link set %s down", h.name) }
func (n *site) heal(h *host) { n.ip("link set %s up", h.name) }

// socket opens an interface for whole frames, with what the kernel left to the device to do.
func (n *site) socket(name string) int {
	n.t.Helper()
	in, err := net.InterfaceByName(name)
	if err != nil {
		n.t.Fatal(err)
	}
	all := int(bits.BigEndian.Uint16(bits.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL)))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, all)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: in.Index})
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return fd
}

// carry takes frames from one end of the wire to the other, each after the same time, as long as the process lives.
func (n *site) carry(from, to int, after time.Duration) {
	type frame struct {
		due  time.Time
		data []byte
	}
	way := make(chan frame, 4096)
	go func() {
		for f := range way {
			time.Sleep(time.Until(f.due))
			if !n.wire.Load() {
				unix.Write(to, f.data) // a frame that does not go through is lost, as frames are
			}
		}
	}()
	buf := make([]byte, 1<<17)
	for {
		size, err := unix.Read(from, buf)
		if err != nil {
			continue
		}
		select {
		case way <- frame{time.Now().Add(after), append([]byte(nil), buf[:size]...)}:
		default:
		}
	}
}
