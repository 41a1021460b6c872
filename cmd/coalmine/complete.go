package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/report"
	"coalmine/lab/teaching/lesson"
	"coalmine/loadgen/accesslog"
	"coalmine/scenarios/lessons"
)

// setCompletion tells shells what the arguments and flags of all commands may be: an argument by its
// name in the usage line, a flag by its name.
func (env *Env) setCompletion(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch words := strings.Fields(cmd.Use); {
		case cmd.ValidArgsFunction != nil || len(words) < 2:
		case strings.Contains(words[1], "SCENARIO"), words[1] == "WORKLOAD":
			cmd.ValidArgsFunction = env.completeScenario
		case strings.Contains(words[1], "LESSON"):
			cmd.ValidArgsFunction = completeLesson
		case words[1] == "RUNDIR":
			cmd.ValidArgsFunction = env.completeRunFolder(len(words) - 1)
		}
		for flag, complete := range env.flagCompletions() {
			own := flag == "format" && (cmd.Name() == "load" || cmd.Name() == "quiz") // not those of reports
			if f := cmd.Flags().Lookup(flag); f != nil && !own {
				_ = cmd.RegisterFlagCompletionFunc(flag, complete) // fails only for flags that do not exist
			}
		}
	}
}

// flagCompletions are the values of flags, by their names.
func (env *Env) flagCompletions() map[string]cobra.CompletionFunc {
	formats := make([]string, 0, len(report.Formats()))
	for _, f := range report.Formats() {
		formats = append(formats, string(f))
	}
	return map[string]cobra.CompletionFunc{
		"format":     cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp),
		"cluster":    cobra.FixedCompletions([]string{"sim", "kind"}, cobra.ShellCompDirectiveNoFileComp),
		"log-format": cobra.FixedCompletions(accesslog.Formats(), cobra.ShellCompDirectiveNoFileComp),
		"guardrails": env.completeGuardrails,
		"scenario":   env.completeScenario,
		"version":    env.completeVersion,
	}
}

// completeScenario offers the scenarios that can be named, with their titles, and folders.
func (env *Env) completeScenario(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	names, err := env.shelves().Names()
	if len(names) == 0 && err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var all []string
	for _, name := range names {
		if src, err := env.openScenario(name); err == nil {
			all = append(all, cobra.CompletionWithDesc(name, src.Scenario.Title))
			src.Close()
		}
	}
	return all, cobra.ShellCompDirectiveDefault
}

// completeLesson offers the lessons of the course, with their titles.
func completeLesson(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	c, err := lesson.Load(lessons.Course())
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for _, l := range c.Lessons {
		all = append(all, cobra.CompletionWithDesc(l.Name, l.Title))
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeGuardrails offers the variants of the scenario that the command line names, and folders.
func (env *Env) completeGuardrails(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	src, err := env.openScenario(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	defer src.Close()
	variants, _ := src.Variants() // a folder without variants has none to offer
	return variants, cobra.ShellCompDirectiveDefault
}

// completeVersion offers the versions of the released service.
func (env *Env) completeVersion(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	src, err := env.openScenario(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer src.Close()
	return slices.Sorted(maps.Keys(src.Scenario.Released().Versions)), cobra.ShellCompDirectiveNoFileComp
}

// completeRunFolder offers the run folders here and in runs, up to a number of arguments.
func (env *Env) completeRunFolder(most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var all []string
		for _, pattern := range []string{"*/run.json", "runs/*/run.json", "*/runs/*/run.json"} {
			found, err := filepath.Glob(env.path(pattern))
			if err != nil {
				continue
			}
			for _, f := range found {
				if dir, err := filepath.Rel(env.path("."), filepath.Dir(f)); err == nil {
					all = append(all, dir+string(os.PathSeparator))
				}
			}
		}
		return all, cobra.ShellCompDirectiveDefault
	}
}
