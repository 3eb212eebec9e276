package gateway

import (
	"net/http"

	"sluice/gateway/s3api"
	"sluice/gateway/sigv4"
)

// formSlots bounds the forms whose files are taken in at once: they are spooled to
// the state directory's disk.
const formSlots = 64

// postObject answers an upload by HTML form. What is signed is the form's policy,
// not the request; so the form is read, up to its file, before it is known who
// sends it.
func (g *gate) postObject(w http.ResponseWriter, r *http.Request, req *s3api.Request) error {
	form, err := req.PostForm(r)
	if err != nil {
		return err
	}
	req.Key = form.Key
	who, sizes, err := g.verifier.VerifyPost(form.Bucket, form.Fields)
	if err != nil {
		return err
	}
	c := &call{Request: form.Request, g: g, w: w, r: r, who: who, rights: g.rightsOf(who, form.Bucket)}
	if err := c.allowed(); err != nil {
		return err
	}
	if c.bucket, err = g.buckets.get(r.Context(), form.Bucket); err != nil {
		return err
	}
	g.shareWithOrigin(c)
	if c.body, err = sigv4.FormBody(form.File, form.Header); err != nil {
		return err
	}
	select {
	case g.forms <- struct{}{}:
		defer func() { <-g.forms }()
	default:
		return s3api.ErrorFor("SlowDown", "")
	}
	body := keepAlive(w, r, c.body)
	defer body.stop()
	file, err := s3api.SpoolFile(body, g.config.StateDir, sizes.Min, sizes.Max)
	if err != nil {
		return err
	}
	defer file.Close()
	put, err := form.Put(file, file.Size)
	if err != nil {
		return err
	}
	result, err := c.bucket.Put(r.Context(), put)
	body.stop()
	if err != nil {
		return err
	}
	s3api.WritePost(w, r, form, result)
	return nil
}
