package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/run/trial"
	"coalmine/lab/scenario"
)

// scenariosVariable names the folders of scenarios if no flag does.
const scenariosVariable = "COALMINE_SCENARIOS"

// addScenarioFolders adds --scenarios to every command that takes a scenario. Commands that have a
// flag of that name take the environment variable only.
func (env *Env) addScenarioFolders(root *cobra.Command) {
	for _, cmd := range append(root.Commands(), root) {
		takes := strings.Contains(cmd.Use, "SCENARIO") || cmd.Flags().Lookup("scenario") != nil
		for _, name := range []string{"coalmine", "list", "load", "learn"} {
			takes = takes || cmd.Name() == name
		}
		if takes && cmd.Flags().Lookup("scenarios") == nil {
			cmd.Flags().StringArrayVar(&env.scenarioDirs, "scenarios", nil, "`DIR` with a subfolder for each scenario "+
				"of your own (repeatable; default $"+scenariosVariable+")")
			_ = cmd.MarkFlagDirname("scenarios") // fails only for flags that do not exist
		}
	}
}

// shelves are the scenarios that can be named.
func (env *Env) shelves() trial.Shelves {
	dirs := env.scenarioDirs
	if len(dirs) == 0 && env.Getenv != nil {
		dirs = filepath.SplitList(env.Getenv(scenariosVariable))
	}
	return trial.Shelves{Base: env.Dir, Dirs: dirs}
}

// openScenario finds a scenario by its name in the library and the folders of scenarios, or by the
// path of its folder. Close it after use.
func (env *Env) openScenario(name string) (*trial.Source, error) { return env.shelves().Open(name) }

// listScenarios returns all scenarios that can be named. What cannot be read is printed.
func (env *Env) listScenarios() ([]*scenario.Scenario, error) {
	all, err := env.shelves().List()
	if len(all) == 0 {
		return nil, err
	}
	if err != nil {
		fmt.Fprintln(env.Err, err)
	}
	return all, nil
}

// found replaces names of scenarios that are in a folder of scenarios by their paths.
func (env *Env) found(names []string) []string {
	shelves := env.shelves()
	found := make([]string, len(names))
	for i, name := range names {
		found[i] = shelves.Find(name)
	}
	return found
}
