package canary_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/canary"
	"brine/event"
)

// One credential has 16 names: another has its own, a name is free once its collector leaves, or a day after its last canary.
func TestOneCredential(t *testing.T) {
	now := time.Now()
	n := &canary.Names{Now: func() time.Time { return now }}
	send := func(credential, name string, leaving bool) error {
		return n.Admit(func() string { return credential }, event.Record{Dataset: "canary", Stream: canary.Stream,
			Row: fmt.Appendf(nil, `{"collector":%q,"sent":1795268400000,"leaving":%t}`, name, leaving)})
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	refused := func(err error) {
		t.Helper()
		if !errors.Is(err, canary.ErrNames) {
			t.Errorf("one name too many: %v", err)
		}
	}
	for i := range 16 {
		must(send("token web1", fmt.Sprintf("pod-%d", i), false))
	}
	must(send("token web1", "pod-3", false))
	refused(send("token web1", "pod-16", false))
	must(send("token web2", "pod-16", false))
	must(send("token web1", "pod-3", true))
	must(send("token web1", "pod-16", false))
	refused(send("token web1", "pod-17", false))
	now = now.Add(23 * time.Hour)
	must(send("token web1", "pod-5", false))
	refused(send("token web1", "pod-17", false))
	now = now.Add(2 * time.Hour)
	must(send("token web1", "pod-17", false))
	if err := send("token web1", strings.Repeat("x", 65), false); err == nil {
		t.Error("a name that is none was taken")
	}
	asked := func() string { t.Error("an event's credential was asked for"); return "" }
	must(n.Admit(asked, event.Record{Dataset: "raw", Stream: "interaction", Row: []byte(`{}`)}))
}
