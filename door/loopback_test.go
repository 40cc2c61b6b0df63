package door_test

import (
	"testing"

	"brine/door"
)

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "a.localhost": false, "localhost.example": false, "127.0.0.1.example": false, "0.0.0.0": false, "::": false, "192.0.2.1": false,
		"127.0.0.1:80": false, "[::1]": false, "2130706433": false,
	} {
		if got := door.IsLoopback(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}
