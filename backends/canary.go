package backends

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// Canary is an object of Sluice's own on which it is tried what a store does and what its
// key pair may. Whoever made one calls Remove.
type Canary struct {
	Store Store
	Key   string

	stored    []string // keys that may be in the store now
	versioned bool     // the store answered a version's id
}

// CanaryPrefix begins every canary's key, below the prefix that clients never see.
const CanaryPrefix = ".sluice/canary-"

// NewCanary names a canary; it sends nothing. The name is new each time, so that two who try
// at once are not in each other's way.
func NewCanary(s Store) *Canary { return &Canary{Store: s, Key: CanaryPrefix + rand.Text()} }

var canaryContent = []byte("sluice looks what this store does and what it allows\n")

// Put stores it.
func (c *Canary) Put(ctx context.Context) error {
	_, err := c.put(ctx, PutRequest{Header: http.Header{"Content-Type": {"text/plain"}}}, canaryContent)
	return err
}

// PutCopy stores an object's content under its name.
func (c *Canary) PutCopy(ctx context.Context, o *Object) error {
	r := PutRequest{Key: c.Key, Body: o.Body, Size: o.Length, Header: Describing(o.Header)}
	result, err := c.Store.Put(ctx, r)
	c.note(result, c.Key, err)
	return err
}

// put stores content under the canary's key, as r says.
func (c *Canary) put(ctx context.Context, r PutRequest, content []byte) (result *PutResult, err error) {
	r.Key, r.Size = c.Key, int64(len(content))
	err = patiently(ctx, func() (err error) {
		r.Body = bytes.NewReader(content)
		result, err = c.Store.Put(ctx, r)
		c.note(result, r.Key, err)
		return err
	})
	return result, err
}

// note remembers what Remove is for; r is nil where the store answers no version's id.
func (c *Canary) note(r *PutResult, key string, err error) {
	c.versioned = c.versioned || r != nil && r.Header.Get("X-Amz-Version-Id") != ""
	if (err == nil || Unknown(err)) && !slices.Contains(c.stored, key) {
		c.stored = append(c.stored, key)
	}
}

// Get reads all of it.
func (c *Canary) Get(ctx context.Context) error { return c.read(ctx, "", canaryContent) }

// GetRange reads a part of it.
func (c *Canary) GetRange(ctx context.Context) error {
	return c.read(ctx, "bytes=7-11", canaryContent[7:12])
}

func (c *Canary) read(ctx context.Context, part string, want []byte) error {
	o, err := c.Store.Get(ctx, GetRequest{Key: c.Key, Range: part})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	got, err := io.ReadAll(io.LimitReader(o.Body, int64(len(canaryContent))+1))
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("store %s answers %q (range %q) of an object that holds %q", c.Store.Name(), got, part, canaryContent)
	}
	return err
}

// SetACL closes it to strangers.
func (c *Canary) SetACL(ctx context.Context) error {
	return patiently(ctx, func() error { return SetCannedACL(ctx, c.Store, c.Key, "private") })
}

// Copy copies it on the server.
func (c *Canary) Copy(ctx context.Context) error {
	key := c.Key + "-copy"
	_, err := c.Store.Copy(ctx, CopyRequest{Key: key, SourceKey: c.Key})
	c.note(nil, key, err)
	return err
}

// Upload stores another one by a multipart upload of one part.
func (c *Canary) Upload(ctx context.Context) (err error) {
	key := c.Key + "-upload"
	u, err := c.Store.CreateUpload(ctx, CreateUploadRequest{Key: key})
	if err != nil {
		return err
	}
	part, err := c.Store.UploadPart(ctx, PartRequest{
		Key: key, UploadID: u.UploadID, Number: 1, Body: bytes.NewReader(canaryContent), Size: int64(len(canaryContent)),
	})
	if err == nil {
		var done *PutResult
		done, err = c.Store.CompleteUpload(ctx, CompleteRequest{
			Key: key, UploadID: u.UploadID, Parts: []CompletedPart{{Number: 1, ETag: part.ETag}},
		})
		c.note(done, key, err)
	}
	if err != nil {
		ctx, cancel := removalContext(ctx)
		defer cancel()
		_ = c.Store.AbortUpload(ctx, key, u.UploadID) // the first failure is the one to tell of
	}
	return err
}

// Delete removes the object that Put stored, or none.
func (c *Canary) Delete(ctx context.Context) error {
	return patiently(ctx, func() error {
		_, err := c.Store.Delete(ctx, DeleteRequest{Key: c.Key})
		if err == nil && !c.versioned {
			c.stored = slices.DeleteFunc(c.stored, func(key string) bool { return key == c.Key })
		}
		return err
	})
}

// removalTime bounds the removal of a canary. Whoever interrupts what is tried waits for it.
const removalTime = 5 * time.Second

func removalContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), removalTime)
}

// Remove leaves nothing of the canary in the store, versions included, even if ctx is done.
func (c *Canary) Remove(ctx context.Context) error {
	ctx, cancel := removalContext(ctx)
	defer cancel()
	var errs []error
	for _, key := range c.stored {
		_, err := c.Store.Delete(ctx, DeleteRequest{Key: key})
		errs = append(errs, err)
	}
	if c.versioned {
		for v, err := range WalkVersions(ctx, c.Store, ListVersionsRequest{Prefix: c.Key}) {
			if err == nil {
				_, err = c.Store.Delete(ctx, DeleteRequest{Key: v.Key, VersionID: v.VersionID})
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// canaryLife is how old a canary must be for nobody to need it any more.
const canaryLife = time.Hour

// RemoveForgotten removes the canaries and their uploads that were left behind by who was
// killed, or whose store was gone.
func RemoveForgotten(ctx context.Context, s Store) error {
	forgotten := func(t time.Time) bool { return time.Since(t) > canaryLife }
	var errs []error
	for o, err := range Walk(ctx, s, ListRequest{Prefix: CanaryPrefix}) {
		if err == nil && forgotten(o.LastModified) {
			_, err = s.Delete(ctx, DeleteRequest{Key: o.Key})
		}
		errs = append(errs, err)
	}
	page, err := s.ListUploads(ctx, ListUploadsRequest{Prefix: CanaryPrefix, MaxUploads: 1000})
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, u := range page.Uploads {
		if forgotten(u.Initiated) {
			errs = append(errs, s.AbortUpload(ctx, u.Key, u.UploadID))
		}
	}
	return errors.Join(errs...)
}
