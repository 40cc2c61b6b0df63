//go:build unix

package eventlog

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// What a group costs from the call to the disk, with the CPU of all goroutines, the server's included.
func BenchmarkAppend(b *testing.B) {
	for _, events := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			log := mustOpen(b, Options{Dir: b.TempDir()})
			group := bytes.Repeat([]byte("x"), events*700)
			b.SetBytes(int64(len(group)))
			before := cpu(b)
			for b.Loop() {
				if err := log.Append(b.Context(), group); err != nil {
					b.Fatal(err)
				}
			}
			reportCPU(b, before)
		})
	}
}

// What a group of 16 kB costs to read, for one who keeps up and for one who does not.
func BenchmarkRead(b *testing.B) {
	for name, tail := range map[string]int{"memory": 128 << 20, "disk": 1} {
		b.Run(name, func(b *testing.B) {
			const groups, size = 4000, 16 << 10
			log := mustOpen(b, Options{Dir: b.TempDir(), TailBytes: tail})
			for range groups {
				if err := log.Append(b.Context(), make([]byte, size)); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(size)
			b.ResetTimer()
			before := cpu(b)
			for read := 0; read < b.N; read += groups {
				readAll(b, log, log.Logs()[0])
			}
			reportCPU(b, before)
		})
	}
}

func cpu(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func reportCPU(b *testing.B, before time.Duration) {
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}
