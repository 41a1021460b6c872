package apply

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"coalmine/lab/cluster/names"
)

// How long something is tried again.
const (
	// retryTimeout is for an API server that is away or starts anew, and for webhooks whose pods do.
	retryTimeout = time.Minute
	// discoveryTimeout is for a kind that is not there, as its CRD is established before discovery tells of it, and for rights that are
	// denied, as an API server that has just started does not know the roles yet.
	discoveryTimeout = 15 * time.Second

	minBackoff = 100 * time.Millisecond
	maxBackoff = 3 * time.Second
)

// retry calls f again while its errors may pass by themselves. An API server that was away denies rights when it is back, so each sort
// of error has its own time, and all together have twice the longest.
func (c *Client) retry(ctx context.Context, f func() error) error {
	began := c.now()
	var sort time.Duration
	var since time.Time
	for pause := minBackoff; ; pause = min(2*pause, maxBackoff) {
		err := f()
		bound := retryFor(err)
		if bound == 0 {
			return err
		}
		now := c.now()
		if bound != sort {
			sort, since = bound, now
		}
		if tried := now.Sub(began); now.Sub(since) >= bound || tried >= 2*retryTimeout {
			return fmt.Errorf("%w (tried for %v)", err, tried.Round(time.Second))
		}
		if stop := c.wait(ctx, pause); stop != nil {
			return fmt.Errorf("%w (%w)", err, stop)
		}
	}
}

// retryFor tells for how long an error is borne, 0 for not at all.
func retryFor(err error) time.Duration {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return 0
	case transient(err):
		return retryTimeout
	case meta.IsNoMatchError(err), isUnservedKind(err), isDenied(err):
		return discoveryTimeout
	}
	return 0
}

// isUnservedKind tells a 404 of the API server about a kind from one about an object.
func isUnservedKind(err error) bool {
	return apierrors.IsNotFound(err) && strings.Contains(err.Error(), "could not find the requested resource")
}

// isDenied tells missing rights from an admission's refusal, which is Forbidden too (apiserver,
// pkg/endpoints/handlers/responsewriters/errors.go, forbiddenMessage).
func isDenied(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), `" cannot `)
}

func transient(err error) bool {
	switch {
	case apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsTooManyRequests(err), apierrors.IsServiceUnavailable(err):
		return true
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return true // the one of the run before
	case apierrors.IsInternalError(err):
		return strings.Contains(err.Error(), "failed calling webhook")
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err), utilnet.IsTimeout(err),
		errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	var op *net.OpError
	return errors.As(err, &op)
}

// Conflict says that others have set fields to something else, and would lose it.
type Conflict struct {
	// Fields that are in dispute, with the manager that owns each.
	Fields []Field
}

// Field is one, and whose it is.
type Field struct{ Path, Manager string }

func (c *Conflict) Error() string {
	var each []string
	for _, f := range c.Fields {
		each = append(each, fmt.Sprintf("%s is set by %q", f.Path, f.Manager))
	}
	return "others have changed it: " + strings.Join(each, ", ")
}

// Hint says what to do.
func (c *Conflict) Hint() string {
	return "undo that change by the tool that made it, or delete the object and bring the lab up again: coalmine sets up its own cluster only as a whole"
}

// onlyOurs tells whether coalmine alone is in its way: what it created by other means than apply is noted as another manager's of
// the same name.
func (c *Conflict) onlyOurs() bool {
	for _, f := range c.Fields {
		if f.Manager != names.FieldManager {
			return false
		}
	}
	return len(c.Fields) > 0
}

// conflictOf takes a conflict of server-side apply apart, nil if the error is none. The manager stands in the message only
// (apimachinery, pkg/util/managedfields/internal/conflict.go, NewConflictError).
func conflictOf(err error) *Conflict {
	var status apierrors.APIStatus
	if !apierrors.IsConflict(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	c := &Conflict{}
	for _, cause := range status.Status().Details.Causes {
		if cause.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		_, rest, _ := strings.Cut(cause.Message, `"`)
		manager, _, _ := strings.Cut(rest, `"`)
		c.Fields = append(c.Fields, Field{Path: cause.Field, Manager: manager})
	}
	if len(c.Fields) == 0 {
		return nil
	}
	return c
}
