// Package source turns what people have into manifests that package guardrail parses: a folder or a
// file as they are, standard input, a Kustomization, which is built by kustomize, and a Helm chart,
// which is rendered by Helm. Variables of Flux are replaced.
//
// The input is not trusted. Nothing outside the folder, or the repository that a Kustomization is
// part of, is read; nothing is fetched and no program is run. The limits are those of package
// guardrail.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"coalmine/lab/guardrail"
	"coalmine/lab/guardrail/mapping"
)

// Stdin is the path that stands for standard input.
const Stdin = "-"

// Names of the files that hold manifests without a file of their own.
const (
	stdinFile = "stdin.yaml"
	builtFile = "kustomize-build.yaml"
)

// Options say how input is read that does not stand for itself.
type Options struct {
	// Stdin is what the path "-" reads.
	Stdin io.Reader
	// Vars are values of Flux variables, by name.
	Vars map[string]string
	// HelmValues are the files of values that a chart is rendered with. Without any, it is not.
	HelmValues []string
}

// Load reads the guardrails at path and validates them. Errors in them are of type
// guardrail.Errors; the set that comes with these has the notes.
func Load(ctx context.Context, path string, env guardrail.Environment, o Options) (*guardrail.Set, error) {
	in, err := within(ctx, guardrail.MaxParseTime, func() (guardrail.Input, error) { return read(ctx, path, o) })
	if err != nil {
		return nil, err
	}
	return guardrail.ParseInput(ctx, in, env)
}

// Folder returns the folder that file names in findings about the guardrails at path start from.
func Folder(path string) string {
	path = fluxPack(path)
	info, err := os.Stat(path)
	switch {
	case path == Stdin:
		return ""
	case err == nil && !info.IsDir():
		return filepath.Dir(path)
	}
	return path
}

func read(ctx context.Context, path string, o Options) (guardrail.Input, error) {
	in, err := readAs(ctx, path, o)
	if err != nil {
		return in, err
	}
	in.Notes = append(in.Notes, substitute(in.Files, o.Vars)...)
	return in, nil
}

// readAs reads the input by what it is.
func readAs(ctx context.Context, path string, o Options) (guardrail.Input, error) {
	if path == Stdin {
		return readStdin(o.Stdin)
	}
	path = fluxPack(path)
	folder, isFolder := path, true
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		folder, isFolder = filepath.Dir(path), false
	}
	if name := kustomizationIn(folder); name != "" && (isFolder || filepath.Base(path) == name) {
		in, err := buildKustomization(folder, name)
		return withMapping(ctx, in, folder, err)
	}
	if isFolder && isChart(folder) {
		in, err := readChart(ctx, folder, o.HelmValues)
		return withMapping(ctx, in, folder, err)
	}
	files, err := guardrail.ReadFiles(ctx, path)
	if err != nil {
		return guardrail.Input{}, err
	}
	return guardrail.Input{Files: files, Notes: dropNested(files)}, nil
}

// withMapping adds the folder's mapping of names, if it has one, to what was built from the folder.
func withMapping(ctx context.Context, in guardrail.Input, folder string, err error) (guardrail.Input, error) {
	if err != nil || firstOf(folder, mapping.FileName) == "" {
		return in, err
	}
	files, err := guardrail.ReadFiles(ctx, filepath.Join(folder, mapping.FileName))
	maps.Copy(in.Files, files)
	return in, err
}

func readStdin(r io.Reader) (guardrail.Input, error) {
	if r == nil {
		r = os.Stdin
	}
	data, err := io.ReadAll(io.LimitReader(r, guardrail.MaxTotalSize+1))
	switch {
	case err != nil:
		return guardrail.Input{}, fmt.Errorf("reading standard input: %w", err)
	case len(data) > guardrail.MaxTotalSize:
		return guardrail.Input{}, invalid(stdinFile, fmt.Sprintf("standard input is larger than %d bytes",
			guardrail.MaxTotalSize), "give fewer manifests")
	}
	return guardrail.Input{Files: map[string][]byte{stdinFile: data}}, nil
}

// invalid is an error about a file.
func invalid(file, message, hint string) error {
	return guardrail.Errors{{Position: guardrail.Position{File: file}, Message: message, Hint: hint}}
}

// note is a note about the input as a whole.
func note(message, hint string) guardrail.Finding {
	return guardrail.Finding{Position: guardrail.Position{File: guardrail.WholeSet}, Message: message, Hint: hint,
		Severity: guardrail.SeverityNote}
}

// within returns what read returns, or an error if ctx ends or the time is over before. read is then
// left behind: neither kustomize nor Helm can be interrupted.
func within[T any](ctx context.Context, limit time.Duration, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- result{err: invalid(guardrail.WholeSet, fmt.Sprintf("reading failed: %v", p), "")}
			}
		}()
		value, err := read()
		done <- result{value, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var zero T
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return zero, fmt.Errorf("reading the guardrails: %w", context.Cause(ctx))
	case <-timer.C:
		return zero, invalid(guardrail.WholeSet, fmt.Sprintf("reading takes longer than %v", limit), "give less")
	}
}

// enclosing returns the folder that a Kustomization may refer to: the repository that it is part of,
// the working directory if it lies below it, or its own folder.
func enclosing(folder string) string {
	for dir := folder; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if wd, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(wd, folder); err == nil && filepath.IsLocal(rel) {
			return wd
		}
	}
	return folder
}

// isLimit reports whether an error is about the input, not the file system.
func isLimit(err error) bool {
	var findings guardrail.Errors
	return errors.As(err, &findings)
}

// firstOf returns the first of the names that the folder has as a regular file, or "".
func firstOf(folder string, names ...string) string {
	i := slices.IndexFunc(names, func(name string) bool {
		info, err := os.Stat(filepath.Join(folder, name))
		return err == nil && info.Mode().IsRegular()
	})
	if i < 0 {
		return ""
	}
	return names[i]
}
