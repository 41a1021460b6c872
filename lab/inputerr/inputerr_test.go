package inputerr_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"coalmine/lab/inputerr"
)

func TestError(t *testing.T) {
	err := fmt.Errorf("open: %w", inputerr.New("name another file", "no file %q: %w", "a", fs.ErrNotExist))
	if want := "open: no file \"a\": file does not exist\nname another file"; err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	var input *inputerr.Error
	if !errors.As(err, &input) || input.Hint != "name another file" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %#v", err)
	}
	if err := inputerr.New("", "no %s", "name"); err.Error() != "no name" {
		t.Errorf("error %q without a hint", err)
	}
}
