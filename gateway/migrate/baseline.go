package migrate

import (
	"context"
	"fmt"

	"sluice/backends"
	"sluice/gateway/mirror"
)

// Empty tells whether a store holds no object of a client's. It proves a new
// store's baseline (R11): what it holds from then on, Sluice has put there.
func Empty(ctx context.Context, s backends.Reader) (bool, error) {
	for o, err := range backends.Walk(ctx, s, backends.ListRequest{}) {
		if err != nil {
			return false, fmt.Errorf("listing store %s to see whether it is empty: %w", s.Name(), err)
		}
		if !mirror.IsReserved(o.Key) {
			return false, nil
		}
	}
	return true, nil
}
