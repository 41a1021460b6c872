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

// account is an authenticated service account.
type account struct{ namespace, name string }

func (a account) identity() string { return mesh.Identity(a.name, a.namespace) }

// errUnauthenticated is the error for a token that does not prove what it should, as opposed to one
// that could not be reviewed.
var errUnauthenticated = errors.New("not authenticated")

// reviewer authenticates tokens.
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

// A token that was authenticated is accepted for cacheFor without another review. The cache holds
// maxCached tokens.
const (
	cacheFor  = 2 * time.Minute
	maxCached = 4096
)

func newReviewer(client kubernetes.Interface, now func() time.Time) *reviewer {
	return &reviewer{client: client, now: now, cache: map[[sha256.Size]byte]cachedReview{}}
}

// review has the API server review a token (TokenReview). A token that is not a service account's,
// or not for the mesh, is errUnauthenticated.
func (r *reviewer) review(ctx context.Context, token string) (account, error) {
	if token == "" {
		return account{}, fmt.Errorf("%w: no token; send it as Authorization: Bearer", errUnauthenticated)
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
		// Authenticators without support for audiences leave them out: such a token proves nothing.
		return account{}, fmt.Errorf("%w: the token is for %q, not for %s", errUnauthenticated, s.Audiences,
			wire.TokenAudience)
	}
	return serviceAccount(answer.Status.User.Username)
}

// serviceAccount parses the user name that Kubernetes gives a service account.
func serviceAccount(user string) (account, error) {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	namespace, name, parted := strings.Cut(rest, ":")
	if !ok || !parted || namespace == "" || name == "" {
		return account{}, fmt.Errorf("%w: %q is not a service account", errUnauthenticated, user)
	}
	return account{namespace: namespace, name: name}, nil
}

// reviewCached is review with a cache.
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

// bearer returns the token of a request, "" for none (RFC 6750).
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
