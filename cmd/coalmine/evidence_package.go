package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"coalmine/lab/run/evidence"
)

func newEvidenceCommand(env *Env) *cobra.Command {
	var output, key string
	cmd := &cobra.Command{
		Use:   "evidence RUNDIR",
		Short: "Write the go/no-go package of a run folder",
		Long: "Write what a decision on a release needs, from a run folder: decision, criteria, results of each " +
			"step, exposure, remediation, conditions of a rollback, a scorecard, and the digests of all files, as " +
			"Markdown and as one HTML page. What only people can say is left to fill in. --sign signs the " +
			"digests.\n\n" +
			"To check a package: `sha256sum -c evidence/digests.txt` in the run folder, and `openssl pkeyutl -verify " +
			"-rawin -pubin -inkey public.pem -in digests.txt -sigfile digests.sig` for its signature. `coalmine " +
			"verify` says whether the logs themselves are true.",
		Example: `coalmine evidence runs/full-rollout-1
coalmine evidence runs/full-rollout-1 --sign key.pem -o package`,
		Args: exactly("RUNDIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.writeEvidence(cmd.Context(), args[0], output, key)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write into `DIR` instead of RUNDIR/evidence")
	cmd.Flags().StringVar(&key, "sign", "", "sign the digests with the Ed25519 key in `FILE` (PKCS#8, PEM)")
	return cmd
}

func (env *Env) writeEvidence(ctx context.Context, dir, output, keyFile string) error {
	if err := env.limitReader(false); err != nil {
		return err
	}
	var key ed25519.PrivateKey
	if keyFile != "" {
		k, err := evidence.ReadKey(ctx, env.path(keyFile))
		if err != nil {
			return err
		}
		key = k
	}
	t, err := env.readResult(env.path(dir))
	if err != nil {
		return err
	}
	if output == "" {
		output = filepath.Join(dir, "evidence")
	}
	names, err := evidence.Write(env.path(dir), env.path(output), t, key)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Out, "Wrote %s in %s\n", strings.Join(names, ", "), output)
	return err
}
