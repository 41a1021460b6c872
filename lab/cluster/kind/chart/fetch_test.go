package chart_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"coalmine/lab/cluster/kind/apply"
	"coalmine/lab/cluster/kind/chart"
	"coalmine/manifests"
)

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// repository is a chart repository with the chart small and the given index entry.
func repository(t *testing.T, archive []byte, indexed, url string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /charts/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "apiVersion: v1\nentries:\n  small:\n  - {version: 0.9.0, digest: none, urls: "+
			"[old.tgz]}\n"+
			"  - {version: 1.0.0, digest: %q, urls: [%q]}\n", indexed, url)
	})
	mux.HandleFunc("GET /charts/small-1.0.0.tgz",
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	mux.HandleFunc("GET /endless.tgz", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestFetch(t *testing.T) {
	archive := pack(t, "small", small())
	for _, url := range []string{"small-1.0.0.tgz", "/charts/small-1.0.0.tgz"} {
		for _, pinned := range []string{"", digest(archive)} {
			s := repository(t, archive, digest(archive), url)
			got, err := chart.Fetch(context.Background(), s.Client(),
				manifests.Chart{Name: "small", Repo: s.URL + "/charts", Version: "1.0.0", SHA256: pinned})
			if err != nil || !bytes.Equal(got, archive) {
				t.Errorf("url %s, pinned %q: %d bytes, %v", url, pinned, len(got), err)
			}
		}
	}
}

func TestFetchRefuses(t *testing.T) {
	archive := pack(t, "small", small())
	other := digest([]byte("other"))
	for name, x := range map[string]struct {
		indexed, url, pinned, version string
		want                          string
		hint                          bool
	}{
		"another SHA-256 in the index": {other, "small-1.0.0.tgz", digest(archive), "1.0.0", "SHA-256 is", false},
		"another pinned SHA-256":       {digest(archive), "small-1.0.0.tgz", other, "1.0.0", "SHA-256 is", false},
		"no SHA-256 at all":            {"", "small-1.0.0.tgz", "", "1.0.0", "no SHA-256 to compare with", false},
		"missing version": {digest(archive), "small-1.0.0.tgz", "", "2.0.0",
			"does not have this version; it has 2 versions", false},
		"endless archive": {digest(archive), "/endless.tgz", "", "1.0.0", "more than 8 MiB", true},
		"missing archive": {digest(archive), "gone.tgz", "", "1.0.0", "404", true},
	} {
		s := repository(t, archive, x.indexed, x.url)
		c := manifests.Chart{Name: "small", Repo: s.URL + "/charts/", Version: x.version, SHA256: x.pinned}
		_, err := chart.Fetch(context.Background(), s.Client(), c)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, x.want)
		}
		if hint := hintOf(err); x.hint != strings.Contains(hint, "bundle create") {
			t.Errorf("%s: hint %q", name, hint)
		}
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func TestFetchWithoutNetworkHasHint(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	_, err := chart.Fetch(context.Background(), http.DefaultClient,
		manifests.Chart{Name: "small", Repo: s.URL, Version: "1.0.0"})
	if err == nil || !strings.Contains(hintOf(err), "coalmine up --bundle") {
		t.Errorf("error %v, hint %q", err, hintOf(err))
	}
}

func TestFetchGatewayAPI(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"m@v1/crd/b.yaml", "m@v1/crd/a.yaml", "m@v1/crd/README.md", "m@v1/crd/deeper/c.yaml",
		"m@v1/d.yaml"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(w, "apiVersion: v1\nkind: K\nmetadata: {name: %s}\n", name[strings.LastIndex(name,
			"/")+1:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = w.Write(b.Bytes())
	}))
	t.Cleanup(s.Close)
	g := manifests.GatewayAPI{Version: "v1", URL: s.URL, SHA256: digest(b.Bytes()), Folder: "m@v1/crd"}
	text, err := chart.FetchGatewayAPI(context.Background(), s.Client(), g)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := apply.Decode(text)
	if err != nil || strings.Join(nameList(objects), ", ") != "K a.yaml, K b.yaml" {
		t.Errorf("%q, %v", nameList(objects), err)
	}
	for want, change := range map[string]func(*manifests.GatewayAPI){
		"SHA-256 is":    func(g *manifests.GatewayAPI) { g.SHA256 = digest(nil) },
		"no YAML files": func(g *manifests.GatewayAPI) { g.Folder = "m@v1/other" },
	} {
		g := g
		change(&g)
		if _, err := chart.FetchGatewayAPI(context.Background(), s.Client(), g); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
