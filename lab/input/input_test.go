package input_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"coalmine/lab/input"
)

func TestError(t *testing.T) {
	err := fmt.Errorf("open: %w", input.New("name another file", "no file %q: %w", "a", fs.ErrNotExist))
	if want := "open: no file \"a\": file does not exist\nname another file"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	var in *input.Error
	if !errors.As(err, &in) || in.Hint != "name another file" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %#v", err)
	}
	if err := input.New("", "no %s", "name"); err.Error() != "no name" {
		t.Errorf("error %q without a hint", err)
	}
}
