package kindcluster

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"sigs.k8s.io/kind/pkg/log"
)

// logger passes on what kind logs about its steps. It is silent after the end of the context, when
// nobody reads it any more.
type logger struct {
	ctx context.Context
	say func(format string, args ...any)
}

func (l logger) Warn(string)           {}
func (l logger) Warnf(string, ...any)  {}
func (l logger) Error(string)          {}
func (l logger) Errorf(string, ...any) {}

func (l logger) V(level log.Level) log.InfoLogger { return infoLogger{l, level == 0} }

// infoLogger is one level of the logger; kind logs its steps on level 0.
type infoLogger struct {
	logger
	enabled bool
}

func (i infoLogger) Enabled() bool               { return i.enabled }
func (i infoLogger) Infof(f string, args ...any) { i.Info(fmt.Sprintf(f, args...)) }

// Info logs the start of a step: " • Starting control-plane 🕹️ ...". The next message implies its
// end.
func (i infoLogger) Info(message string) {
	step, begins := strings.CutPrefix(message, " • ")
	if !i.enabled || !begins || i.ctx.Err() != nil {
		return
	}
	plain := strings.Map(func(r rune) rune {
		if r > unicode.MaxLatin1 {
			return -1
		}
		return r
	}, strings.TrimRight(step, ". \n"))
	plain = strings.TrimSpace(plain)
	if plain != "" {
		i.say("%s", strings.ToLower(plain[:1])+plain[1:])
	}
}
