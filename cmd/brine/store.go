package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"brine/access/collectors"
	"brine/canary"
	"brine/event"
	"brine/intake"
	"brine/lake"
)

// storeCmd is all but the public door.
type storeCmd struct {
	dataFlag
	AcceptClock bool `help:"The clock has been looked at and is right, although it went back or jumped."`
}

// Help is shown below the flags.
func (*storeCmd) Help() string {
	return `Opens the receipt door (collectors send events) and the private door (events are read), and works on what is stored. Collectors are
let in by store.collectors_file, see brine collector, or by store.tls.client_ca.

Example:
  brine store --config /etc/brine/brine.yaml`
}

// Run serves.
func (c *storeCmd) Run(g *globals) error {
	cfg, registry, err := c.load()
	if err != nil {
		return err
	}
	if !cfg.Store.On() {
		return cfg.Mistake("store", "no collector could send to this store", "set store.collectors_file, or store.tls: {cert, key, client_ca}")
	}
	return serveAs(g, cfg, registry, houseOptions{role: storer, acceptClock: c.AcceptClock})
}

// openReceipt makes the receipt door.
func (h *house) openReceipt() error {
	h.receipt = &intake.Receipt{
		Append: h.appendAs,
		Forget: h.forget, Ready: h.ready.Err, Totals: h.serveEdition, Logger: h.logger,
		Known: func(dataset, stream string) bool {
			_, ok := h.streams[stream]
			return dataset == lake.Canary && stream == canary.Stream || ok && (dataset == event.DatasetRaw || dataset == event.DatasetRejected)
		},
	}
	h.receipt.Admits = new(canary.Names).Admit
	if ca := h.cfg.Store.TLS.ClientCA; ca != "" {
		a, err := h.openAuthority("store.tls.client_ca", ca)
		if err != nil {
			return err
		}
		h.receipt.Vouched = func(chains [][]*x509.Certificate) bool { return a.Vouches(chains, time.Now()) }
	}
	if path := h.cfg.Store.CollectorsFile; path != "" {
		file := collectors.Open(path)
		h.receipt.Collector = func(token string) (string, error) {
			name, err := file.Find(token)
			if errors.Is(err, collectors.ErrUnknown) {
				err = intake.ErrNoCollector
			}
			return name, err
		}
	}
	return h.receipt.Open()
}

// receiptDoor is the door of collectors.
func (h *house) receiptDoor() *entrance {
	d := newEntrance("store", h.cfg.Store.Addr, newServer(h.receipt.Handler())).counted()
	d.tls, d.most = h.certificates["store"], h.cfg.Private.MaxConnections
	d.clients = h.authorities["store.tls.client_ca"]
	return d
}

// collectorCmd is about who may write at the receipt door.
type collectorCmd struct {
	Add    collectorAddCmd    `cmd:"" help:"Make a collector's token, and print it this once."`
	List   collectorListCmd   `cmd:"" help:"List collectors."`
	Remove collectorRemoveCmd `cmd:"" help:"End a collector's token."`
}

// Help is shown below the flags.
func (*collectorCmd) Help() string {
	return `A collector shows a token to a store. It can write with it, and read nothing. store.collectors_file has a hash of each; a change is in
force at once.

Example:
  brine collector add web1`
}

type collectorAddCmd struct {
	dataFlag
	Name string `arg:"" help:"What to call it: a to z, 0 to 9 and . _ -"`
}

// Help is shown below the flags.
func (*collectorAddCmd) Help() string {
	return `Example:
  brine collector add web1 > web1.token`
}

// Run makes the token.
func (c *collectorAddCmd) Run(g *globals) error {
	file, err := openCollectors(&c.dataFlag)
	if err != nil {
		return err
	}
	token, err := file.Add(c.Name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(g.stdout, token)
	return err
}

type collectorListCmd struct{ dataFlag }

// Help is shown below the flags.
func (*collectorListCmd) Help() string {
	return `Example:
  brine collector list`
}

// Run prints the names.
func (c *collectorListCmd) Run(g *globals) error {
	file, err := openCollectors(&c.dataFlag)
	if err != nil {
		return err
	}
	names, err := file.Names()
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintln(g.stdout, name)
	}
	return err
}

type collectorRemoveCmd struct {
	dataFlag
	Name string `arg:"" help:"The collector."`
}

// Help is shown below the flags.
func (*collectorRemoveCmd) Help() string {
	return `Example:
  brine collector remove web1`
}

// Run ends the token.
func (c *collectorRemoveCmd) Run(*globals) error {
	file, err := openCollectors(&c.dataFlag)
	if err != nil {
		return err
	}
	return file.Remove(c.Name)
}

func openCollectors(flag *dataFlag) (*collectors.File, error) {
	cfg, _, err := flag.load()
	if err != nil {
		return nil, err
	}
	if cfg.Store.CollectorsFile == "" {
		return nil, cfg.Mistake("store.collectors_file", "it is not set, so there is no file of collectors", "like /etc/brine/collectors")
	}
	return collectors.Open(cfg.Store.CollectorsFile), nil
}
