package migrate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"sluice/backends"
	"sluice/gateway/mirror"
)

// markerKey holds the Marker on each store.
const markerKey = mirror.Reserved + "marker.json"

// Marker is what a store says of the migration it is part of (I12). A state that
// does not agree with it is not the state that led here: it was lost, or restored
// from a backup, or is another gateway's.
type Marker struct {
	Bucket string       `json:"bucket"`
	ID     string       `json:"id"` // of the state directory
	Phase  mirror.Phase `json:"phase"`
}

// ErrDisagree says that state and marker do not belong together. Nothing may be served.
var ErrDisagree = errors.New("the state directory does not fit the stores")

// CheckMarkers compares the record of a bucket's phase with the markers in its
// stores. known tells whether there is a record. A marker that lags behind the
// record, or is missing, is written anew: the record is the decision. One store's
// word is enough when the other can not be reached.
//
// A bucket whose phase never changed has no marker, and needs none: should its record
// be lost, it begins anew with old as the primary, which it is, and an unproven
// baseline.
func CheckMarkers(ctx context.Context, b *mirror.Bucket, id string, known bool) error {
	want := Marker{Bucket: b.Name, ID: id, Phase: b.Phase()}
	var unread error
	lagging, heard := false, false
	for _, s := range []*mirror.Store{b.Old(), b.New()} {
		got, err := readMarker(ctx, s)
		if err != nil {
			unread = errors.Join(unread, fmt.Errorf("store %s: %w", s.Name(), err))
			continue
		}
		heard = true
		if got == nil {
			lagging = true
			continue
		}
		if err := want.agrees(got, s.Name(), known); err != nil {
			return err
		}
		lagging = lagging || *got != want
	}
	if !heard {
		return fmt.Errorf("bucket %s: neither store can be asked whether the state directory is the right one: %w", b.Name, unread)
	}
	if lagging && want.Phase.Epoch > firstEpoch {
		return mark(ctx, b, want)
	}
	return nil
}

// firstEpoch is that of a bucket whose phase never changed.
const firstEpoch = 1

// agrees explains what is wrong between the record and a store's marker.
func (m Marker) agrees(got *Marker, store string, known bool) error {
	wrong := func(what, do string) error {
		return fmt.Errorf("bucket %s: %w: the marker %s in store %s %s. %s", m.Bucket, ErrDisagree, markerKey, store, what, do)
	}
	at := fmt.Sprintf("says %s, epoch %d", got.Phase.Name, got.Phase.Epoch)
	switch {
	case !known:
		return wrong(at+", but the state directory knows nothing of it",
			"Put the state directory back; or, if this bucket is to begin a new migration, remove the marker from both stores")
	case got.ID != m.ID:
		return wrong("belongs to another gateway's state directory", "Give each gateway stores of its own, or remove the marker if that gateway is gone")
	case got.Phase.Epoch > m.Phase.Epoch:
		return wrong(fmt.Sprintf("%s, but the state directory says %s, epoch %d: it is older", at, m.Phase.Name, m.Phase.Epoch),
			"Put back the newest state directory: an old one lacks what later writes left to be repaired")
	case got.Phase.Epoch == m.Phase.Epoch && got.Phase != m.Phase:
		return wrong(fmt.Sprintf("%s, but the state directory says %s of the same epoch", at, m.Phase.Name), "Put back the newest state directory")
	}
	return nil
}

// readMarker reads a store's marker; nil if it has none.
func readMarker(ctx context.Context, s *mirror.Store) (*Marker, error) {
	o, err := s.Get(ctx, backends.GetRequest{Key: markerKey})
	if errors.Is(err, backends.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer o.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(o.Body, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", markerKey, err)
	}
	var m Marker
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%s is no marker: %w", markerKey, err)
	}
	return &m, nil
}

// mark writes the marker to every store that may be written to.
func mark(ctx context.Context, b *mirror.Bucket, m Marker) error {
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range []*mirror.Store{b.Old(), b.New()} {
		if s == nil || s.ReadOnly {
			continue
		}
		_, err := s.Put(ctx, backends.PutRequest{
			Key: markerKey, Body: bytes.NewReader(raw), Size: int64(len(raw)),
			Header: http.Header{"Content-Type": {"application/json"}},
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Unmark removes the marker from a store whose bucket is to be removed, with every version
// of it that the bucket keeps.
func Unmark(ctx context.Context, s *mirror.Store) error {
	if _, err := s.Delete(ctx, backends.DeleteRequest{Key: markerKey}); err != nil {
		return err
	}
	for v, err := range backends.WalkVersions(ctx, s, backends.ListVersionsRequest{Prefix: markerKey}) {
		if errors.Is(err, backends.ErrNotSupported) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := s.Delete(ctx, backends.DeleteRequest{Key: v.Key, VersionID: v.VersionID}); err != nil {
			return err
		}
	}
	return nil
}
