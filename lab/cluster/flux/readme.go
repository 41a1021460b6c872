package flux

import (
	_ "embed"
	"strings"
)

//go:embed README.md
var readme string

// README is the file that says how to use the repository.
const README = "flux/README.md"

// readmeFor fills the text in.
func readmeFor(develop bool) []byte {
	state := "is suspended: set `suspend: false` there to apply it"
	if develop {
		state = "is applied: set `suspend: true` there to leave it out"
	}
	return []byte(strings.ReplaceAll(readme, "DEVELOP_STATE", state))
}
