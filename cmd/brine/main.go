// Command brine is all of Brine in one binary: one file a command.
//
// main reads the command line and runs one command, which wires the rooms it needs, starts them in
// order and stops them in reverse. It may import every room; no room imports it. Nothing but flags,
// the config file, standard input and the data folder comes in.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"brine/policy"
)

// cli is the command line: one field a command.
type cli struct {
	Demo      demoCmd      `cmd:"" help:"Show the main job on this machine."`
	Serve     serveCmd     `cmd:"" help:"Take events in and give them out: all in one process."`
	Collect   collectCmd   `cmd:"" help:"Take events in and send them to stores."`
	Store     storeCmd     `cmd:"" help:"Store what collectors send, and give it out."`
	Check     checkCmd     `cmd:"" help:"Check the config and all that it names."`
	Status    statusCmd    `cmd:"" help:"Tell how things stand."`
	Read      readCmd      `cmd:"" help:"Print events of a range of time."`
	Import    importCmd    `cmd:"" help:"File events of the past from standard input."`
	Simulate  simulateCmd  `cmd:"" help:"Make events of synthetic users."`
	Salt      saltCmd      `cmd:"" help:"Look at, rotate or destroy salts."`
	Sanitize  sanitizeCmd  `cmd:"" help:"Copy closed hours through the allowlist."`
	KPI       kpiCmd       `cmd:"" name:"kpi" help:"Print a KPI."`
	Risk      riskCmd      `cmd:"" help:"Measure how well sanitized rows hide people."`
	Change    changeCmd    `cmd:"" help:"Say what was changed in a dialog, to see whether it helped."`
	Policy    policyCmd    `cmd:"" help:"Print the data collection policy."`
	Purge     purgeCmd     `cmd:"" help:"Drop what is older, or more, than is to be kept."`
	Erase     eraseCmd     `cmd:"" help:"Erase one install."`
	Backup    backupCmd    `cmd:"" help:"Write what is held for years to a folder."`
	Restore   restoreCmd   `cmd:"" help:"Make a data folder of a backup."`
	Token     tokenCmd     `cmd:"" help:"Make, list or revoke tokens of scripts."`
	Collector collectorCmd `cmd:"" help:"Say which collectors may send to this store."`
	User      userCmd      `cmd:"" help:"Say who may read, where there is no LDAP."`
	Audit     auditCmd     `cmd:"" help:"Tell who did what; verify that record."`
	Cluster   clusterCmd   `cmd:"" help:"Look at the nodes of a replicated log, or change them."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// globals is what every command gets. Its context ends with the first SIGINT or SIGTERM; a second
// one ends the process.
type globals struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// errTold is the error of a command that failed and has said why.
var errTold = errors.New("failed")

func main() {
	syscall.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := run(os.Args[1:], &globals{ctx, os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// run is main without the process: it runs one command line and gives the exit code.
func run(args []string, g *globals) int {
	command, code, done := parse(args, g)
	if done {
		return code
	}
	switch err := command.Run(g); {
	case err == nil:
		return exitOK
	case errors.Is(err, errTold):
		return exitFailed
	default:
		fmt.Fprintln(g.stderr, "brine:", err)
		if errors.As(err, new(wrongUse)) {
			return exitUsage
		}
		return exitFailed
	}
}

// parse reads the command line. It is done with it after --help and after a mistake, which it tells. No command
// at all is a mistake too, so that a script does not take it for a success; people get the help.
func parse(args []string, g *globals) (command *kong.Context, code int, done bool) {
	var flags cli
	parser, err := kong.New(&flags,
		kong.Name("brine"),
		kong.Description("A KPI backend that forgets who the users were."),
		kong.Vars{"languages": strings.Join(policy.Languages(), " or ")},
		kong.Writers(helpTo(args, g), g.stderr),
		kong.TypeMapper(reflect.TypeFor[time.Time](), kong.MapperFunc(timeFlag)),
		kong.Exit(func(int) { done = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		panic(err) // the struct of a command has a wrong tag
	}
	if len(args) == 0 {
		_, _ = parser.Parse([]string{"--help"})
		return nil, exitUsage, true
	}
	command, err = parser.Parse(args)
	if done { // by --help
		return nil, exitOK, true
	}
	if err != nil {
		tellMistake(g.stderr, args, err)
		return nil, exitUsage, true
	}
	return command, exitOK, false
}

// helpTo is where the help goes: where it was not asked for, beside what a script may read.
func helpTo(args []string, g *globals) io.Writer {
	if len(args) == 0 {
		return g.stderr
	}
	return g.stdout
}
