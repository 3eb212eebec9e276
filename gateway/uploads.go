package gateway

import (
	"io"
	"net/http"

	"sluice/backends"
	"sluice/gateway/mirror"
	"sluice/gateway/s3api"
)

func (c *call) createUpload() error {
	r, err := c.CreateUpload()
	if err != nil {
		return err
	}
	if err := c.drain(); err != nil {
		return err
	}
	result, err := c.bucket.CreateUpload(c.r.Context(), r)
	if err != nil {
		return err
	}
	s3api.WriteCreateUpload(c.w, c.Request, result)
	return nil
}

func (c *call) uploadPart() error {
	return c.upload(func(body io.Reader) (*backends.PutResult, error) {
		r, err := c.Part(body, c.body.Size)
		if err != nil {
			return nil, err
		}
		r.Trailer = c.trailer()
		return c.bucket.UploadPart(c.r.Context(), r)
	})
}

func (c *call) copyPart() error {
	r, err := c.CopyPart()
	if err != nil {
		return err
	}
	return c.copy(r.SourceBucket, r.SourceKey, func(from *mirror.Bucket) (*backends.CopyResult, error) {
		return c.bucket.CopyPart(c.r.Context(), from, r.CopyPartRequest)
	})
}

func (c *call) completeUpload() error {
	r, err := c.Complete(c.body)
	if err != nil {
		return err
	}
	s3api.WriteComplete(c.w, c.r, c.Request, c.w.Header().Get("X-Amz-Request-Id"), func() (*backends.PutResult, error) {
		result, err := c.bucket.CompleteUpload(c.r.Context(), r)
		if err != nil {
			return nil, s3Error(err)
		}
		return result, nil
	})
	return nil
}

func (c *call) abortUpload() error {
	if err := c.bucket.AbortUpload(c.r.Context(), c.Key, c.UploadID()); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (c *call) listParts() error {
	r, err := c.ListParts()
	if err != nil {
		return err
	}
	page, err := c.bucket.ListParts(c.r.Context(), r)
	if err != nil {
		return err
	}
	s3api.WriteParts(c.w, c.Request, r, page)
	return nil
}

func (c *call) listUploads() error {
	r, err := c.ListUploads()
	if err != nil {
		return err
	}
	page, err := c.bucket.ListUploads(c.r.Context(), r.ListUploadsRequest)
	if err != nil {
		return err
	}
	s3api.WriteUploads(c.w, c.Request, r, page)
	return nil
}
