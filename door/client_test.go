package door

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientAddr(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	tests := map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"Direct":         {"192.0.2.1:1", nil, "192.0.2.1"},
		"Untrusted":      {"192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1"},
		"Proxy":          {"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"ProxyIPv6":      {"[::1]:1", []string{"2001:db8::1"}, "2001:db8::1"},
		"Forged":         {"10.0.0.1:1", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		"TwoProxies":     {"10.0.0.1:1", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"TwoLines":       {"10.0.0.1:1", []string{"203.0.113.9", "198.51.100.1,10.0.0.2"}, "198.51.100.1"},
		"OnlyProxies":    {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"Nothing":        {"10.0.0.1:1", nil, "10.0.0.1"},
		"Garbage":        {"10.0.0.1:1", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		"IPv4AsIPv6":     {"[::ffff:192.0.2.1]:1", nil, "192.0.2.1"},
		"WithoutAddress": {"@", nil, "invalid IP"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = test.peer
			r.Header["X-Forwarded-For"] = test.forwarded
			if got := proxies.ClientAddr(r).String(); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
