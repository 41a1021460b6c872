package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// output is a file that is written while a load runs. The first error of all writes is kept.
type output struct {
	path string
	file *os.File
	*bufio.Writer
}

// create makes a file; one that is there already is not overwritten, for it may hold another load's results.
func (env *Env) create(flag, path string) (*output, error) {
	file, err := os.OpenFile(env.path(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil, invalid("name another file, or remove this one", "--%s: %s is there already", flag, path)
	}
	if err != nil {
		return nil, invalid("name a file that can be written", "--%s: %w", flag, err)
	}
	return &output{path, file, bufio.NewWriterSize(file, 64<<10)}, nil
}

func (o *output) Close() error {
	if err := errors.Join(o.Flush(), o.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	return nil
}

// vegetaEncoder writes results as vegeta's own commands read them: by the file's name as JSON or CSV, else as gob.
func vegetaEncoder(w io.Writer, path string) vegeta.Encoder {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json", ".jsonl":
		return vegeta.NewJSONEncoder(w)
	case ".csv":
		return vegeta.NewCSVEncoder(w)
	}
	return vegeta.NewEncoder(w)
}
