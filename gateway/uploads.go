package gateway

import (
	"net/http"

	"sluice/backends"
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
	body := keepAlive(c.w, c.r, c.body)
	r, err := c.Part(body, c.body.Size)
	if err != nil {
		return err
	}
	result, err := c.bucket.UploadPart(c.r.Context(), r)
	body.stop()
	if err != nil {
		return err
	}
	s3api.WritePut(c.w, result)
	return nil
}

func (c *call) copyPart() error {
	r, err := c.CopyPart()
	if err != nil {
		return err
	}
	if err := c.allowSource(r.SourceBucket, r.SourceKey); err != nil {
		return err
	}
	if err := c.drain(); err != nil {
		return err
	}
	body := keepAlive(c.w, c.r, c.body)
	body.begin()
	result, err := c.bucket.CopyPart(c.r.Context(), r.CopyPartRequest)
	body.stop()
	if err != nil {
		return err
	}
	s3api.WriteCopyResult(c.w, c.Request, result)
	return nil
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
