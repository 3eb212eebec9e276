package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

// object tells where an object is.
func (c Control) object(w http.ResponseWriter, r *http.Request) error {
	key := r.URL.Query().Get("key")
	if key == "" {
		return fmt.Errorf("%w: which object? ?key=KEY", migrate.ErrInvalid)
	}
	located, err := c.Locate(r.Context(), r.PathValue("bucket"), key)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, located)
}

// Object tells where an object is.
func (c *Client) Object(ctx context.Context, bucket, key string) (mirror.Located, error) {
	var l mirror.Located
	err := c.do(ctx, http.MethodGet, "/v1/buckets/"+url.PathEscape(bucket)+"/object?"+url.Values{"key": {key}}.Encode(), nil, &l)
	return l, err
}
