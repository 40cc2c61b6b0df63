package event

import (
	"hash/maphash"
	"strconv"
	"strings"
	"sync"

	"github.com/mileusna/useragent"
)

// UnknownAgent is the text for a part of a user agent that is not known.
const UnknownAgent = "Unknown"

const (
	maxMajor     = 9999 // a longer number is no browser's version
	unknownMajor = -1
)

// maxHeader is how much of a header is looked at. Browsers send about 120 bytes.
const maxHeader = 512

// majorOf is the number that a version begins with, if it has 1 to 4 digits; else unknownMajor.
func majorOf[T string | []byte](version T) int64 {
	n, digits := int64(0), 0
	for digits < len(version) && version[digits]-'0' <= 9 {
		if digits == 4 {
			return unknownMajor
		}
		n = n*10 + int64(version[digits]-'0')
		digits++
	}
	if digits == 0 {
		return unknownMajor
	}
	return n
}

// coarseOS and coarseBrowser say what a name of the parser library comes out as. What is not
// listed comes out as Unknown: the library takes names from the header as they stand.
var coarseOS = map[string]string{
	useragent.Windows:      "Windows",
	useragent.WindowsPhone: "Windows",
	useragent.MacOS:        "macOS",
	useragent.Linux:        "Linux",
	useragent.FreeBSD:      "FreeBSD",
	useragent.Android:      "Android",
	useragent.IOS:          "iOS",
	useragent.ChromeOS:     "ChromeOS",
	useragent.Harmony:      "HarmonyOS",
}

var coarseBrowser = map[string]string{
	useragent.Firefox:          "Firefox",
	useragent.Chrome:           "Chrome",
	useragent.HeadlessChrome:   "Chrome",
	useragent.Safari:           "Safari",
	useragent.Edge:             "Edge",
	useragent.Opera:            "Opera",
	useragent.OperaMini:        "Opera",
	useragent.OperaTouch:       "Opera",
	useragent.Vivaldi:          "Vivaldi",
	useragent.InternetExplorer: "Internet Explorer",
	useragent.SamsungBrowser:   "Samsung Internet",
	useragent.FacebookApp:      "Facebook",
	useragent.InstagramApp:     "Instagram",
	useragent.TiktokApp:        "TikTok",
	"Android browser":          "Android Browser",
	"Huawei Browser":           "Huawei Browser",
	"Miui Browser":             "Miui Browser",
	"UCBrowser":                "UC Browser",
	"YaBrowser":                "Yandex Browser",
	"DuckDuckGo":               "DuckDuckGo",
	"Brave":                    "Brave",
	"Whale":                    "Whale",
	"Silk":                     "Silk",
}

// CoarseUserAgent makes a User-Agent header coarse: the family of the operating system, the
// family of the browser and its major number, each "Unknown" where it is not known. A robot
// comes out as the browser "Bot". What it returns satisfies the rules of an interaction's
// user_agent and holds no part of the header.
func CoarseUserAgent(header string) UserAgent {
	parsed := useragent.Parse(header[:min(len(header), maxHeader)])
	coarse := UserAgent{
		OS:      nameOr(coarseOS, parsed.OS),
		Browser: nameOr(coarseBrowser, parsed.Name),
		Version: UnknownAgent,
	}
	switch {
	case coarse.Browser != UnknownAgent:
		coarse.Version = majorText(majorOf(parsed.Version))
	case parsed.Bot:
		coarse.Browser = "Bot"
	}
	return coarse
}

func nameOr(names map[string]string, name string) string {
	if coarse, ok := names[strings.TrimSpace(name)]; ok {
		return coarse
	}
	return UnknownAgent
}

func majorText(major int64) string {
	if major == unknownMajor {
		return UnknownAgent
	}
	return strconv.FormatInt(major, 10)
}

// UserAgents is a [CoarseUserAgent] that remembers. It knows headers only by a hash whose
// seed is made anew with each UserAgents, and holds at most twice as many as it was made for.
type UserAgents struct {
	seed maphash.Seed
	max  int

	mu          sync.Mutex
	young, aged map[uint64]UserAgent // aged are looked up still, and go when young is full
}

// NewUserAgents makes a cache for max headers.
func NewUserAgents(max int) *UserAgents {
	return &UserAgents{seed: maphash.MakeSeed(), max: max, young: make(map[uint64]UserAgent)}
}

// Coarse is [CoarseUserAgent]. It can be called from several goroutines.
func (c *UserAgents) Coarse(header string) UserAgent {
	sum := maphash.String(c.seed, header)
	if known, ok := c.find(sum); ok {
		return known
	}
	coarse := CoarseUserAgent(header)
	c.add(sum, coarse)
	return coarse
}

func (c *UserAgents) find(sum uint64) (UserAgent, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.young[sum]; ok {
		return known, true
	}
	known, ok := c.aged[sum]
	if ok {
		c.put(sum, known)
	}
	return known, ok
}

func (c *UserAgents) add(sum uint64, coarse UserAgent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(sum, coarse)
}

func (c *UserAgents) put(sum uint64, coarse UserAgent) {
	if len(c.young) >= c.max {
		c.aged, c.young = c.young, make(map[uint64]UserAgent)
	}
	c.young[sum] = coarse
}

// appendUserAgent appends the user_agent that the event has, or else that of its arrival, or
// none where that is not known either, as in an import.
func (x *interaction) appendUserAgent(b []byte) []byte {
	switch {
	case x.has&fieldUserAgent != 0:
		b = append(b, `,"user_agent":{"os":"`...)
		b = append(b, x.os...)
		b = append(b, `","browser":"`...)
		b = append(b, x.browser...)
		b = append(b, `","version":"`...)
		if x.version == unknownMajor {
			b = append(b, UnknownAgent...)
		} else {
			b = strconv.AppendInt(b, x.version, 10)
		}
	case x.arrival.UserAgent != UserAgent{}:
		agent := &x.arrival.UserAgent
		b = append(b, `,"user_agent":{"os":"`...)
		b = append(b, agent.OS...)
		b = append(b, `","browser":"`...)
		b = append(b, agent.Browser...)
		b = append(b, `","version":"`...)
		b = append(b, agent.Version...)
	default:
		return b
	}
	return append(b, `"}`...)
}
