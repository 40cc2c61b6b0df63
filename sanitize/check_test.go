package sanitize

import (
	"slices"
	"strings"
	"testing"

	"brine/event"
)

const sessionSchema = `
$schema: http://json-schema.org/draft-07/schema#
type: object
properties:
  dt: {type: string, format: date-time}
  app_install_id: {type: string, pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'}
  device: {type: string, format: uuid}
  wikis: {type: array, items: {type: string}}
  length_ms: {type: integer}
  share: {type: number}
  is_anon: {type: boolean}
  os: {type: string}
  meta: {type: object, properties: {dt: {type: string, format: date-time}, id: {type: string}, domain: {type: string}}}
  steps: {type: array, items: {type: object, properties: {name: {type: string}, token: {type: string}}}}
  extra: {type: object, additionalProperties: {type: string}}
`

func someStreams(t *testing.T) map[string]*event.Stream {
	return map[string]*event.Stream{
		"app_session":     mustStream(t, "app_session", sessionSchema),
		"app_interaction": mustStream(t, "app_interaction", sessionSchema),
		"interaction":     event.InteractionStream(),
	}
}

// Each pair is an allowlist and all that is said of it; app_interaction is dropped in every one.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ list, says string }{
		{"app_session: {length_ms: keep}", ``},
		{"app_session:\n  appInstallID: hash", `2: app_session.appInstallID: no schema of this stream has it (did you mean app_install_id?)`},
		{"app_session:\n  zzz: keep", `2: app_session.zzz: no schema of this stream has it (there are dt, app_install_id, device, wikis, length_ms, share, is_anon, os, meta, steps, extra)`},
		{"app_session:\n  length_ms:keep", `2: length_ms: the space after the colon is missing (write length_ms: and then a space)`},
		{"app_session:\n  length_ms: keep\n  os:keep # why\n", `3: os: the space after the colon is missing (write os: and then a space)`},
		{"app_session: {length_ms:keep}", ``}, // within { } it is read as it was meant
		{"app_session:\n  os: keep\n  os: drop", `3: app_session.os: listed twice (it stands in line 2 already: make one of the two)`},
		{"app_session:\n  os: kepe", `2: app_session.os: unknown rule "kepe" (did you mean keep?)`},
		{"app_session:\n  os: hashPerStream", `2: app_session.os: unknown rule "hashPerStream" (did you mean hash_per_stream?)`},
		{"app_session:\n  os: floor", `2: app_session.os: unknown rule "floor" (it says how much, like {floor: 1h})`},
		{"app_session:\n  os:", `2: app_session.os: a rule without a value (say keep, hash, drop or another rule, or list fields below it)`},
		{"app_session:\n  os: [keep]", `2: app_session.os: a list is no rule (like {only: [a, b]} or {bucket: [1, 5, 100]})`},
		{"app_session:\n  os: &a keep", `2: app_session.os: YAML anchors, aliases and tags are not read here (write the rule out)`},
		{"app_session:\n  dt: {floor: 5m}", `2: app_session.dt: no time to floor to (10m, 1h or 1d)`},
		{"app_session:\n  os: {floor: 1h}", `2: app_session.os: floor fits times, and this is a string of which no schema says format: date-time (say so in the schema, or say keep, hash, only or drop)`},
		{"app_session:\n  length_ms: {bucket: [5, 1]}", `2: app_session.length_ms: 1 does not lie above 5 (ascending numbers, like {bucket: [1, 5, 100]})`},
		{"app_session:\n  length_ms: {bucket: 5}", `2: app_session.length_ms: bucket needs a list (like {bucket: [1, 5, 100]})`},
		{"app_session:\n  length_ms: {bucket: [x]}", `2: app_session.length_ms: "x" is no number (ascending numbers, like {bucket: [1, 5, 100]})`},
		{"app_session:\n  os: {bucket: [1]}", `2: app_session.os: bucket fits numbers, and this is a string (say keep, hash, only or drop)`},
		{"app_session:\n  os: {only: ['*']}", `2: app_session.os: * would keep every value (say keep)`},
		{"app_session:\n  os: {only: ['*OS']}", `2: app_session.os: "*OS": a * may only stand at the end (a prefix is like "screen.*")`},
		{"app_session:\n  length_ms: {only: [1]}", `2: app_session.length_ms: only fits strings, arrays of strings, and arrays of tuples that begin with a string, and this is an integer (say keep, bucket or drop)`},
		{"app_session:\n  share: hash", `2: app_session.share: hash fits strings, integers and arrays of them, and this is a number (say bucket: [1, 10, 100], keep or drop)`},
		{"app_session:\n  steps: keep", `2: app_session.steps: keep fits a value, and this is an array of objects (list the fields of it that may stay)`},
		{"app_session:\n  steps: keep_all", `2: app_session.steps: keep_all is not allowed here, since it lets through what later versions of a schema add (list the fields, or set allow_keep_all: true in the config)`},
		{"app_session:\n  os: {x: keep}", `2: app_session.os: it is a string, which has no fields to list (say keep, hash, floor, bucket, only or drop)`},
		{"app_session:\n  extra: {a: keep, A: keep}", `2: app_session.extra.A: keys that differ only by case cannot stand side by side (list one of them)`},
		{"app_session:\n  meta: {}", `2: app_session.meta: nothing is listed (list fields below it, or drop it)`},
		{"app_session: hash", `1: app_session: hash does not fit a stream (list its fields)`},
		{"app_session: {os: [", `1: not YAML: sequence end token ']' not found`},
		{"- app_session", `1: expected streams and their fields, like app_session: {length_ms: keep}`},
		{"app_session: {os: keep}\n---\nx: {y: keep}", `3: a second YAML document (put all streams into one)`},
		{"__defaults__:\n  os: {bucket: [1]}\napp_session: {length_ms: keep}", `2: __defaults__.os: for the stream app_session: bucket fits numbers, and this is a string (say keep, hash, only or drop)`},
		{"__defaults__:\n  oss: drop\napp_session: {length_ms: keep}", `warning 2: __defaults__.oss: no listed stream of the config has it (mend the name, or take it off)`},
		{"__defaults__: keep\napp_session: {length_ms: keep}", `1: __defaults__: fields and their rules were expected (like __defaults__: {dt: {floor: 1h}})`},
		{"app_session:\n  dt: keep", `warning 2: app_session.dt: a time finer than 10 minutes, and the rule is keep (say {floor: 10m}, or coarser)`},
		{"app_session:\n  app_install_id: keep", `warning 2: app_session.app_install_id: it looks like an identifier (its schema takes UUIDs), and the rule is keep (say hash, hash_per_stream or drop, unless it tells nobody apart)`},
		{"app_session:\n  device: keep", `warning 2: app_session.device: it looks like an identifier (its schema takes UUIDs), and the rule is keep (say hash, hash_per_stream or drop, unless it tells nobody apart)`},
		{"app_session:\n  steps:\n    token: keep", `warning 3: app_session.steps.token: it looks like an identifier (its name), and the rule is keep (say hash, hash_per_stream or drop, unless it tells nobody apart)`},
		{"app_sesion: {os: keep}\napp_session: drop", `warning 1: app_sesion: the config has no such stream: nothing of it is checked or kept (did you mean app_session?)`},
		{"interaction: {id: keep}\napp_session: drop", `warning 1: interaction.id: it looks like an identifier (a UUID), and the rule is keep (say hash, hash_per_stream or drop, unless it tells nobody apart)`},
		{"__defaults__: {dt: drop}", `warning : app_session: not listed: nothing of it outlives the raw window (list its fields, or say app_session: drop)`},
	} {
		list := Parse("list.yaml", []byte(c.list))
		if !strings.Contains(c.says, "not YAML") && !strings.Contains(c.says, "space after") && !strings.Contains(c.says, "second") {
			list.streams = append(list.streams, &node{name: "app_interaction", rule: Rule{Kind: Drop}})
		}
		var got []string
		mistakes, warnings := Check(list, someStreams(t), Options{})
		for _, f := range mistakes {
			got = append(got, strings.TrimPrefix(f.String(), "list.yaml:"))
		}
		for _, f := range warnings {
			got = append(got, "warning "+strings.TrimPrefix(f.String(), "list.yaml:"))
		}
		// Where the list itself is broken it says nothing of app_session, which then is told as well.
		got = slices.DeleteFunc(got, func(s string) bool {
			return len(mistakes) > 0 && strings.Contains(s, "not listed")
		})
		slices.Sort(got)
		if strings.ReplaceAll(strings.Join(got, "\n"), "warning  ", "warning : ") != c.says {
			t.Errorf("%s\n got %s\nwant %s", c.list, strings.Join(got, "\n"), c.says)
		}
	}
}

// Whatever is wrong, there is no plan.
func TestCompileRefuses(t *testing.T) {
	_, err := Compile(someStreams(t)["app_session"], Parse("list.yaml", []byte("other:\n  a: kep\napp_session: {os: keep}")), Options{})
	if err == nil || !strings.Contains(err.Error(), `list.yaml:2: other.a: unknown rule "kep"`) {
		t.Errorf("a list with a mistake elsewhere was followed: %v", err)
	}
}

func TestJoins(t *testing.T) {
	list := Parse("list.yaml", []byte(`
app_session: {app_install_id: hash, length_ms: keep, os: keep, dt: {floor: 1h}}
app_interaction: {app_install_id: hash, is_anon: keep}
`))
	joins := Joins(list, someStreams(t), Options{})
	if len(joins) != 1 || !slices.Equal(joins[0].Streams, []string{"app_interaction", "app_session"}) || !slices.Equal(joins[0].Units, []string{"app_install_id"}) {
		t.Fatalf("%+v", joins)
	}
	want := []JoinField{
		{"app_interaction.app_install_id", "hash", "hash_per_stream"}, {"app_interaction.is_anon", "keep", ""},
		{"app_session.dt", "floor: 1h", ""}, {"app_session.app_install_id", "hash", "hash_per_stream"},
		{"app_session.length_ms", "keep", "bucket"}, {"app_session.os", "keep", "only"},
	}
	if !slices.Equal(joins[0].Together, want) {
		t.Errorf("\n got %v\nwant %v", joins[0].Together, want)
	}
	_, warnings := Check(list, someStreams(t), Options{})
	if len(warnings) != 2 || !strings.Contains(warnings[0].String(), "list.yaml:2: app_session.app_install_id: hashed the same way as in app_interaction") {
		t.Errorf("%v", warnings)
	}
	apart := Parse("list.yaml", []byte("app_session: {app_install_id: hash_per_stream}\napp_interaction: {app_install_id: hash}"))
	if joins := Joins(apart, someStreams(t), Options{}); len(joins) > 0 {
		t.Errorf("%+v", joins)
	}
}

func TestDiff(t *testing.T) {
	old := Parse("old.yaml", []byte("__defaults__: {dt: {floor: 1h}}\napp_session: {os: keep, length_ms: keep, meta: keep_all}\ninteraction: {dialog: keep}"))
	new := Parse("new.yaml", []byte("app_session: {dt: {floor: 1d}, os: {only: [iOS]}, share: keep, meta: {domain: keep}}\napp_interaction: {os: keep}\ninteraction: drop"))
	want := []Change{
		{"app_interaction", "", "listed", true}, {"app_interaction.os", "", "keep", true},
		{"app_session.dt", "floor: 1h", "floor: 1d", false}, {"app_session.length_ms", "keep", "", false},
		{"app_session.meta.dt", "keep", "", false}, {"app_session.meta.id", "keep", "", false},
		{"app_session.os", "keep", `only: ["iOS"]`, false}, {"app_session.share", "", "keep", true},
		{"interaction", "listed", "", false}, {"interaction.dialog", "keep", "", false},
	}
	if got := Diff(old, new, someStreams(t), Options{AllowKeepAll: true}); !slices.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
	if got := Diff(old, old, someStreams(t), Options{AllowKeepAll: true}); len(got) > 0 {
		t.Errorf("from itself: %v", got)
	}
}

// The production list of another system is told what has no counterpart here.
func TestCheckRealList(t *testing.T) {
	list, err := Load("../../shared/realdata/allowlist-real.yaml")
	if err != nil {
		t.Skip("skipped: ../shared is not here")
	}
	list.File = "real.yaml"
	mistakes, warnings := Check(list, realStreams(t), Options{})
	said := mistakes.Error() + "\n" + warnings.Error()
	for _, want := range []string{
		"real.yaml:558: app_donor_experience.geocoded_data: no schema of this stream has it (places made from addresses: Brine stores no address",
		"real.yaml:556: app_donor_experience.user_agent_map: no schema of this stream has it (made from the User-Agent header",
		"real.yaml:14: CentralNoticeBannerHistory.event: this looks like a list for another system, here and in other streams (in other systems an event's own fields stand below event;",
		"real.yaml:13: CentralNoticeBannerHistory: the config has no such stream: nothing of it is checked or kept (a stream's name is of a-z, 0-9 and _, like central_notice_banner_history)",
		"real.yaml:126: Kartographer.event.userToken: it looks like an identifier (its name), and the rule is keep",
		"real.yaml:545: app_donor_experience.dt: a time finer than 10 minutes",
		"real.yaml:554: app_donor_experience.app_install_id: hashed the same way as in ios_edit_interaction",
		"real.yaml:3: __defaults__.recvfrom: no listed stream of the config has it (from the capsule",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %s", want)
		}
	}
	if len(mistakes) != 2 {
		t.Errorf("%d mistakes:\n%v", len(mistakes), mistakes)
	}
	plan, err := Compile(realStreams(t)["ios_edit_interaction"], list, Options{})
	if err != nil || !plan.NeedsSalt() || len(plan.Columns) != 10 {
		t.Errorf("ios_edit_interaction: %v, %v", plan, err)
	}
}

// realStreams are streams of the real schemas, named as the real list has them.
func realStreams(t *testing.T) map[string]*event.Stream {
	t.Helper()
	registry, err := event.LoadRegistry("../../shared/realdata/schemas")
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string]*event.Stream{"interaction": event.InteractionStream()}
	for name, schema := range map[string]string{
		"app_session": "app_session", "app_donor_experience": "app_interaction", "ios_edit_interaction": "app_interaction",
	} {
		s, err := registry.Stream(event.StreamConfig{Name: name, Schema: "/analytics/mobile_apps/" + schema, Time: "dt"})
		if err != nil {
			t.Fatal(err)
		}
		streams[name] = s
	}
	return streams
}

// What ships keeps all but the id, when it was received and the height of the screen, and is judged as any list is.
func TestShipped(t *testing.T) {
	streams := map[string]*event.Stream{"interaction": event.InteractionStream()}
	mistakes, warnings := Check(Parse(ShippedFile, Shipped()), streams, Options{AllowKeepAll: true})
	if len(mistakes)+len(warnings) > 0 {
		t.Errorf("%v\n%v", mistakes, warnings)
	}
	for _, list := range []*Allowlist{nil, Parse("list.yaml", []byte("__defaults__: {id: keep}\nother: {id: keep}"))} {
		plan, err := Compile(streams["interaction"], list, Options{})
		if err != nil || plan.NeedsSalt() {
			t.Fatal(err)
		}
		var names []string
		for _, c := range plan.Columns {
			names = append(names, c.Name)
		}
		want := "timestamp event_stream email_type number_emails number_sites_logged_in new_account language screen_size sample_rate user_agent dialog release experiments"
		if got := strings.Join(names, " "); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	own, err := Compile(streams["interaction"], Parse("list.yaml", []byte("interaction: drop")), Options{})
	if err != nil || own.Listed {
		t.Errorf("interaction: drop leaves %v, %v", own, err)
	}
}

// A digest changes with what is kept, and with nothing else.
func TestDigest(t *testing.T) {
	digest := func(text string) string {
		plan, err := Compile(someStreams(t)["app_session"], Parse("list.yaml", []byte(text)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return plan.Digest()
	}
	one := digest("app_session: {os: keep, length_ms: {bucket: [1, 5]}}")
	for _, same := range []string{
		"# why\napp_session:\n  length_ms:\n    bucket: [1, 5.0]\n  os: keep\n",
		"other: {x: keep}\n__defaults__: {nowhere: keep, os: keep}\napp_session: {length_ms: {bucket: [1, 5]}}",
		"app_session: {os: keep, share: drop, length_ms: {bucket: [1, 5]}}",
	} {
		if digest(same) != one {
			t.Errorf("another digest for %s", same)
		}
	}
	for _, other := range []string{"app_session: {os: keep, length_ms: {bucket: [1, 6]}}", "app_session: {os: keep}", "app_session: drop"} {
		if digest(other) == one {
			t.Errorf("the same digest for %s", other)
		}
	}
}
