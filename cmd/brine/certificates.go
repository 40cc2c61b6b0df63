package main

import (
	"errors"
	"time"

	"brine/config"
	"brine/door"
	"brine/eventlog/cluster"
)

// certificates are those of the doors that have one, by the door's name, and that by which a node of the log proves to be one.
type certificates map[string]*door.Certificate

// logCertificate is the name of the latter.
const logCertificate = "log"

// logAuthority is the key of who vouches for the nodes of the log.
const logAuthority = "log.tls.ca"

// openCertificates reads those that the config names for the doors of a role. What is wrong with any comes at once, as [config.Mistakes].
func openCertificates(cfg *config.Config, r role) (certificates, error) {
	all := certificates{}
	var mistakes config.Mistakes
	pairs := map[string]config.TLS{}
	if r.collects {
		pairs["public"] = cfg.Public.TLS
	}
	if r.stores {
		pairs["private"], pairs["store"] = cfg.Private.TLS, cfg.Store.TLS.Pair()
		if cfg.Log.Replicated() {
			pairs[logCertificate] = config.TLS{Cert: cfg.Log.TLS.Cert, Key: cfg.Log.TLS.Key}
		}
	}
	for name, t := range pairs {
		if !t.On() {
			continue
		}
		c, err := door.OpenCertificate(t.Cert, t.Key)
		var fault *door.Fault
		if errors.As(err, &fault) {
			mistakes = append(mistakes, tlsMistake(cfg, name, fault))
			continue
		}
		all[name] = c
	}
	if len(mistakes) > 0 {
		mistakes.Sort()
		return all, mistakes
	}
	return all, nil
}

// tlsMistake puts what is wrong with a file at the key that names it.
func tlsMistake(cfg *config.Config, name string, f *door.Fault) config.Mistake {
	return cfg.Mistake(name+".tls."+f.Key, f.What, f.Fix)
}

// checkTLS finds what is wrong with the doors' certificates, and warns of those that expire soon.
func (r *report) checkTLS(cfg *config.Config) {
	all, err := openCertificates(cfg, allRoles)
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) {
		r.Mistakes = append(r.Mistakes, mistakes...)
	}
	for name, c := range all {
		if f := c.Warning(time.Now()); f != nil {
			r.Warnings = append(r.Warnings, tlsMistake(cfg, name, f))
		}
	}
}

// Err is what is wrong with any, for the heartbeat.
func (all certificates) Err() error {
	for name, c := range all {
		if err := c.Err(); err != nil {
			return errors.New("the certificate of the " + name + " door: " + err.Error())
		}
	}
	return nil
}

// readAuthority reads a file of certificates that vouch for others.
func readAuthority(cfg *config.Config, key, path string) (*door.Authority, error) {
	a, err := door.OpenAuthority(path)
	var fault *door.Fault
	if errors.As(err, &fault) {
		return nil, cfg.Mistake(key, fault.What, fault.Fix)
	}
	return a, err
}

// openAuthority does so for as long as the house stands: a new file is taken on.
func (h *house) openAuthority(key, path string) (*door.Authority, error) {
	a, err := readAuthority(h.cfg, key, path)
	if err != nil {
		return nil, err
	}
	if h.authorities == nil {
		h.authorities = map[string]*door.Authority{}
	}
	h.authorities[key] = a
	return a, nil
}

// tlsErr is what is wrong with any certificate, of this process or of who vouches for others.
func (h *house) tlsErr() error {
	for key, a := range h.authorities {
		if err := a.Err(); err != nil {
			return errors.New(key + ": " + err.Error())
		}
	}
	return h.certificates.Err()
}

// renewAuthorities takes on who vouches for others now. Connections that are open and have nothing to do end with that: the next
// ones are judged anew.
func (h *house) renewAuthorities() {
	for key, a := range h.authorities {
		switch changed, err := a.Reload(); {
		case err != nil:
			h.logger.Error("a file of certificates is broken: what it held before stays in force", "key", key, "err", err)
		case changed:
			h.logger.Info("others are vouched for by a new file", "key", key)
			if h.forward != nil {
				h.forward.Reconnect()
			}
			if key == logAuthority {
				h.peers.Reconnect()
				h.tellRefused()
			}
		}
	}
}

// renewCertificates takes on what the files hold now; a pair that is broken leaves the one before in force.
func (h *house) renewCertificates() {
	h.renewAuthorities()
	for name, c := range h.certificates {
		switch changed, err := c.Reload(); {
		case err != nil:
			h.logger.Error("the certificate's files are broken: the certificate before stays in force", "door", name, "err", err)
		case changed:
			h.logger.Info("a new certificate is in force", "door", name, "expires", c.Expires().UTC().Format(time.DateOnly))
			if name == logCertificate {
				h.tellRefused()
			}
		}
	}
}

// tellRefused logs that the other nodes will refuse the certificate that is in force now, by the roots that are.
func (h *house) tellRefused() {
	if err := cluster.CheckTLS(clusterOptions(h.cfg, h.certificates, h.authorities[logAuthority])); err != nil {
		h.logger.Error("the node's certificate is no good", "err", err)
	}
}
