package kindcluster_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The tests use a docker command of their own, this test binary under another name: it keeps
// containers, networks and images in a file and behaves as Docker does as far as kind and this
// package need.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"docker": func() { os.Exit(fakeDocker(os.Args[1:])) }})
}

// world is the state of the docker command.
type world struct {
	Info       string
	Containers []fakeContainer
	Networks   []string
	Images     []string
	// Early is how often a listed container is not found yet.
	Early int
	// Fails maps failing subcommands to their output: "run", "info".
	Fails map[string]string
	// Log has every command line.
	Log []string
}

type fakeContainer struct {
	Name     string
	Labels   map[string]string
	Mounts   []string // destinations
	Network  string
	Stopped  bool
	Complete bool // has the file that marks a complete cluster
}

const worldFile = "FAKE_DOCKER"

// newWorld makes the docker command use a world. The kubeconfig is a file of the test.
func newWorld(t *testing.T, w world) *worldAt {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("KUBECONFIG", filepath.Join(dir, "kube", "config"))
	t.Setenv(worldFile, filepath.Join(dir, "world.json"))
	if w.Info == "" {
		w.Info = `{"ServerVersion":"28.0.0","CgroupVersion":"2","MemTotal":8589934592,"NCPU":2}`
	}
	at := &worldAt{t}
	at.write(w)
	return at
}

// worldAt is a world that commands change.
type worldAt struct{ t *testing.T }

func (a *worldAt) write(w world) {
	if err := save(w); err != nil {
		a.t.Fatal(err)
	}
}

func (a *worldAt) read() world {
	a.t.Helper()
	w, err := open()
	if err != nil {
		a.t.Fatal(err)
	}
	return w
}

func open() (w world, err error) {
	text, err := os.ReadFile(os.Getenv(worldFile))
	if err != nil {
		return w, err
	}
	return w, json.Unmarshal(text, &w)
}

func save(w world) error {
	text, err := json.MarshalIndent(w, "", " ")
	if err != nil {
		return err
	}
	next := os.Getenv(worldFile) + ".next"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, os.Getenv(worldFile))
}

func fakeDocker(args []string) int {
	w, err := open()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	w.Log = append(w.Log, strings.Join(args, " "))
	code := w.answer(args)
	// kind follows a container's log in the background and kills the command that prints it, which
	// changes nothing.
	if args[0] == "logs" {
		return code
	}
	if err := save(w); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	return code
}

func (w *world) answer(args []string) int {
	verb := args[0]
	if verb == "network" || verb == "image" {
		verb += " " + args[1]
	}
	if says, ok := w.Fails[verb]; ok {
		return fail("%s", says)
	}
	last := args[len(args)-1]
	switch verb {
	case "info":
		fmt.Println(w.Info)
	case "ps":
		w.ps(args)
	case "inspect":
		return w.inspect(args)
	case "cp":
		name, _, _ := strings.Cut(args[1], ":")
		if c := w.container(name); c == nil || !c.Complete {
			return fail("Error: No such container:path: %s", args[1])
		}
	case "rm":
		w.Containers = slices.DeleteFunc(w.Containers, func(c fakeContainer) bool {
			return slices.Contains(args, c.Name)
		})
	case "start":
		w.container(last).Stopped = false
	case "image inspect":
		if !slices.Contains(w.Images, last) {
			return fail("Error response from daemon: No such image: %s", last)
		}
	case "network ls":
		for _, n := range w.Networks {
			fmt.Println(n)
		}
	case "network create":
		w.Networks = append(w.Networks, last)
	case "network rm":
		w.Networks = slices.DeleteFunc(w.Networks, func(n string) bool { return n == last })
	case "run":
		w.run(args)
	case "logs":
		fmt.Println("Reached target Multi-User System.")
	case "exec":
		return fail("the fake docker cannot exec that")
	}
	return 0
}

func fail(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	return 1
}

func (w *world) container(name string) *fakeContainer {
	i := slices.IndexFunc(w.Containers, func(c fakeContainer) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &w.Containers[i]
}

// value returns the value of an option.
func value(args []string, option string) string {
	if i := slices.Index(args, option); i >= 0 {
		return args[i+1]
	}
	return ""
}

func (w *world) ps(args []string) {
	kind, want, _ := strings.Cut(value(args, "--filter"), "=")
	for _, c := range w.Containers {
		label, v, _ := strings.Cut(want, "=")
		if kind == "label" && c.Labels[label] == v || kind == "network" && c.Network == want {
			fmt.Println(c.Name)
		}
	}
}

// inspect prints JSON, or what kind's templates ask for.
func (w *world) inspect(args []string) int {
	if value(args, "--type") == "" && !slices.Contains(args, "--type=image") {
		return fail("the fake docker has no templates")
	}
	if w.Early--; w.Early >= 0 {
		return fail("Error response from daemon: No such container: %s", args[3])
	}
	var all []any
	for _, name := range args[3:] {
		c := w.container(name)
		if c == nil {
			return fail("Error: No such container: %s", name)
		}
		var mounts []any
		for _, m := range c.Mounts {
			mounts = append(mounts, map[string]any{"Destination": m})
		}
		all = append(all, map[string]any{
			"Name": "/" + c.Name, "State": map[string]any{"Running": !c.Stopped},
			"Config": map[string]any{"Labels": c.Labels},
			"Mounts": mounts,
		})
	}
	_ = json.NewEncoder(os.Stdout).Encode(all)
	return 0
}

func (w *world) run(args []string) {
	c := fakeContainer{Name: value(args, "--name"), Network: value(args, "--net"), Labels: map[string]string{}}
	for i, a := range args {
		if a == "--label" {
			name, v, _ := strings.Cut(args[i+1], "=")
			c.Labels[name] = v
		}
		if mount, ok := strings.CutPrefix(a, "--volume="); ok {
			c.Mounts = append(c.Mounts, strings.Split(mount, ":")[1])
		}
	}
	w.Containers = append(w.Containers, c)
}
