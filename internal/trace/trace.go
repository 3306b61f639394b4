// Package trace is the part of W3C Trace Context (level 1, and the flags of level 2) that
// a service needs that continues traces and begins none: reading traceparent and
// tracestate, a span of its own, and writing them for the next service.
package trace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strings"
)

// MaxState is how many bytes of tracestate are passed on. A longer one is left out.
const MaxState = 512

// Context says of which trace something is a part. The zero value is of none.
type Context struct {
	ID     string // of the trace, 32 hex digits in lower case; "" for none
	Span   string // this part of it, 16 hex digits
	Parent string // the span that asked for this one; "" if that is not known
	Flags  byte   // sampled (1) and random (2), as they came
	State  string // tracestate as it came, in one line; "" for none
}

const (
	knownFlags = 3
	parentLen  = 55 // of version 00: 00-<32>-<16>-<2>
)

// Parse reads the values of the headers traceparent and tracestate, all of each. Its Span is the
// sender's. It returns false for what W3C calls invalid, several traceparents among it: then
// there is no trace. A tracestate that is too long, or not printable ASCII, is left out.
//
// A later version than 00 is read as far as 00 goes, as W3C demands.
func Parse(parents, states []string) (c Context, ok bool) {
	if len(parents) != 1 {
		return Context{}, false
	}
	text := parents[0]
	if len(text) < parentLen || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return Context{}, false
	}
	version, id, span, flags := text[:2], text[3:35], text[36:52], text[53:parentLen]
	rest := text[parentLen:]
	switch {
	case !isHex(version + id + span + flags), version == "ff", isZero(id), isZero(span):
		return Context{}, false
	case rest != "" && (version == "00" || rest[0] != '-'):
		return Context{}, false
	}
	bits, _ := hex.DecodeString(flags) // they are hex digits
	c = Context{ID: id, Span: span, Flags: bits[0] & knownFlags}
	if state := strings.Join(states, ","); len(state) <= MaxState && isPrintable(state) {
		c.State = state
	}
	return c, true
}

// Valid reports whether there is a trace.
func (c Context) Valid() bool { return c.ID != "" }

// Child is a new part of the same trace, which c asks for. Without a trace it is none either.
func (c Context) Child() Context {
	if !c.Valid() {
		return Context{}
	}
	var span [8]byte
	for span == [8]byte{} { // zero is no span
		_, _ = rand.Read(span[:]) // never fails
	}
	c.Parent, c.Span = c.Span, hex.EncodeToString(span[:])
	return c
}

// Traceparent is the header that makes what receives it a child of c; "" without a trace.
func (c Context) Traceparent() string {
	if !c.Valid() {
		return ""
	}
	return "00-" + c.ID + "-" + c.Span + "-" + hex.EncodeToString([]byte{c.Flags})
}

// LogAttrs are the fields of log lines by which Loki, Tempo and OpenTelemetry's collector find the
// trace; none without a trace.
func (c Context) LogAttrs() []slog.Attr {
	if !c.Valid() {
		return nil
	}
	return []slog.Attr{slog.String("trace_id", c.ID), slog.String("span_id", c.Span), slog.String("parent_id", c.Parent)}
}

type key struct{}

// With is ctx as a part of a trace.
func With(ctx context.Context, c Context) context.Context {
	return context.WithValue(ctx, key{}, c)
}

// Of is the trace that ctx is a part of; the zero value if it is part of none.
func Of(ctx context.Context) Context {
	c, _ := ctx.Value(key{}).(Context)
	return c
}

func isHex(s string) bool {
	for _, b := range []byte(s) {
		if (b < '0' || b > '9') && (b < 'a' || b > 'f') {
			return false
		}
	}
	return true
}

func isZero(s string) bool { return strings.Trim(s, "0") == "" }

func isPrintable(s string) bool {
	for _, b := range []byte(s) {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return true
}
