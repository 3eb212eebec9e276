package s3api

import (
	"net/http"
	"net/url"
	"strings"

	"sluice/backends"
)

// WritePost answers PostObject in the way that the form asks for: a redirect, or
// the status of its success_action_status, else 204.
func WritePost(w http.ResponseWriter, r *http.Request, f *PostForm, p *backends.PutResult) {
	setAll(w.Header(), p.Header)
	w.Header()["Etag"] = []string{`"` + p.ETag + `"`}
	if target := f.redirect(p.ETag); target != "" {
		http.Redirect(w, r, target, http.StatusSeeOther)
		return
	}
	at := f.location(r)
	w.Header().Set("Location", at)
	switch f.Fields["success_action_status"] {
	case "200":
		w.WriteHeader(http.StatusOK)
	case "201":
		doc := newDocument()
		doc.open("PostResponse")
		doc.text("Location", at)
		doc.text("Bucket", f.Bucket)
		doc.echo("Key", f.Key)
		doc.etag(p.ETag)
		doc.close("PostResponse")
		doc.send(w, http.StatusCreated)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// location is the new object's address as this client reaches it. As in S3, the
// slashes of the key are encoded.
func (f *PostForm) location(r *http.Request) string {
	return strings.TrimSuffix(location(r), "/") + "/" + url.PathEscape(f.Key)
}

// redirect is where the form wants the browser to go, told what was stored; ""
// for nowhere. What is no address of a page is ignored, as S3 does it.
func (f *PostForm) redirect(etag string) string {
	text, ok := f.Fields["success_action_redirect"]
	if !ok {
		text = f.Fields["redirect"] // its name until 2008
	}
	target, err := url.Parse(text)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return ""
	}
	added := "bucket=" + url.QueryEscape(f.Bucket) + "&key=" + url.QueryEscape(f.Key) +
		"&etag=" + url.QueryEscape(`"`+etag+`"`)
	if target.RawQuery != "" {
		added = target.RawQuery + "&" + added
	}
	target.RawQuery = added
	return target.String()
}
