package html_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"coalmine/lab/report/reporttest"
)

// browser finds a Chromium, or skips the test.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium on the PATH: install Debian's package chromium to look at pages in a browser")
	return ""
}

// browse runs a headless browser on a page, with its own profile and without the network.
func browse(t *testing.T, url string, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--host-resolver-rules=MAP * ~NOTFOUND",
		"--enable-logging=stderr", "--log-level=0", "--user-data-dir=" + t.TempDir(),
	}, args...)
	cmd := exec.CommandContext(ctx, browser(t), append(args, url)...)
	cmd.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("the browser: %v\n%s", err, &errs)
	}
	return out.String(), errs.String()
}

// measure returns how wide a page is in a window of a width, and which of its elements overflow it
// at the right.
const measure = `<script>
addEventListener("load", () => {
  const wide = document.documentElement.clientWidth, out = [];
  for (const e of document.querySelectorAll("body *")) {
    const r = e.getBoundingClientRect();
    if (r.width > 0 && r.right > wide + 1 && !e.closest(".wide, svg, .hidden")) out.push(e.tagName + "." + e.getAttribute("class"));
  }
  const small = [...document.querySelectorAll("svg text")].filter(e => e.getBoundingClientRect().height > 0 && e.getBoundingClientRect().height < 9).length;
  parent.postMessage("measured " + document.documentElement.scrollWidth + " of " + wide + " out [" + out + "] small " + small, "*");
});
</script></body>`

// TestInABrowser loads a page at the width of a phone and of a desktop: nothing overflows, no text
// in a chart shrinks, the console stays empty, and the page prints.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	browser(t)
	dir := t.TempDir()
	data := string(page(t, reporttest.Missed()))
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "file://" + path
	}
	whole := write("page.html", data)
	// A copy without the policy that forbids scripts measures itself in a frame of the width asked
	// for.
	policy := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	write("measured.html", strings.Replace(policy.ReplaceAllString(data, ""), "</body>", measure, 1))
	widths := []int{320, 375, 1280}
	frames := `<body><script>addEventListener("message", e => document.body.append(e.data + "\n"))</script>`
	for _, width := range widths {
		frames += fmt.Sprintf(`<iframe src="measured.html" width="%d" height="800" style="border:0"></iframe>`, width)
	}
	dom, _ := browse(t, write("frames.html", frames+"</body>"), "--window-size=1400,900", "--virtual-time-budget=5000",
		"--dump-dom")
	for _, width := range widths {
		if want := fmt.Sprintf("measured %d of %d out [] small 0\n", width, width); !strings.Contains(dom, want) {
			t.Errorf("at a width of %d the page says not %q:\n%s", width, want,
				strings.Join(regexp.MustCompile(`measured [^<]*`).FindAllString(dom, -1), "\n"))
		}
	}
	pdf := filepath.Join(dir, "page.pdf")
	_, console := browse(t, whole, "--no-pdf-header-footer", "--print-to-pdf="+pdf)
	if strings.Contains(console, "CONSOLE") {
		t.Errorf("the console is not empty:\n%s", console)
	}
	if printed, err := os.ReadFile(pdf); err != nil || !bytes.HasPrefix(printed, []byte("%PDF-")) {
		t.Errorf("it was not printed: %v", err)
	}
}

// TestConsoleIsCaptured keeps the test above from passing because it misses the console.
func TestConsoleIsCaptured(t *testing.T) {
	t.Parallel()
	browser(t)
	path := filepath.Join(t.TempDir(), "loud.html")
	if err := os.WriteFile(path, []byte(`<script>console.error("a loud page")</script>`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, console := browse(t, "file://"+path, "--dump-dom"); !strings.Contains(console, "CONSOLE") ||
		!strings.Contains(console, "a loud page") {
		t.Errorf("the console was not heard:\n%s", console)
	}
}
