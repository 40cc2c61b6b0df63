package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"brine/canary"
	"brine/config"
	"brine/door"
	"brine/forward"
	"brine/intake"
)

// collectCmd is the public door without a store behind it.
type collectCmd struct {
	dataFlag
}

// Help is shown below the flags.
func (*collectCmd) Help() string {
	return `Opens the public door, and sends what it takes to the stores of forward.to. A client is told that its events are stored when a store has
said so. A collector keeps no event and opens no salt.

Example:
  brine collect --config /etc/brine/brine.yaml`
}

// Run serves.
func (c *collectCmd) Run(g *globals) error {
	cfg, registry, err := c.load()
	if err != nil {
		return err
	}
	return serveAs(g, cfg, registry, houseOptions{role: collector})
}

// groupsOnTheWay is how many groups a collector has on the way at a time.
const groupsOnTheWay = 4

// openCollector opens what a collector has: a folder for its socket, sample rates and policies, the way to the stores, and the
// public door. No salt, token of a reader, log or lake is opened.
func (h *house) openCollector(ctx context.Context) (err error) {
	if h.data, err = openFolders(h.cfg.Data, tmpFolder); err != nil {
		return err
	}
	h.onClose(h.data.Close)
	h.sanitizer = newSanitizer(h.cfg, h.streams, nil, nil, h.logger) // for the policy page
	if ca := h.cfg.Forward.CA; ca != "" {
		if _, err := h.openAuthority("forward.ca", ca); err != nil {
			return err
		}
	}
	secure, err := forwardTLS(h.cfg, h.authorities["forward.ca"])
	if err != nil {
		return err
	}
	h.forward, err = forward.Open(ctx, forward.Options{To: h.cfg.Forward.To, TokenFile: h.cfg.Forward.TokenFile, TLS: secure, Logger: h.logger})
	if err != nil {
		return err
	}
	h.onClose(h.forward.Close)
	h.openPublished(ctx)
	if err := h.openIntake(); err != nil {
		return err
	}
	h.openCanary(h.forward.Append, h.forward.Ahead)
	return nil
}

// forwardTLS says whom a collector trusts now, and what it shows. Without an authority it is whom the system trusts.
func forwardTLS(cfg *config.Config, ca *door.Authority) (func() *tls.Config, error) {
	f := cfg.Forward
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.TLS.On() {
		own, err := door.OpenCertificate(f.TLS.Cert, f.TLS.Key)
		var fault *door.Fault
		if errors.As(err, &fault) {
			return nil, cfg.Mistake("forward.tls."+fault.Key, fault.What, fault.Fix)
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			_, _ = own.Reload() // it may have been renewed; where the files are broken the one before is shown
			return own.InForce(), nil
		}
	}
	return func() *tls.Config {
		now := t.Clone()
		if ca != nil {
			now.RootCAs = ca.Pool()
		}
		return now
	}, nil
}

// checkForward finds what is wrong with the files of the way between collectors and stores.
func (r *report) checkForward(cfg *config.Config) {
	var m config.Mistake
	if _, err := forwardTLS(cfg, nil); errors.As(err, &m) {
		r.Mistakes = append(r.Mistakes, m)
	}
	for key, ca := range map[string]string{"forward.ca": cfg.Forward.CA, "store.tls.client_ca": cfg.Store.TLS.ClientCA} {
		if ca == "" {
			continue
		}
		if _, err := readAuthority(cfg, key, ca); errors.As(err, &m) {
			r.Mistakes = append(r.Mistakes, m)
		}
	}
}

// doorStats are the counters of the public door, where there is one.
func (h *house) doorStats() *intake.Snapshot {
	if h.intake == nil {
		return nil
	}
	stats := h.intake.Stats()
	return &stats
}

func (h *house) collectorStatus() status {
	st := status{Serving: true, Ready: true, Door: h.doorStats(), Stores: h.forward.Stores(), Published: newTotalsStatus(h.edition(), nil)}
	if err := h.canaryErr(); err != nil {
		st.Canary = err.Error()
	}
	if err := h.storable(); err != nil {
		st.Ready, st.Reason = false, err.Error()
	}
	if err := h.configErr(); err != nil {
		st.Config = err.Error()
	}
	return st
}

func (s status) printStores(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STORE\tROUND TRIP\tTHIS CLOCK\tSTATE")
	for _, store := range s.Stores {
		state := "well"
		if store.Error != "" {
			state = store.Error
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", store.Host, store.Trip.Round(10*time.Microsecond), canary.OffText(store.Ahead), state)
	}
	if s.Canary != "" {
		fmt.Fprintf(w, "\nCANARY: %s\n", s.Canary)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	s.Published.print(to)
	return nil
}
