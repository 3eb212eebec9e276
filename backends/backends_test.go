package backends

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestParseRange(t *testing.T) {
	for _, c := range []struct {
		header        string
		size          int64
		start, length int64
		ok, outside   bool
	}{
		{"bytes=0-0", 10, 0, 1, true, false},
		{"bytes=3-", 10, 3, 7, true, false},
		{"bytes=3-100", 10, 3, 7, true, false},
		{"bytes=-4", 10, 6, 4, true, false},
		{"bytes=-100", 10, 0, 10, true, false},
		{"bytes=10-", 10, 0, 0, true, true},
		{"bytes=-0", 10, 0, 0, true, true},
		{"bytes=0-", 0, 0, 0, true, true},
		{"bytes=-1", 0, 0, 0, true, true},
		{"bytes=5-3", 10, 0, 0, false, false},
		{"bytes=0-1,3-4", 10, 0, 0, false, false},
		{"bytes=a-b", 10, 0, 0, false, false},
		{"bytes=-", 10, 0, 0, false, false},
		{"lines=0-1", 10, 0, 0, false, false},
		{"bytes=99999999999999999999-", 10, 0, 0, false, false},
	} {
		start, length, ok, err := ParseRange(c.header, c.size)
		if start != c.start || length != c.length || ok != c.ok || errors.Is(err, ErrInvalidRange) != c.outside {
			t.Errorf("%q of %d: %d+%d, %v, %v; want %+v", c.header, c.size, start, length, ok, err, c)
		}
	}
}

// stuck is a store whose listing does not advance.
type stuck struct{ Reader }

func (stuck) Name() string { return "stuck" }

func (stuck) List(context.Context, ListRequest) (*ListPage, error) {
	return &ListPage{Objects: []ListedObject{{Key: "k"}}, Truncated: true, NextToken: "same"}, nil
}

func TestWalkEndsWhereAListingDoesNotAdvance(t *testing.T) {
	objects := 0
	for _, err := range Walk(t.Context(), stuck{}, ListRequest{}) {
		if err != nil {
			return
		}
		if objects++; objects > 10 {
			break
		}
	}
	t.Errorf("%d objects and no error", objects)
}

func TestUnknown(t *testing.T) {
	known := &Error{Kind: ErrDenied}
	for _, c := range []struct {
		err     error
		unknown bool
	}{
		{nil, false},
		{known, false},
		{fmt.Errorf("wrapped: %w", known), false},
		{&Error{Kind: ErrUnavailable, MaybeApplied: true}, true},
		{context.DeadlineExceeded, true},
	} {
		if Unknown(c.err) != c.unknown {
			t.Errorf("%v: unknown %v", c.err, !c.unknown)
		}
	}
}
