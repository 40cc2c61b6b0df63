package config

import (
	"net/url"
	"strconv"

	"brine/door"
)

// Store is the receipt door: collectors send groups of events to it. Where neither collectors_file nor tls.client_ca
// is set, brine serve does not open it.
type Store struct {
	Addr           string   `yaml:"addr"`            // host:port, on loopback unless there is TLS; default 127.0.0.1:8082
	TLS            StoreTLS `yaml:"tls"`             // default none
	CollectorsFile string   `yaml:"collectors_file"` // hashes of the collectors' tokens, see brine collector; default ""
}

// StoreTLS is the receipt door's certificate, and who vouches for collectors.
type StoreTLS struct {
	Cert     string `yaml:"cert"`      // as of [TLS]
	Key      string `yaml:"key"`       // as of [TLS]
	ClientCA string `yaml:"client_ca"` // PEM: a client with a certificate of these is a collector; default ""
}

// Pair is the certificate and its key.
func (t StoreTLS) Pair() TLS { return TLS{Cert: t.Cert, Key: t.Key} }

// On is whether anything could come in by the receipt door.
func (s Store) On() bool { return s.CollectorsFile != "" || s.TLS.ClientCA != "" }

// Forward says where a collector sends to, and how it shows who it is: by a token, or by a certificate.
type Forward struct {
	To        []string `yaml:"to"`         // receipt doors, like https://store1.example.org:8082; default none
	TokenFile string   `yaml:"token_file"` // holds the token that brine collector add printed; default ""
	CA        string   `yaml:"ca"`         // PEM: who vouches for the stores; default "", those that the system trusts
	TLS       TLS      `yaml:"tls"`        // the collector's certificate; default none
}

func (c *Config) checkStore(d *decoder) {
	store, ok := checkAddr(d, "store.addr", c.Store.Addr)
	checkTLS(d, "store.tls", c.Store.TLS.Pair())
	d.wantFile("store.tls.client_ca", "name a file, in a folder that this user may enter", c.Store.TLS.ClientCA)
	if isFolder(c.Store.CollectorsFile) {
		d.mistake("store.collectors_file", "name a file in it; brine collector add makes it", "%s is a folder", c.Store.CollectorsFile)
	}
	if c.Store.TLS.ClientCA != "" && !c.Store.TLS.Pair().On() {
		d.mistake("store.tls.client_ca", "set store.tls.cert and store.tls.key too", "collectors show certificates over TLS alone")
	}
	if !ok {
		return
	}
	if !door.IsLoopback(store.host) && !c.Store.TLS.Pair().On() {
		d.mistake("store.addr", "set store.tls: {cert, key}, or use 127.0.0.1:"+store.port,
			"%s is not loopback, and without TLS tokens and events can be read on the way", c.Store.Addr)
	}
	if !c.Store.On() {
		return // it is not opened by brine serve
	}
	for key, other := range map[string]string{"public.addr": c.Public.Addr, "private.addr": c.Private.Addr} {
		if a, ok := splitAddr(other); ok && a.meets(store) {
			d.mistake("store.addr", "give it a port of its own", "%s has this address too", key)
		}
	}
}

func (c *Config) checkForward(d *decoder) {
	f := c.Forward
	for i, to := range f.To {
		if what := storeMistake(to); what != "" {
			d.mistake("forward.to["+strconv.Itoa(i)+"]", "like https://store1.example.org:8082", "%s", what)
		}
	}
	checkTLS(d, "forward.tls", f.TLS)
	d.wantFile("forward.ca", "name a file, in a folder that this user may enter", f.CA)
	d.wantFile("forward.token_file", "name a file, in a folder that this user may enter", f.TokenFile)
	if len(f.To) > 0 && f.TokenFile == "" && !f.TLS.On() {
		d.mistake("forward", "set forward.token_file, or forward.tls: {cert, key}", "stores take nothing without a credential")
	}
}

// storeMistake says what keeps a text from being the address of a receipt door.
func storeMistake(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || !isOriginHost(u.Hostname()):
		return "expected https://host:port"
	case u.Scheme == "http" && door.IsLoopback(u.Hostname()):
	case u.Scheme != "https":
		return "expected https: without TLS tokens and events can be read on the way"
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return "a store is scheme, host and port, and nothing else"
	}
	return ""
}
