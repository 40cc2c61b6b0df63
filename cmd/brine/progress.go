package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sys/unix"
)

// progress shows on a terminal how much was read; elsewhere it shows nothing.
type progress struct {
	io.Reader
	bar *progressbar.ProgressBar
}

func showProgress(g *globals, what string, in io.Reader) *progress {
	if !isTerminal(g.stderr) {
		return &progress{Reader: in}
	}
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(g.stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish())
	return &progress{io.TeeReader(in, bar), bar}
}

func (p *progress) done() {
	if p.bar != nil {
		p.bar.Finish()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// count shows on a terminal how many of a number of things are done; elsewhere it shows nothing.
type count struct {
	g    *globals
	what string
	bar  *progressbar.ProgressBar // from the first show on
}

func showCount(g *globals, what string) *count { return &count{g: g, what: what} }

func (c *count) show(done, of int) {
	if of == 0 || !isTerminal(c.g.stderr) {
		return
	}
	if c.bar == nil {
		c.bar = progressbar.NewOptions(of, progressbar.OptionSetWriter(c.g.stderr), progressbar.OptionSetDescription(c.what),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	}
	c.bar.Set(done)
}

func (c *count) done() {
	if c.bar != nil {
		c.bar.Finish()
	}
}
