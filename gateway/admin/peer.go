package admin

import "context"

// peer is the key of who sends a request, in its context.
type peer struct{}

func who(ctx context.Context) string {
	name, _ := ctx.Value(peer{}).(string)
	return name
}
