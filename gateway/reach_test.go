package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/backends"
)

// TestReach: a store is away after some failures in a row, and back with the first answer,
// be it a refusal; who gave up tells nothing of it. No key is told.
func TestReach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r reach
		refused := &url.Error{Op: "Get", URL: "http://old.test/private-key", Err: errors.New("connection refused")}
		down := &backends.Error{Store: "old", Op: "GetObject", Key: "private-key", Kind: backends.ErrUnavailable, Err: fmt.Errorf("sent: %w", refused)}
		holds := func(want bool, since time.Time) {
			t.Helper()
			c := r.condition("answers")
			if c.Status != want || !c.Since.Equal(since) || strings.Contains(c.Message, "private") || want == strings.Contains(c.Message, "refused") {
				t.Errorf("%+v at %v", c, time.Now())
			}
		}
		r.observe(nil)
		began := time.Now()
		for range awayAfter - 1 {
			time.Sleep(time.Second)
			r.observe(down)
			r.observe(context.Canceled)
		}
		holds(true, began.Add(time.Second))
		r.observe(down)
		holds(false, began.Add(time.Second))
		time.Sleep(time.Minute)
		r.observe(down)
		holds(false, began.Add(time.Second))
		r.observe(&backends.Error{Kind: backends.ErrNotFound})
		holds(true, time.Now())
	})
}
