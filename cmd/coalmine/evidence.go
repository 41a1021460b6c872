package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"time"

	"coalmine/lab/input/digest"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/run/trial"
	"coalmine/lab/verdict/score"
)

// conclude ends a trial that was played, or was not because of an error: it adds the evidence to
// the run folder, plays the check seeds after a pass, and returns the card of what is recorded
// there. Check is told of each check seed; nil tells nobody.
func (env *Env) conclude(ctx context.Context, src *trial.Source, t *trial.Trial, w *folder.Writer, played error,
	check func(folder.CheckSeed)) (*score.Card, error) {
	evidence := env.evidence(src, t)
	if err := w.Seal(evidence, nil); err != nil && played == nil {
		return nil, err
	}
	if played != nil {
		return nil, played
	}
	r, err := result.Read(w.Dir())
	if err != nil {
		return nil, err
	}
	if !r.NeedsCheck() {
		c := r.Card()
		return &c, nil
	}
	if r.Manifest.Check, err = t.PlayCheck(ctx, env.Player, env.Workers, check); err != nil {
		return nil, err
	}
	evidence.Date = env.date()
	if err := w.Seal(evidence, r.Manifest.Check); err != nil {
		return nil, err
	}
	c := r.Card()
	return &c, nil
}

// evidence says what a trial is played with.
func (env *Env) evidence(src *trial.Source, t *trial.Trial) folder.Evidence {
	return folder.Evidence{
		Date:             env.date(),
		Binary:           folder.Binary{Version: env.Version, Digest: env.BinaryDigest()},
		ScenarioDigest:   src.Scenario.Digest(),
		GuardrailsDigest: digest.Files(t.Guardrails),
		Own:              result.Own(src.Folder, t.Guardrails),
		Hints:            env.hints(src),
	}
}

func (env *Env) date() time.Time { return env.Now().UTC().Truncate(time.Second) }

// binaryDigest returns the digest of this program's file, or "".
func binaryDigest() string {
	path, err := programPath()
	if err != nil {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}
