package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"coalmine/lab/cluster/agent/client"
	"coalmine/lab/event"
)

// stream is facts as an agent writes them, with some empty lines.
func stream(t *rapid.T, facts int) (data []byte, begins []int) {
	for n := 1; n <= facts; n++ {
		begins = append(begins, len(data))
		body, err := event.EncodeFact(event.Stage{Name: strings.Repeat("x", rapid.IntRange(0, 40).Draw(t, "length"))})
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(client.Fact{N: n, At: int64(n), Kind: event.KindStage, Data: body})
		if err != nil {
			t.Fatal(err)
		}
		data = append(append(data, line...), '\n')
		if rapid.Bool().Draw(t, "keep alive") {
			data = append(data, '\n')
		}
	}
	return data, append(begins, len(data))
}

// TestFollow: a reader gets every fact once and in order, wherever its streams are cut off.
func TestFollow(tt *testing.T) {
	rapid.Check(tt, func(t *rapid.T) {
		facts := rapid.IntRange(1, 12).Draw(t, "facts")
		data, begins := stream(t, facts)
		cuts := rapid.SliceOfN(cut(), 0, 20).Draw(t, "cuts")
		open := func(_ context.Context, after int) (io.ReadCloser, error) {
			c := broken{at: len(data)} // the last stream is complete
			if len(cuts) > 0 {
				c, cuts = cuts[0], cuts[1:]
			}
			if c.refused {
				return nil, errors.New("connection refused")
			}
			// A proxy that retries may send lines twice.
			rest := data[begins[max(after-c.again, 0)]:]
			rest = rest[:min(c.at, len(rest))]
			return io.NopCloser(io.MultiReader(bytes.NewReader(rest), c)), nil
		}
		var got []int
		err := inBubble(tt, func() error {
			return client.Follow(context.Background(), open, func(f client.Fact) error {
				got = append(got, f.N)
				if f.N == facts {
					return io.EOF
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range got {
			if n != i+1 {
				t.Fatalf("facts %v", got)
			}
		}
		if len(got) != facts {
			t.Fatalf("%d facts of %d", len(got), facts)
		}
	})
}

// inBubble waits in virtual time, as pauses are real otherwise.
func inBubble(t *testing.T, f func() error) (err error) {
	synctest.Test(t, func(*testing.T) { err = f() })
	return err
}

// broken is how a stream ends.
type broken struct {
	refused, silent bool
	at, again       int
}

func cut() *rapid.Generator[broken] {
	return rapid.Custom(func(t *rapid.T) broken {
		return broken{
			refused: rapid.IntRange(0, 4).Draw(t, "refused") == 0, silent: rapid.Bool().Draw(t, "silent"),
			at: rapid.IntRange(0, 300).Draw(t, "at"), again: rapid.IntRange(0, 2).Draw(t, "again"),
		}
	})
}

func (b broken) Read([]byte) (int, error) {
	if b.silent {
		return 0, io.EOF
	}
	return 0, errors.New("connection reset")
}

func follow(open func(context.Context, int) (io.ReadCloser, error)) (facts int, err error) {
	err = client.Follow(context.Background(), open, func(client.Fact) error { facts++; return nil })
	return facts, err
}

func TestFollowGivesUp(t *testing.T) {
	fact := func(n int) string {
		return fmt.Sprintf(`{"n":%d,"at":1,"kind":"run.stage","data":{"name":"x"}}`+"\n", n)
	}
	for name, c := range map[string]struct {
		text string
		err  error
		want string
	}{
		"unreachable": {err: errors.New("no route to host"), want: "unreachable for over 1m30s: no route to host"},
		"restarted":   {err: fmt.Errorf("facts: %w", client.ErrRestarted), want: "restarted"},
		"not JSON":    {text: fact(1) + "<html>\n", want: "invalid fact after fact 1"},
		"a gap":       {text: fact(1) + fact(3), want: "fact 3 instead of fact 2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := follow(func(context.Context, int) (io.ReadCloser, error) {
					return io.NopCloser(strings.NewReader(c.text)), c.err
				})
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %s", err, c.want)
				}
			})
		})
	}
}

// hanging has some text, and then blocks until its context ends.
type hanging struct {
	ctx  context.Context
	text io.Reader
}

func (h hanging) Read(b []byte) (int, error) {
	if n, _ := h.text.Read(b); n > 0 {
		return n, nil
	}
	<-h.ctx.Done()
	return 0, context.Cause(h.ctx)
}

func (hanging) Close() error { return nil }

// A connection whose other end is gone is given up after a while.
func TestFollowReopensSilentStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, opened := time.Now(), 0
		facts, err := follow(func(ctx context.Context, after int) (io.ReadCloser, error) {
			if opened++; opened == 3 {
				return nil, client.ErrRestarted
			}
			line := fmt.Sprintf(`{"n":%d,"at":1,"kind":"run.stage","data":{"name":"x"}}`+"\n", after+1)
			return hanging{ctx, strings.NewReader(line)}, nil
		})
		if facts != 2 || !errors.Is(err, client.ErrRestarted) {
			t.Errorf("%d facts, %v", facts, err)
		}
		if took := time.Since(begin); took < 30*time.Second || took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

func TestFollowEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := errors.New("enough")
		open := func(context.Context, int) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(`{"n":1,"at":1,"kind":"run.stage","data":{"name":"x"}}` + "\n")), nil
		}
		if err := client.Follow(t.Context(), open, func(client.Fact) error { return stop }); !errors.Is(err, stop) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(stop) })
		err := client.Follow(ctx, func(ctx context.Context, _ int) (io.ReadCloser, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}, nil)
		if !errors.Is(err, stop) {
			t.Error(err)
		}
	})
}
