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

	"coalmine/lab/cluster/backoff"
	"coalmine/lab/cluster/names"
)

// How long errors are retried.
const (
	// retryTimeout applies to an API server that is not available or restarting, and to webhooks
	// whose pods are.
	retryTimeout = time.Minute
	// discoveryTimeout applies to unknown kinds, because a CRD is established before discovery
	// lists it, and to denied requests, because an API server that has just started does not know
	// the roles yet.
	discoveryTimeout = 15 * time.Second

	minBackoff = 100 * time.Millisecond
	maxBackoff = 3 * time.Second
)

// retry calls f again while its error may be temporary. An API server that is back may first deny
// requests, so each class of errors has its own timeout, and all together twice the longest.
func (c *Client) retry(ctx context.Context, f func() error) error {
	began := c.now()
	var sort time.Duration
	var since time.Time
	pause := backoff.Backoff{Min: minBackoff, Max: maxBackoff}
	for {
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
			return fmt.Errorf("%w (retried for %v)", err, tried.Round(time.Second))
		}
		if stop := c.wait(ctx, pause.Next()); stop != nil {
			return fmt.Errorf("%w (%w)", err, stop)
		}
	}
}

// retryFor returns how long err is worth retrying; 0 means do not retry.
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

// isUnservedKind reports whether a 404 of the API server concerns a kind, not an object.
func isUnservedKind(err error) bool {
	return apierrors.IsNotFound(err) && strings.Contains(err.Error(), "could not find the requested resource")
}

// isDenied reports whether a Forbidden error is due to missing permissions, not to admission
// (apiserver, pkg/endpoints/handlers/responsewriters/errors.go, forbiddenMessage).
func isDenied(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), `" cannot `)
}

func transient(err error) bool {
	switch {
	case apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsTooManyRequests(err),
		apierrors.IsServiceUnavailable(err):
		return true
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return true // the namespace is being deleted
	case apierrors.IsInternalError(err):
		return strings.Contains(err.Error(), "failed calling webhook")
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsProbableEOF(err),
		utilnet.IsTimeout(err), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	var op *net.OpError
	return errors.As(err, &op)
}

// Conflict reports that other managers have set fields to other values.
type Conflict struct {
	// Fields are the fields in conflict and their managers.
	Fields []Field
}

// Field is a field and its manager.
type Field struct{ Path, Manager string }

func (c *Conflict) Error() string {
	var each []string
	for _, f := range c.Fields {
		each = append(each, fmt.Sprintf("%s is set by %q", f.Path, f.Manager))
	}
	return "changed by others: " + strings.Join(each, ", ")
}

// Hint says what to do.
func (c *Conflict) Hint() string {
	return "undo that change with the tool that made it, or delete the object and run coalmine up again: coalmine " +
		"manages its cluster only as a whole"
}

// onlyOurs reports whether coalmine is the only other manager: what it created without apply has
// another entry of the same name.
func (c *Conflict) onlyOurs() bool {
	for _, f := range c.Fields {
		if f.Manager != names.FieldManager {
			return false
		}
	}
	return len(c.Fields) > 0
}

// conflictOf returns the conflict in an error of server-side apply, or nil. The manager is only in
// the message (apimachinery, pkg/util/managedfields/internal/conflict.go, NewConflictError).
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
