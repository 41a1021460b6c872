// Command coalmine plays incidents against guardrails and shows whether they would have saved the users.
//
// There is one file for each verb. Commands are made by constructors that take an [Env], return their errors, and neither
// print them nor exit: both happen in this file and in errors.go only.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(execute(context.Background(), newEnv(), os.Args[1:])) }

// run executes one command line and returns the exit code.
func execute(ctx context.Context, env *Env, args []string) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the default is back, so that a second one ends a run that does not stop.
	context.AfterFunc(ctx, stop)

	root := newRootCommand(env)
	root.SetArgs(args)
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	err := root.ExecuteContext(ctx)
	if err != nil {
		printError(env.Err, err)
	}
	return exitCode(err)
}
