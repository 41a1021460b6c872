package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"coalmine/lab/cluster/testmesh/wire"
)

func publish(t *testing.T, w *world, service string) uint64 {
	t.Helper()
	generation, fresh, err := w.control.stream.publish(wire.Snapshot{Services: []wire.Service{{Name: service}}})
	if err != nil || !fresh {
		t.Fatalf("not published: %v", err)
	}
	return generation
}

func TestPollWaitsForAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first := publish(t, w, "a")
		begin := time.Now()
		go func() {
			time.Sleep(5 * time.Second)
			publish(t, w, "b")
		}()
		answer := w.do(http.MethodGet, wire.PathConfig+"?after="+fmt.Sprint(first), nil, goodToken)
		var s wire.Snapshot
		if err := json.Unmarshal(answer.Body.Bytes(), &s); err != nil {
			t.Fatalf("%d %s", answer.Code, answer.Body)
		}
		if s.Generation <= first || s.Services[0].Name != "b" || time.Since(begin) != 5*time.Second {
			t.Errorf("after %v: %+v, want the news when they came", time.Since(begin), s)
		}
		if answer := w.do(http.MethodGet, wire.PathConfig, nil, goodToken); !strings.Contains(answer.Body.String(),
			`"b"`) || time.Since(begin) != 5*time.Second {
			t.Errorf("without a generation: %d %s, want the newest at once", answer.Code, answer.Body)
		}
	})
}

func TestPollEndsWithoutAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		generation := publish(t, w, "a")
		if _, fresh, _ := w.control.stream.publish(wire.Snapshot{Services: []wire.Service{{Name: "a"}}}); fresh {
			t.Error("the same again is taken for news")
		}
		begin := time.Now()
		answer := w.do(http.MethodGet, wire.PathConfig+"?after="+fmt.Sprint(generation), nil, goodToken)
		if answer.Code != http.StatusNoContent || answer.Body.Len() > 0 || time.Since(begin) != 30*time.Second {
			t.Errorf("after %v: %d %s, want 204 after 30 s", time.Since(begin), answer.Code, answer.Body)
		}
	})
}

func TestNoSnapshotYet(t *testing.T) {
	w := newWorld(t)
	if answer := w.do(http.MethodGet, wire.PathConfig, nil, goodToken); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s, want 503", answer.Code, answer.Body)
	}
	publish(t, w, "a")
	if answer := w.do(http.MethodGet, wire.PathConfig+"?after=soon", nil,
		goodToken); answer.Code != http.StatusBadRequest {
		t.Errorf("%d %s, want 400", answer.Code, answer.Body)
	}
}

// TestGenerationsRiseOverRestarts compares a control plane with many changes with the one after it.
func TestGenerationsRiseOverRestarts(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before, after := newWatchStream(start), newWatchStream(start.Add(time.Minute))
	var last uint64
	for i := range 60 * 20 { // more than the coalescing allows in the minute
		last, _, _ = before.publish(wire.Snapshot{Services: []wire.Service{{Name: fmt.Sprint(i)}}})
	}
	first, _, _ := after.publish(wire.Snapshot{Services: []wire.Service{{Name: "x"}}})
	if first <= last {
		t.Errorf("generation %d after %d", first, last)
	}
}

// TestGenerationFromTheFuture: the clock may be set back between two starts.
func TestGenerationFromTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		generation := publish(t, w, "a")
		begin := time.Now()
		answer := w.do(http.MethodGet, wire.PathConfig+"?after="+fmt.Sprint(generation+1000), nil, goodToken)
		if answer.Code != http.StatusOK || time.Since(begin) != 0 {
			t.Errorf("after %v: %d, want the snapshot at once", time.Since(begin), answer.Code)
		}
	})
}

func TestTokenReviewsAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		publish(t, w, "a")
		for range 3 {
			w.do(http.MethodGet, wire.PathConfig, nil, goodToken)
		}
		if w.reviews != 1 {
			t.Errorf("%d reviews for three polls, want 1", w.reviews)
		}
		time.Sleep(cacheFor)
		w.answerReviews(func(r *authenticationv1.TokenReview) { r.Status.Error = "expired" })
		if answer := w.do(http.MethodGet, wire.PathConfig, nil, goodToken); answer.Code != http.StatusUnauthorized {
			t.Errorf("a token that has expired: %d, want 401", answer.Code)
		}
	})
}

func TestSnapshotsNeedAToken(t *testing.T) {
	w := newWorld(t)
	publish(t, w, "a")
	for _, token := range []string{"", "x"} {
		for range 2 { // bad tokens are not cached as good ones
			if answer := w.do(http.MethodGet, wire.PathConfig, nil, token); answer.Code != http.StatusUnauthorized {
				t.Errorf("token %q: %d, want 401", token, answer.Code)
			}
		}
	}
}
