package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/term"

	"coalmine/lab/cluster"
	"coalmine/lab/cluster/sim"
	"coalmine/lab/run"
	"coalmine/lab/run/worker"
)

// Env is everything that commands take from the process around them.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	// rawOut is standard output as the process has it, if Out is a [textWriter].
	rawOut io.Writer
	// OutTerminal and ErrTerminal report whether the streams are terminals; Width is the terminal's
	// in columns.
	OutTerminal, ErrTerminal bool
	Width                    int
	// Dir is where relative paths start.
	Dir    string
	Now    func() time.Time
	Getenv func(string) string
	// Workers is how many runs are played at the same time.
	Workers int
	// CheckSeeds is how many check seeds confirm a pass, if no flag says otherwise.
	CheckSeeds int
	// Version of this binary, and the digest of its file; "" if the file cannot be read.
	Version      string
	BinaryDigest func() string
	// Cluster is where runs are played, Player plays them there.
	Cluster cluster.Cluster
	Player  run.Player
	// scenarioDirs are folders of scenarios that flags name.
	scenarioDirs []string
	// LimitReader limits the resources of this process, which then only reads files of others. It
	// may be nil.
	LimitReader func(interactive bool) error
}

// defaultWidth is for streams that are not terminals.
const defaultWidth = 80

func newEnv() *Env {
	env := &Env{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Width:       defaultWidth,
		Dir:         ".",
		Now:         time.Now,
		Getenv:      os.Getenv,
		Workers:     runtime.GOMAXPROCS(0),
		CheckSeeds:  defaultCheckSeeds,
		Version:     version(),

		BinaryDigest: sync.OnceValue(binaryDigest),
		LimitReader:  worker.LimitReader,
	}
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && w > 0 {
		env.Width = w
	}
	env.Cluster = sim.Cluster{Version: env.Version}
	env.Player = newPlayer()
	return env
}

// path makes a user's path usable from anywhere.
func (env *Env) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(env.Dir, name)
}

// color reports whether the output may have colours (NO_COLOR: see no-color.org).
func (env *Env) color() bool { return env.OutTerminal && env.Getenv("NO_COLOR") == "" }

// limitReader limits this process before it reads files of others.
func (env *Env) limitReader(interactive bool) error {
	if env.LimitReader == nil {
		return nil
	}
	return env.LimitReader(interactive)
}

// version is the module's, or the revision that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
