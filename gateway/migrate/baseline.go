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
	r := backends.ListRequest{MaxKeys: 1000}
	for {
		page, err := s.List(ctx, r)
		if err != nil {
			return false, fmt.Errorf("listing store %s to see whether it is empty: %w", s.Name(), err)
		}
		for _, o := range page.Objects {
			if !mirror.IsReserved(o.Key) {
				return false, nil
			}
		}
		if !page.Truncated {
			return true, nil
		}
		r.Token = page.NextToken
	}
}
