package admin

import "context"

// peer is where a context has the operator's name.
type peer struct{}

// who is the operator whose request this is: a user of this machine, or "token" for who came
// by the address with it.
func who(ctx context.Context) string {
	name, _ := ctx.Value(peer{}).(string)
	return name
}
