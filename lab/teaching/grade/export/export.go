// Package export writes grades in the formats of platforms: Gradescope, Classroom 50, LTI's
// assignment and grade services, and JUnit.
//
// Each format keeps a submission without a grade apart from one without points.
package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"coalmine/lab/format"
	"coalmine/lab/teaching/grade"
)

// Names of the files in the folder of the results, and in that of each learner.
const (
	FileScores      = "scores.jsonl"
	FileJUnit       = "junit.xml"
	FileGradescope  = "gradescope.json"
	FileClassroom50 = "classroom50.json"
	FileRelease     = "release-body.md"
)

// Write writes all formats into the folder of the results.
func Write(dir string, g *grade.Grading) error {
	scores, err := Scores(g)
	if err != nil {
		return err
	}
	suites, err := JUnit(g)
	if err != nil {
		return err
	}
	files := map[string][]byte{FileScores: scores, FileJUnit: suites}
	for i := range g.Learners {
		l := &g.Learners[i]
		own := filepath.Join(grade.DirLearners, l.Learner)
		for name, document := range map[string]any{FileGradescope: Gradescope(l), FileClassroom50: Classroom50(l)} {
			if document == nil {
				if err := os.RemoveAll(filepath.Join(dir, own, name)); err != nil { // of an earlier grading
					return err
				}
				continue
			}
			if files[filepath.Join(own, name)], err = indented(document); err != nil {
				return err
			}
		}
		files[filepath.Join(own, FileRelease)] = Release(l)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// score is a line in the form of LTI's assignment and grade services. Platforms ignore the score of
// one whose grading failed.
type score struct {
	UserID           string `json:"userId"`
	ScoreGiven       *int   `json:"scoreGiven,omitempty"`
	ScoreMaximum     *int   `json:"scoreMaximum,omitempty"`
	Comment          string `json:"comment,omitempty"`
	Timestamp        string `json:"timestamp"`
	ActivityProgress string `json:"activityProgress"`
	GradingProgress  string `json:"gradingProgress"`
}

// Scores returns a line of JSON for each learner.
func Scores(g *grade.Grading) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i := range g.Learners {
		l := &g.Learners[i]
		s := score{UserID: l.Learner, Comment: format.Clean(l.Reason()),
			Timestamp:        g.Config.Date.UTC().Format("2006-01-02T15:04:05.000Z"),
			ActivityProgress: "Completed", GradingProgress: "FullyGraded"}
		if l.Status == grade.Graded {
			s.ScoreGiven, s.ScoreMaximum = &l.Points, &l.Max
		} else {
			s.ActivityProgress, s.GradingProgress = "Submitted", "Failed"
			s.Comment = "not graded: " + s.Comment
		}
		if err := e.Encode(s); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// virtual is a time of the runs in words.
func virtual(s float64) string {
	return format.Duration(time.Duration(s * float64(time.Second)).Round(time.Second))
}
