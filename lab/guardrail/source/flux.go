package source

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"coalmine/lab/guardrail"
)

// packFolder is where a repository for Flux has the services and their guardrails: see package flux.
const packFolder = "flux/infrastructure/progressive-delivery/develop"

// fluxPack returns the folder with the guardrails of a repository for Flux, or the path as it is. The
// rest of such a repository installs the mesh and the controller.
func fluxPack(path string) string {
	pack := filepath.Join(path, filepath.FromSlash(packFolder))
	if path != Stdin && kustomizationIn(pack) != "" && kustomizationIn(path) == "" {
		return pack
	}
	return path
}

// variable matches a variable as Flux replaces them after it has built a Kustomization: ${NAME}, or
// ${NAME:=DEFAULT}, ${NAME:-DEFAULT} and the like. $${NAME} stands for ${NAME}.
var variable = regexp.MustCompile(`\$?\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?[-=]([^{}\n]*))?\}`)

// withDefault tells a variable with a default, which may be empty, from one without.
var withDefault = regexp.MustCompile(`^\$\{[A-Za-z0-9_]+:?[-=]`)

// substitute replaces the variables of Flux in the files by their values or their defaults. One that
// has neither stays as it is.
func substitute(files map[string][]byte, values map[string]string) []guardrail.Finding {
	var notes []guardrail.Finding
	defaults, missing := map[string]bool{}, map[string]bool{}
	for name, data := range files {
		if !variable.Match(data) || len(data) > guardrail.MaxFileSize {
			continue
		}
		text := variable.ReplaceAllStringFunc(string(data), func(found string) string {
			m := variable.FindStringSubmatch(found)
			switch value, ok := values[m[1]]; {
			case strings.HasPrefix(found, "$$"):
				return found // not a variable of Flux, or of anyone who does not use it
			case ok:
				return value
			case withDefault.MatchString(found):
				defaults[m[1]] = true
				return m[2]
			}
			missing[m[1]] = true
			return found
		})
		files[name] = []byte(text)
	}
	if len(defaults) > 0 {
		notes = append(notes, note(fmt.Sprintf("variables of Flux have their defaults: %s", list(defaults)),
			"give others with --var NAME=VALUE"))
	}
	if len(missing) > 0 {
		names := list(missing)
		first, _, _ := strings.Cut(names, ",")
		notes = append(notes, note("variables of Flux have no value: "+names, "give it: --var "+first+"=VALUE"))
	}
	return notes
}

func list(names map[string]bool) string {
	const most = 6
	all := slices.Sorted(maps.Keys(names))
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ParseVars returns the values of flags NAME=VALUE by name.
func ParseVars(flags []string) (map[string]string, error) {
	values := map[string]string{}
	for _, flag := range flags {
		name, value, ok := strings.Cut(flag, "=")
		if !ok || !variableName.MatchString(name) || strings.ContainsAny(value, "\n\r") {
			return nil, fmt.Errorf("%q is not NAME=VALUE", flag)
		}
		values[name] = value
	}
	return values, nil
}
