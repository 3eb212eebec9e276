package admin

import "context"

// peer is where a context has the operator's name.
type peer struct{}

// who is the operator whose request this is: a user of this machine, or from where who came
// by the address, and whether with the token or by the dashboard.
func who(ctx context.Context) string {
	name, _ := ctx.Value(peer{}).(string)
	return name
}
