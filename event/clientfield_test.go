package event

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestIsClientField(t *testing.T) {
	for _, name := range strings.Fields("client_ip clientIp Client-IP ClientIP ip IP ipv6 ip_address ipAddress remote_addr RemoteAddr x_forwarded_for " +
		"X-Forwarded-For x.forwarded.for true-client-ip cf-connecting-ip x-real-ip last_login_ip request_headers requestHeaders response_headers headers " +
		"user_agent User-Agent userAgent cookie Set-Cookie authorization clientIPAddress IPAddress HTTPUserAgent HTTPHeaders XRealIP XForwardedFor " +
		"userAgentString browser_user_agent_string ips IPs userIPs client_ips visitorIPAddresses ip_addresses userAgents ip_v4 clientIpV6 clientIPv4 IPv4 IPV6 user_ip4") {
		if !isClientField(name) {
			t.Errorf("%s is not seen", name)
		}
	}
	for _, name := range strings.Fields("zip ship ip_version_count recipient equip description address_book has_cookies header_color app_install_id dt via_link heading " +
		"tips toolTips tool_tips ships chips VIPs showVIPs ZIP ZIPs zips scripts descriptions recipients memberships clips_seen IPOffset shipIPO tooltip_version user_agent_count " +
		"sips4 zip4 clip_v4 agents addresses email_addresses email_address authorizations ipsum IPsec cookies_enabled agent_string userAgentless S Vs v4 _ X9 " +
		strings.Repeat("x", 200)) {
		if isClientField(name) {
			t.Errorf("%s is taken for an address or a header", name)
		}
	}
	if n := testing.AllocsPerRun(100, func() { isClientField("app_install_id") }); n != 0 {
		t.Errorf("%v allocations a name", n)
	}
}

const clientSchema = `
$schema: https://json-schema.org/draft/2020-12/schema
$id: /app/view/1.0.0
title: app/view
type: object
additionalProperties: false
properties:
  $schema: {type: string}
  dt: {type: string, format: date-time}
  client_ip: {type: string}
  http: {type: object, properties: {method: {type: string}, request_headers: {type: object, additionalProperties: {type: string}}}}
  tags: {type: object, additionalProperties: {type: string}}
  seen: {type: array, items: {type: object, properties: {name: {type: string}, ip: {type: string}}}}
  meta: {type: object, properties: {stream: {type: string}}}
`

// A client's address and headers go, wherever they stand, also where the schema has no such field;
// what the config asks for stays.
func TestClientFieldsAreRemoved(t *testing.T) {
	const src = `{"$schema":"/app/view/1.0.0","dt":"2026-11-21T13:45:01Z","client_ip":"203.0.113.7","x_forwarded_for":"203.0.113.7","http":{"method":"GET",` +
		`"request_headers":{"user-agent":"Mozilla/5.0"}},"tags":{"a":"b","X-Forwarded-For":"203.0.113.7"},"seen":[{"name":"n","ip":"203.0.113.7"}],"meta":{"stream":"view"}}`
	for _, test := range []struct {
		keep []string
		want string
	}{
		{nil, `"http":{"method":"GET"},"tags":{"a":"b"},"seen":[{"name":"n"}]`},
		{[]string{"client_ip", "ip"}, `"client_ip":"203.0.113.7","http":{"method":"GET"},"tags":{"a":"b"},"seen":[{"name":"n","ip":"203.0.113.7"}]`},
		{[]string{"request_headers", "user_agent", "x_forwarded_for"},
			`"http":{"method":"GET","request_headers":{"user-agent":"Mozilla/5.0"}},"tags":{"X-Forwarded-For":"203.0.113.7","a":"b"},"seen":[{"name":"n"}]`},
	} {
		s := streamOf(t, clientSchema, StreamConfig{Keep: test.keep})
		line := src
		if len(test.keep) == 3 { // what is kept has to be in the schema
			line = strings.Replace(src, `"x_forwarded_for":"203.0.113.7",`, ``, 1)
		}
		row, _, _, p := s.Append(nil, []byte(line), arrival())
		if p != nil {
			t.Fatal(p)
		}
		if !strings.Contains(string(row), `"$schema":"/app/view/1.0.0",`+test.want+`,"meta"`) {
			t.Errorf("%v kept gives %s, want %s", test.keep, row, test.want)
		}
	}
}

// streamOf makes a stream of one schema.
func streamOf(t testing.TB, schema string, c StreamConfig) *Stream {
	t.Helper()
	s, err := tryStream(schema, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tryStream(schema string, c StreamConfig) (*Stream, error) {
	parsed, err := ParseSchema("schema.yaml", []byte(schema))
	if err == nil {
		err = parsed.checkStored()
	}
	if err != nil {
		return nil, err
	}
	c.Name, c.Schema = "view", parsed.ID
	return (&Registry{schemas: []*Schema{parsed}}).Stream(c)
}

func TestRequiredClientField(t *testing.T) {
	schema := strings.Replace(clientSchema, "type: object\n", "type: object\nrequired: [client_ip]\n", 1)
	if _, err := tryStream(schema, StreamConfig{}); err == nil || err.Error() != "schema.yaml requires client_ip, which is removed on receipt (list it here, or take it off required)" {
		t.Error(err)
	}
	if _, err := tryStream(schema, StreamConfig{Keep: []string{"client_ip"}}); err != nil {
		t.Error(err)
	}
}

// A schema without meta and $schema is none the less sent with both, which only address the event.
func TestAddressIsNoPartOfTheEvent(t *testing.T) {
	schema := strings.Replace(strings.Replace(clientSchema, "  $schema: {type: string}\n", "", 1), "  meta: {type: object, properties: {stream: {type: string}}}\n", "", 1)
	s := streamOf(t, schema, StreamConfig{})
	row, _, _, p := s.Append(nil, []byte(`{"$schema":"/app/view/1.0.0","dt":"2026-11-21T13:45:01Z","meta":{"stream":"view","id":"a"}}`), arrival())
	if p != nil || !json.Valid(row) || strings.Contains(string(row), "view") {
		t.Errorf("row %s (%v)", row, p)
	}
}

// What is removed on receipt is no field of the stream, at any depth.
func TestFieldsWithoutClientFields(t *testing.T) {
	for keep, want := range map[string]string{
		"":          "$schema dt http http.method tags tags.* seen seen.name meta meta.stream",
		"client_ip": "$schema dt client_ip http http.method tags tags.* seen seen.name meta meta.stream",
	} {
		var paths []string
		for _, f := range streamOf(t, clientSchema, StreamConfig{Keep: strings.Fields(keep)}).Fields() {
			paths = append(paths, f.Path)
		}
		if got := strings.Join(paths, " "); got != want {
			t.Errorf("keep %q: %s, want %s", keep, got, want)
		}
	}
	if got, want := len(InteractionStream().Fields()), len(Fields(InteractionSchema())); got != want {
		t.Errorf("%d fields of interaction, want %d", got, want)
	}
}

// BenchmarkClientField is of names as apps send them.
func BenchmarkClientField(b *testing.B) {
	names := [][]byte{[]byte("$schema"), []byte("meta"), []byte("stream"), []byte("dt"), []byte("app_install_id"), []byte("session_start"), []byte("pages_viewed"), []byte("screenWidth"), []byte("languages"), []byte("is_tips_shown")}
	for b.Loop() {
		for _, name := range names {
			if isClientField(name) {
				b.Fatalf("%s is one", name)
			}
		}
	}
}
