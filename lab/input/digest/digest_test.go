package digest

import "testing"

func TestFiles(t *testing.T) {
	base := map[string][]byte{"a.yaml": []byte("x"), "b.yaml": []byte("y")}
	if Files(base) != Files(map[string][]byte{"b.yaml": []byte("y"), "a.yaml": []byte("x")}) {
		t.Error("the digest of the same files differs")
	}
	for name, other := range map[string]map[string][]byte{
		"contents":   {"a.yaml": []byte("x"), "b.yaml": []byte("z")},
		"name":       {"a.yaml": []byte("x"), "c.yaml": []byte("y")},
		"swapped":    {"a.yaml": []byte("y"), "b.yaml": []byte("x")},
		"fewer":      {"a.yaml": []byte("x")},
		"boundaries": {"a.yaml": []byte("x6:b.yaml,1:y")},
		"none":       {},
	} {
		if Files(base) == Files(other) {
			t.Errorf("%s: other files have the same digest", name)
		}
	}
	const want = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // sha256sum </dev/null
	if got := Strings(); got != want {
		t.Errorf("the digest of nothing is %s", got)
	}
}

func TestDocumentsIgnoreWhatTheyDoNotSay(t *testing.T) {
	base := map[string][]byte{
		"canary.yaml": []byte("kind: Canary\nspec: {interval: 30s, steps: [5, 25]}\n---\nkind: A\n"),
		"m.yaml":      []byte("kind: B\n"),
	}
	same := map[string]map[string][]byte{
		"comment": {
			"canary.yaml": []byte("# mine\nkind: Canary\nspec: {interval: 30s, steps: [5, 25]}\n---\nkind: A\n"),
			"m.yaml":      []byte("kind: B\n"),
		},
		"layout": {
			"canary.yaml": []byte("spec:\n  steps:\n    - 5\n    - 25\n  interval: \"30s\"\nkind: Canary\n---\n" +
				"kind: A\n"),
			"m.yaml": []byte("kind: B\n"),
		},
		"one file": {"all.yaml": []byte("kind: B\n---\n---\nkind: A\n---\nkind: Canary\n" +
			"spec: {interval: 30s, steps: [5, 25]}\n")},
	}
	for name, files := range same {
		if Documents(files) != Documents(base) {
			t.Errorf("%s: the same documents have another digest", name)
		}
	}
	for name, text := range map[string]string{
		"value": "kind: Canary\nspec: {interval: 31s, steps: [5, 25]}", "order": "kind: Canary\n" +
			"spec: {interval: 30s, steps: [25, 5]}",
		"more": "kind: Canary\nspec: {interval: 30s, steps: [5, 25], x: 1}",
	} {
		files := map[string][]byte{"canary.yaml": []byte(text + "\n---\nkind: A\n"), "m.yaml": base["m.yaml"]}
		if Documents(files) == Documents(base) {
			t.Errorf("%s: other documents have the same digest", name)
		}
	}
	if got := Documents(map[string][]byte{"a.yaml": []byte("a: [")}); got != "" {
		t.Errorf("a broken file has the digest %s", got)
	}
}
