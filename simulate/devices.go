package simulate

// device is what a person holds or sits at: everything that hangs together.
type device struct {
	os, browser string
	versions    []choice[string]
	screens     []choice[screen]
	pace        float64 // how long this device makes things take
}

type screen struct{ width, height int }

func (d device) mobile() bool { return d.os == "Android" || d.os == "iOS" }

// devices has the browsers that the audience uses, and how many of it use each.
var devices = []choice[device]{
	{0.295, device{"Windows", "Chrome", chromium, desktops, 1}},
	{0.205, device{"Android", "Chrome", chromium, androids, 1.30}},
	{0.190, device{"iOS", "Safari", safari, iPhones, 1.22}},
	{0.075, device{"Windows", "Edge", chromium, desktops, 1}},
	{0.062, device{"macOS", "Safari", safari, macs, 0.95}},
	{0.055, device{"macOS", "Chrome", chromium, macs, 0.95}},
	{0.038, device{"Windows", "Firefox", firefox, desktops, 1}},
	{0.025, device{"Android", "Samsung Internet", samsung, androids, 1.32}},
	{0.016, device{"Linux", "Firefox", firefox, desktops, 0.92}},
	{0.014, device{"iOS", "Safari", safari, iPads, 1.15}},
	{0.013, device{"ChromeOS", "Chrome", chromium, chromebooks, 1.1}},
	{0.012, device{"Linux", "Chrome", chromium, desktops, 0.92}},
}

var (
	chromium = []choice[string]{{0.62, "156"}, {0.22, "155"}, {0.07, "154"}, {0.05, "150"}, {0.04, "138"}}
	firefox  = []choice[string]{{0.60, "152"}, {0.18, "151"}, {0.16, "140"}, {0.06, "128"}}
	safari   = []choice[string]{{0.58, "26"}, {0.29, "18"}, {0.09, "17"}, {0.04, "16"}}
	samsung  = []choice[string]{{0.70, "31"}, {0.22, "30"}, {0.08, "29"}}
)

var (
	desktops = []choice[screen]{
		{0.44, screen{1920, 1080}}, {0.17, screen{1536, 864}}, {0.13, screen{1366, 768}}, {0.12, screen{2560, 1440}},
		{0.07, screen{1440, 900}}, {0.04, screen{3840, 2160}}, {0.03, screen{1280, 720}},
	}
	macs = []choice[screen]{
		{0.36, screen{1440, 900}}, {0.30, screen{1512, 982}}, {0.18, screen{1728, 1117}}, {0.16, screen{2560, 1440}},
	}
	androids = []choice[screen]{
		{0.34, screen{360, 800}}, {0.28, screen{412, 915}}, {0.18, screen{393, 873}}, {0.12, screen{384, 832}}, {0.08, screen{800, 1280}},
	}
	iPhones = []choice[screen]{
		{0.38, screen{390, 844}}, {0.27, screen{393, 852}}, {0.15, screen{430, 932}}, {0.12, screen{375, 812}}, {0.08, screen{375, 667}},
	}
	iPads       = []choice[screen]{{0.45, screen{820, 1180}}, {0.35, screen{810, 1080}}, {0.20, screen{1024, 1366}}}
	chromebooks = []choice[screen]{{0.75, screen{1366, 768}}, {0.25, screen{1920, 1080}}}
)

// languages has what the audience reads.
var languages = []choice[string]{
	{0.36, "en-US"}, {0.11, "de"}, {0.09, "en-GB"}, {0.085, "es"}, {0.08, "fr"}, {0.075, "pt-BR"}, {0.045, "it"},
	{0.04, "pl"}, {0.035, "nl"}, {0.025, "ru"}, {0.02, "ja"}, {0.015, "sv"}, {0.01, "zh-TW"}, {0.01, "cs"},
}
