package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"coalmine/lab/scenario"
	"coalmine/lab/teaching/progress"
)

func newListCommand(env *Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the scenarios by topic, the easiest first",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			all, err := env.listScenarios()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(env.Out, listed(all))
			}
			writeList(env.Out, all, env.progressOf(), env.lineWidth())
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// listing is a scenario in the list, as JSON.
type listing struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Summary string `json:"summary"`
	Topic   string `json:"topic"`
	Level   int    `json:"level"`
}

func listed(all []*scenario.Scenario) []listing {
	list := []listing{}
	for _, s := range all {
		list = append(list, listing{s.Name, s.Title, s.Summary, s.Topic, s.Level})
	}
	return list
}

// writeList groups the scenarios, which are ordered by topic, with the learner's progress in each.
func writeList(w io.Writer, all []*scenario.Scenario, entries map[string]progress.Entry, width int) {
	names, solved := len("scenario"), 0
	for _, s := range all {
		names = max(names, len(s.Name))
	}
	topic := ""
	for _, s := range all {
		if s.Topic != topic {
			if topic != "" {
				fmt.Fprintln(w)
			}
			topic = s.Topic
			fmt.Fprintln(w, topic)
		}
		symbol := " "
		switch e := entries[s.Name]; {
		case e.Solved:
			symbol = "✓"
			solved++
		case e.Started():
			symbol = "◐"
		}
		line := fmt.Sprintf("%s %-*s  level %d  %s", symbol, names, s.Name, s.Level, s.Summary)
		fmt.Fprintln(w, clip(line, width))
	}
	fmt.Fprintln(w)
	if solved > 0 {
		fmt.Fprintf(w, "%d of %d are solved.\n", solved, len(all))
	}
	fmt.Fprintln(w, "coalmine show SCENARIO describes one, coalmine start SCENARIO makes a workspace for it.")
}

// lineWidth is the longest line that output may have; 0 for a pipe, which takes any.
func (env *Env) lineWidth() int {
	if !env.OutTerminal {
		return 0
	}
	return env.Width
}

// clip cuts a line to a width; 0 means any.
func clip(line string, width int) string {
	runes := []rune(line)
	if width <= 1 || len(runes) <= width {
		return line
	}
	return string(runes[:width-1]) + "…"
}
