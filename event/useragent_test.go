package event

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

var headers = []struct {
	name, header string
	want         UserAgent
}{
	{"Firefox on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0", UserAgent{"Windows", "Firefox", "132"}},
	{"Firefox on Linux", "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", UserAgent{"Linux", "Firefox", "128"}},
	{"Firefox on Android", "Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0", UserAgent{"Android", "Firefox", "131"}},
	{"Firefox on iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/131.0 Mobile/15E148 Safari/605.1.15", UserAgent{"iOS", "Firefox", "131"}},
	{"Chrome on Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36", UserAgent{"Windows", "Chrome", "130"}},
	{"Chrome on macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36", UserAgent{"macOS", "Chrome", "130"}},
	{"Chrome on a phone", "Mozilla/5.0 (Linux; Android 13; SM-G991B Build/TP1A.220624.014) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.6668.100 Mobile Safari/537.36", UserAgent{"Android", "Chrome", "129"}},
	{"Chrome on ChromeOS", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36", UserAgent{"ChromeOS", "Chrome", "130"}},
	{"Chrome without a head", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/130.0.0.0 Safari/537.36", UserAgent{"Linux", "Chrome", "130"}},
	{"Safari on macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15", UserAgent{"macOS", "Safari", "18"}},
	{"Safari on iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", UserAgent{"iOS", "Safari", "18"}},
	{"Safari on iPad", "Mozilla/5.0 (iPad; CPU OS 16_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1", UserAgent{"iOS", "Safari", "16"}},
	{"Edge", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.2849.68", UserAgent{"Windows", "Edge", "130"}},
	{"Opera", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36 OPR/114.0.0.0", UserAgent{"Windows", "Opera", "114"}},
	{"Samsung", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36", UserAgent{"Android", "Samsung Internet", "26"}},
	{"Internet Explorer", "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.1; Trident/6.0)", UserAgent{"Windows", "Internet Explorer", "10"}},
	{"an app's own browser", "Mozilla/5.0 (Linux; Android 12; Pixel 6) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 JaneDoesApp/7.12", UserAgent{"Android", "Unknown", "Unknown"}},
	{"Googlebot", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", UserAgent{"Unknown", "Bot", "Unknown"}},
	{"a robot with an address", "examplebot/1.0 (+https://example.org/bot; jane@example.org)", UserAgent{"Unknown", "Bot", "Unknown"}},
	{"curl", "curl/8.5.0", UserAgent{"Unknown", "Unknown", "Unknown"}},
	{"nothing", "", UserAgent{"Unknown", "Unknown", "Unknown"}},
	{"a name", "Jane Doe", UserAgent{"Unknown", "Unknown", "Unknown"}},
	{"a version that is a serial number", "Mozilla/5.0 (Windows NT 10.0) Firefox/1234567890", UserAgent{"Windows", "Firefox", "Unknown"}},
	{"a version that is text", "Mozilla/5.0 (Windows NT 10.0) Firefox/jane", UserAgent{"Windows", "Firefox", "Unknown"}},
	{"control characters", "\x00\x01\n\r\t\x7f\"\\</script>\xff\xfe", UserAgent{"Unknown", "Unknown", "Unknown"}},
	{"10 kB", strings.Repeat("A/1 (", 2000), UserAgent{"Unknown", "Unknown", "Unknown"}},
}

func TestCoarseUserAgent(t *testing.T) {
	cache := NewUserAgents(4)
	for _, test := range headers {
		t.Run(test.name, func(t *testing.T) {
			for range 2 {
				if got := cache.Coarse(test.header); got != test.want {
					t.Errorf("%+v, want %+v", got, test.want)
				}
			}
			checkCoarse(t, CoarseUserAgent(test.header))
		})
	}
}

// checkCoarse sees that a user agent is one that an interaction may have, and is no other
// than the tables list.
func checkCoarse(t *testing.T, agent UserAgent) {
	a := arrival()
	a.UserAgent = agent
	row, _, _, p := AppendInteraction(nil, []byte(blob("")), a)
	if p != nil {
		t.Fatal(p)
	}
	again, _, _, p := AppendInteraction(nil, []byte(blob(`"user_agent":`+fieldOfRow(row, "user_agent"))), a)
	if p != nil || string(again) != string(row) {
		t.Errorf("%+v is no user agent of an interaction: %v", agent, p)
	}
	listed := func(names map[string]string, name string) bool {
		for _, known := range names {
			if name == known {
				return true
			}
		}
		return name == UnknownAgent
	}
	if !listed(coarseOS, agent.OS) || !listed(coarseBrowser, agent.Browser) && agent.Browser != "Bot" {
		t.Errorf("%+v is not of the tables", agent)
	}
}

func FuzzCoarseUserAgent(f *testing.F) {
	for _, test := range headers {
		f.Add(test.header)
	}
	f.Fuzz(func(t *testing.T, header string) { checkCoarse(t, CoarseUserAgent(header)) })
}

func TestUserAgentsAreBounded(t *testing.T) {
	const max = 100
	cache := NewUserAgents(max)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				cache.Coarse("Mozilla/5.0 (Windows NT 10.0) Firefox/" + strconv.Itoa(g*1000+i))
			}
		})
	}
	wg.Wait()
	if n := len(cache.young) + len(cache.aged); n > 2*max {
		t.Errorf("%d headers are remembered, want at most %d", n, 2*max)
	}
}

func BenchmarkUserAgents(b *testing.B) {
	cache := NewUserAgents(1000)
	b.ReportAllocs()
	for b.Loop() {
		cache.Coarse(headers[0].header)
	}
}
