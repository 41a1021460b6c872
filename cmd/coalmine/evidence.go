package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"time"

	"coalmine/lab/digest"
	"coalmine/lab/run/folder"
	"coalmine/lab/run/result"
	"coalmine/lab/run/trial"
	"coalmine/lab/verdict/score"
)

// conclude ends a trial that was played, or was not because of an error: it adds the evidence to
// the run folder and returns the card of what is recorded there.
func (env *Env) conclude(src *trial.Source, t *trial.Trial, w *folder.Writer, played error) (*score.Card, error) {
	if err := w.Seal(env.evidence(src, t)); err != nil && played == nil {
		return nil, err
	}
	if played != nil {
		return nil, played
	}
	r, err := result.Read(w.Dir())
	if err != nil {
		return nil, err
	}
	c := r.Card()
	return &c, nil
}

// evidence says what a trial is played with.
func (env *Env) evidence(src *trial.Source, t *trial.Trial) folder.Evidence {
	return folder.Evidence{
		Date:             env.Now().UTC().Truncate(time.Second),
		Binary:           folder.Binary{Version: env.Version, Digest: env.BinaryDigest()},
		ScenarioDigest:   src.Scenario.Digest(),
		GuardrailsDigest: digest.Files(t.Guardrails),
		Own:              result.Own(src.Folder, t.Guardrails),
		Hints:            env.hints(src),
	}
}

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
