package private_test

import (
	"io/fs"
	"testing"

	"brine/access/private"
)

func TestExposed(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/user/1/credentials/brine.service")
	for path, modes := range map[string]map[fs.FileMode]bool{
		"/etc/brine/key":                                  {0o600: false, 0o400: false, 0o440: true, 0o640: true, 0o604: true},
		"/run/credentials/brine.service/key":              {0o400: false, 0o440: false, 0o460: true, 0o450: true, 0o444: true},
		"/run/user/1/credentials/brine.service/key":       {0o440: false, 0o444: true},
		"/run/user/1/credentials/brine.service.d/key":     {0o440: true},
		"/run/credentials/../key":                         {0o440: true},
		"/run/user/1/credentials/brine.service/../../key": {0o440: true},
		"/run/credentials":                                {0o440: true},
	} {
		for mode, want := range modes {
			if got := private.Exposed(path, mode); got != want {
				t.Errorf("%s with mode %04o: %t", path, mode, got)
			}
		}
	}
}

// Where systemd hands nothing over, no folder is special.
func TestNoCredentials(t *testing.T) {
	for _, value := range []string{"", ".", "/"} {
		t.Setenv("CREDENTIALS_DIRECTORY", value)
		if private.IsCredential("key") || private.IsCredential("/etc/brine/key") {
			t.Errorf("with %q", value)
		}
	}
}
