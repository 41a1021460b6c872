package recordings

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// recording is one file: what was asked of real Linkerd, what was sent and what came back.
type recording struct {
	Name      string       `json:"name"`
	Manifests string       `json:"manifests"`
	Refused   []string     `json:"refused"`
	Steps     []step       `json:"steps"`
	Metrics   []proxyLines `json:"metrics"`
}

// step changes something, or sends requests, or both at a time.
type step struct {
	Apply   string   `json:"apply"`
	Delete  string   `json:"delete"`
	Kubectl string   `json:"kubectl"`
	Refused []string `json:"refused"`
	Says    string   `json:"says"`

	From   string   `json:"from"`
	Send   []send   `json:"send"`
	Got    []got    `json:"got"`
	During []during `json:"during"`
}

// send is a series of equal requests.
type send struct {
	Name        string            `json:"name"`
	URL         string            `json:"url"`
	Method      string            `json:"method"`
	Headers     map[string]string `json:"headers"`
	Body        int               `json:"body"`
	Count       int               `json:"count"`
	Rate        float64           `json:"rate"`
	Concurrency int               `json:"concurrency"`
	Key         string            `json:"key"`
	KeepAlive   *bool             `json:"keepAlive"`
	Timeout     string            `json:"timeout"`
}

// got is what came back.
type got struct {
	Name        string            `json:"name"`
	Answers     []string          `json:"answers"`
	Pods        []int             `json:"pods"`
	Headers     map[string]string `json:"headers"`
	SentBetween map[string]string `json:"sent between"`
}

// during is a change while requests are sent.
type during struct {
	After   float64  `json:"after"`
	Apply   string   `json:"apply"`
	Kubectl []string `json:"kubectl"`
}

// proxyLines are series of a pod's proxy and by how much they grew.
type proxyLines struct {
	Of    string   `json:"of"`
	Match string   `json:"match"`
	Lines []string `json:"lines"`
}

// folder is where the recordings are: those of the project, or others of the same format.
func folder() string {
	if dir := os.Getenv("COALMINE_LINKERD_RECORDINGS"); dir != "" {
		return dir
	}
	return "testdata"
}

func load(t *testing.T) []recording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder(), "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s (%v)", folder(), err)
	}
	var all []recording
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		if err := yaml.Unmarshal(raw, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, r)
	}
	return all
}

// seconds converts a number of seconds.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
