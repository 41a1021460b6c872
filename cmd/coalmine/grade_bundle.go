package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/input"
	"coalmine/lab/teaching/grade"
	"coalmine/lab/teaching/grade/bundle"
)

// gradeBundleFlags are the options of grade bundle.
type gradeBundleFlags struct {
	platform        string
	scenarios       []string
	seedFile        string
	program         string
	output          string
	seeds, practice int
}

func newGradeBundleCommand(env *Env) *cobra.Command {
	var f gradeBundleFlags
	cmd := &cobra.Command{
		Use:   "bundle --for PLATFORM --scenarios S[,S] --output FILE",
		Short: "Pack a grader for Gradescope, Classroom 50 or GitHub",
		Long: "Pack a grader: the program, the seed file, the scenarios without their solutions, and the lines that " +
			"the platform calls. For gradescope it is a zip archive to upload as an autograder; for classroom50 a " +
			"folder with autograder.py; for github-action a folder to copy into the repository, whose seeds are the " +
			"secret COALMINE_SEEDS.\n\n" +
			"The public seeds show at once; what the secret seeds show, Gradescope holds back until the due date.",
		Example: `coalmine grade bundle --for gradescope -s full-rollout --seed-file seeds -o autograder.zip
coalmine grade bundle --for github-action -s ./exam -o repository`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return usage(cmd, err)
			}
			return env.gradeBundle(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.platform, "for", "", "`PLATFORM`: "+strings.Join(bundle.Platforms(), ", ")+" (required)")
	flags.StringSliceVarP(&f.scenarios, "scenarios", "s", nil, "`SCENARIOS` by name or path, separated by commas "+
		"(required)")
	flags.StringVar(&f.seedFile, "seed-file", "", "`FILE` that the seeds follow from")
	flags.StringVar(&f.program, "program", "", "`FILE` of coalmine for the platform, linux/amd64 (default this one)")
	flags.StringVarP(&f.output, "output", "o", "", "write the archive or the folder `OUT` (required)")
	flags.IntVar(&f.seeds, "seeds", 3, "play `N` secret seeds of each scenario")
	flags.IntVar(&f.practice, "practice", 2, "play the public seeds 1 to `N`, too; they do not count")
	return cmd
}

func (f gradeBundleFlags) check() error {
	switch {
	case f.platform == "":
		return errors.New("--for is missing: write one of " + strings.Join(bundle.Platforms(), ", "))
	case len(f.scenarios) == 0:
		return errors.New("--scenarios is missing: write the names of those to grade")
	case f.output == "":
		return errors.New("--output is missing: write the archive or the folder to make")
	case f.seedFile == "" && f.platform != bundle.GitHubAction:
		return errors.New("--seed-file is missing: write the file that the secret seeds follow from")
	case f.seedFile != "" && f.platform == bundle.GitHubAction:
		return errors.New("--seed-file has no place in a repository: make it the secret COALMINE_SEEDS")
	case f.seeds < 1 || f.seeds > grade.MaxSeeds || f.practice < 0 || f.practice > grade.MaxSeeds:
		return fmt.Errorf("--seeds is %d and --practice %d: write numbers up to %d", f.seeds, f.practice,
			grade.MaxSeeds)
	}
	return nil
}

func (env *Env) gradeBundle(ctx context.Context, f gradeBundleFlags) (err error) {
	o := bundle.Options{For: f.platform, Seeds: f.seeds, Practice: f.practice, Program: env.path(f.program),
		Out: env.path(f.output)}
	if f.program == "" {
		if o.Program, err = programPath(); err != nil {
			return err
		}
	}
	if f.seedFile != "" {
		if o.SeedFile, err = input.ReadFile(ctx, env.path(f.seedFile), maxSeedFile); err != nil {
			return invalid("make one with: head -c 32 /dev/urandom | base64 > seeds", "%w", err)
		}
		if _, err := grade.NewKey(o.SeedFile); err != nil {
			return err
		}
	}
	for _, name := range f.scenarios {
		src, err := env.openScenario(name)
		if err != nil {
			return err
		}
		defer src.Close()
		o.Sources = append(o.Sources, src)
	}
	names, err := bundle.Write(o)
	if err != nil {
		return err
	}
	for _, name := range names {
		fmt.Fprintln(env.Out, name)
	}
	fmt.Fprintf(env.Err, "Written to %s\n", f.output)
	return nil
}
