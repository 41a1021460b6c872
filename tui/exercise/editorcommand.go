package exercise

import (
	"io"
	"os/exec"
	"time"
)

// editorCommand runs the learner's editor in place of the terminal view, as [tea.ExecProcess] does.
type editorCommand struct{ *exec.Cmd }

// rendererStop is how long bubbletea gets to stop its renderer before the renderer is started again.
// The goroutine that ends stops the ticker that both use, after stopRenderer has returned
// (bubbletea v2.1.1, tea.go, startRenderer): where an editor ends at once on a busy machine, this
// came after the restart, and the terminal stayed empty.
const rendererStop = 100 * time.Millisecond

// Run runs the editor until it ends.
func (c editorCommand) Run() error {
	err := c.Cmd.Run()
	time.Sleep(rendererStop)
	return err
}

// SetStdin implements [tea.ExecCommand], as do the next two.
func (c editorCommand) SetStdin(r io.Reader) {
	if c.Stdin == nil {
		c.Stdin = r
	}
}

// SetStdout sets where the editor writes, unless it has been set.
func (c editorCommand) SetStdout(w io.Writer) {
	if c.Stdout == nil {
		c.Stdout = w
	}
}

// SetStderr sets where the editor writes errors, unless it has been set.
func (c editorCommand) SetStderr(w io.Writer) {
	if c.Stderr == nil {
		c.Stderr = w
	}
}
