// Command coalmine plays incidents against guardrails and shows whether they would have saved the
// users.
//
// There is one file for each verb. Commands are made by constructors that take an [Env], return
// their errors, and neither print them nor exit: both happen in this file and in errors.go only.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"coalmine/lab/verdict/score"
)

func main() {
	// Go ends a program that panics with code 2, which means invalid input here. With this setting
	// it ends by SIGABRT.
	debug.SetTraceback("crash")
	os.Exit(execute(context.Background(), newEnv(), os.Args[1:]))
}

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, env *Env, args []string) (code int) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// After the first signal the default is back, so that a second one ends a run that does not
	// stop.
	context.AfterFunc(ctx, stop)

	// A reader of standard output that wants no more must not end a run before its files are
	// complete. Unlike an ignored signal, this one is not inherited by other programs.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	env, out := env.withTextWriters()
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(env.Err, "coalmine: panic: %v\n\n%s", p, debug.Stack())
			code = score.ExitLabFailed
		}
	}()
	root := newRootCommand(env)
	root.SetArgs(args)
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	err := root.ExecuteContext(ctx)
	if failed := out.failed(); err == nil && failed != nil {
		err = fmt.Errorf("write the output: %w", failed)
	}
	if err != nil {
		printError(env.Err, err)
	}
	return exitCode(err)
}
