package control

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"coalmine/lab/cluster/testmesh/wire"
	"coalmine/lab/mesh"
)

// account is a service account that has shown its token.
type account struct{ namespace, name string }

func (a account) identity() string { return mesh.Identity(a.name, a.namespace) }

// errUnauthenticated says that a token does not prove what it should, as opposed to one that could not be asked about.
var errUnauthenticated = errors.New("not authenticated")

// reviewer finds out whose a token is.
type reviewer struct {
	client kubernetes.Interface
	now    func() time.Time

	mu    sync.Mutex
	cache map[[sha256.Size]byte]cachedReview
}

type cachedReview struct {
	account account
	until   time.Time
}

// Tokens that were found good are taken for as long as reviewFor without asking again; of so many at most.
const (
	cacheFor  = 2 * time.Minute
	maxCached = 4096
)

func newReviewer(client kubernetes.Interface, now func() time.Time) *reviewer {
	return &reviewer{client: client, now: now, cache: map[[sha256.Size]byte]cachedReview{}}
}

// review asks the API server whose a token is (TokenReview). A token that is none of a service account's, or not meant for the mesh,
// is errUnauthenticated.
func (r *reviewer) review(ctx context.Context, token string) (account, error) {
	if token == "" {
		return account{}, fmt.Errorf("%w: there is no token; send it as Authorization: Bearer", errUnauthenticated)
	}
	answer, err := r.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{wire.TokenAudience}},
	}, metav1.CreateOptions{})
	if err != nil {
		return account{}, fmt.Errorf("TokenReview: %w", err)
	}
	switch s := answer.Status; {
	case !s.Authenticated:
		return account{}, fmt.Errorf("%w: %s", errUnauthenticated, s.Error)
	case !slices.Contains(s.Audiences, wire.TokenAudience):
		// Authenticators that know no audiences leave them out: such a token proves nothing to the mesh.
		return account{}, fmt.Errorf("%w: the token is for %q, not for %s", errUnauthenticated, s.Audiences, wire.TokenAudience)
	}
	return serviceAccount(answer.Status.User.Username)
}

// serviceAccount takes a user name as Kubernetes makes it of service accounts apart.
func serviceAccount(user string) (account, error) {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	namespace, name, parted := strings.Cut(rest, ":")
	if !ok || !parted || namespace == "" || name == "" {
		return account{}, fmt.Errorf("%w: %q is no service account", errUnauthenticated, user)
	}
	return account{namespace: namespace, name: name}, nil
}

// reviewCached is review, but for tokens that were found good a short while ago.
func (r *reviewer) reviewCached(ctx context.Context, token string) (account, error) {
	sum := sha256.Sum256([]byte(token))
	r.mu.Lock()
	known, ok := r.cache[sum]
	r.mu.Unlock()
	if ok && r.now().Before(known.until) {
		return known.account, nil
	}
	a, err := r.review(ctx, token)
	if err != nil {
		return a, err
	}
	r.remember(sum, a)
	return a, nil
}

func (r *reviewer) remember(sum [sha256.Size]byte, a account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxCached {
		clear(r.cache)
	}
	r.cache[sum] = cachedReview{account: a, until: r.now().Add(cacheFor)}
}

// bearer is the token of a request, "" for none (RFC 6750).
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
