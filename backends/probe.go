package backends

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// probeKey is the canary's key; clients never see it.
const probeKey = ".sluice/probe"

// ProbeConditionalCreate finds out whether a store honours If-None-Match: * on
// PUT: a second create must be refused and must leave the first one's content.
// Stores that ignore the header answer success and overwrite, so this is tried,
// not assumed.
func ProbeConditionalCreate(ctx context.Context, s Store) (bool, error) {
	if _, err := s.Delete(ctx, DeleteRequest{Key: probeKey}); err != nil {
		return false, fmt.Errorf("probing conditional writes: %w", err)
	}
	create := func(content string) error {
		_, err := s.Put(ctx, PutRequest{
			Key: probeKey, Body: bytes.NewReader([]byte(content)), Size: int64(len(content)), IfNoneMatch: true,
		})
		return err
	}
	if err := create("first"); errors.Is(err, ErrNotSupported) || errors.Is(err, ErrInvalid) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("probing conditional writes: %w", err)
	}
	second := create("second")
	o, err := s.Get(ctx, GetRequest{Key: probeKey})
	if err != nil {
		return false, fmt.Errorf("probing conditional writes: %w", err)
	}
	content, err := io.ReadAll(o.Body)
	o.Body.Close()
	if err != nil {
		return false, fmt.Errorf("probing conditional writes: %w", err)
	}
	if _, err := s.Delete(ctx, DeleteRequest{Key: probeKey}); err != nil {
		return false, fmt.Errorf("probing conditional writes: %w", err)
	}
	return errors.Is(second, ErrPrecondition) && string(content) == "first", nil
}
