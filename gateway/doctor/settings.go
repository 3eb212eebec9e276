package doctor

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"sluice/backends"
)

// document reads a setting of the bucket into v. It answers false, after having told why,
// where the setting can not be known; what was never set leaves v as it is.
func (p *place) document(ctx context.Context, check, op, query, right string, v any) bool {
	if p.gone || ctx.Err() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := p.store.Subresource(ctx, backends.SubresourceRequest{Op: op, Method: http.MethodGet, Query: url.Values{query: {""}}})
	var e *backends.Error
	switch {
	case err == nil && xml.Unmarshal(answer.Body, v) == nil:
		return true
	case errors.As(err, &e) && e.Status == http.StatusNotFound && e.Code != "" && e.Code != "NoSuchBucket": // NoSuchLifecycleConfiguration and its like
		return true
	case err == nil, errors.Is(err, backends.ErrNotSupported), errors.Is(err, backends.ErrInvalid):
		p.ok(check, "the store knows no such setting")
	case errors.Is(err, backends.ErrDenied):
		p.warn(check, "it can not be seen: "+right+" is missing", "give the key pair "+right+", or look at the provider's console")
	default:
		p.refused(check, err)
	}
	return false
}

func (p *place) versions(ctx context.Context) {
	var v struct {
		XMLName xml.Name `xml:"VersioningConfiguration"`
		Status  string
	}
	if !p.document(ctx, "versioning", "GetBucketVersioning", "versioning", versioning, &v) {
		return
	}
	switch p.versioned = v.Status != ""; v.Status {
	case "Enabled":
		p.ok("versioning", "on: what is replaced or removed stays as an old version, and is paid for")
	case "":
		p.ok("versioning", "off")
	default:
		p.ok("versioning", strings.ToLower(v.Status))
	}
}

func (p *place) lock(ctx context.Context) {
	var v struct {
		XMLName   xml.Name `xml:"ObjectLockConfiguration"`
		Enabled   string   `xml:"ObjectLockEnabled"`
		Retention struct {
			Mode        string
			Days, Years int
		} `xml:"Rule>DefaultRetention"`
	}
	if !p.document(ctx, "object lock", "GetObjectLockConfiguration", "object-lock", objectLock, &v) {
		return
	}
	switch r := v.Retention; {
	case r.Mode != "":
		p.warn("object lock", fmt.Sprintf("every version is kept for %d days (%s), whatever is removed", r.Days+365*r.Years, strings.ToLower(r.Mode)),
			"take the default retention off, unless removed objects are to be kept")
	case v.Enabled != "":
		p.ok("object lock", "on, without a default retention")
	default:
		p.ok("object lock", "off")
	}
}

// rule is one of a bucket's lifecycle.
type rule struct {
	ID, Status string
	Prefix     string // of the old form
	Filter     struct {
		Prefix string
		Tag    *struct{}
		And    *struct{ Prefix string }
	}
	Expiration *struct {
		Days int
		Date string
	}
	Transition []struct{ StorageClass string }
	Abort      *struct {
		Days int `xml:"DaysAfterInitiation"`
	} `xml:"AbortIncompleteMultipartUpload"`
}

// soonAborted is, in days, too soon for an upload to be aborted.
const soonAborted = 7

// lifecycle looks for rules by which a store does of itself what no client asked for, so
// that the stores come to differ, or an object is gone.
func (p *place) lifecycle(ctx context.Context) {
	var v struct {
		XMLName xml.Name `xml:"LifecycleConfiguration"`
		Rules   []rule   `xml:"Rule"`
	}
	if !p.document(ctx, "lifecycle", "GetBucketLifecycleConfiguration", "lifecycle", lifecycle, &v) {
		return
	}
	quiet := true
	for _, r := range v.Rules {
		if r.Status == "Enabled" {
			quiet = p.judge(r) && quiet
		}
	}
	if quiet {
		p.ok("lifecycle", "no rule removes or moves objects")
	}
}

// judge tells whether a rule is harmless, and of what it does if not.
func (p *place) judge(r rule) bool {
	prefix := r.Prefix + r.Filter.Prefix
	if r.Filter.And != nil {
		prefix += r.Filter.And.Prefix
	}
	what := "objects"
	if prefix != "" {
		what = fmt.Sprintf("objects that begin with %q", prefix)
	}
	rule := fmt.Sprintf("rule %q ", r.ID)
	const off = "take the rule off at the provider until the migration is over, or for good"
	harmless := true
	if e := r.Expiration; e != nil && (e.Days > 0 || e.Date != "") {
		harmless = false
		seen := rule + "removes " + what
		if e.Days > 0 {
			seen += fmt.Sprintf(" after %d days", e.Days)
		}
		if p.isNew {
			p.fail("lifecycle", trouble{seen + ", also those that the application still has", off, ""})
		} else {
			p.warn("lifecycle", seen, off)
		}
	}
	if len(r.Transition) > 0 {
		harmless = false
		p.warn("lifecycle", fmt.Sprintf("%smoves %s to %s: reading them may cost more, or be refused", rule, what, r.Transition[0].StorageClass), off)
	}
	if a := r.Abort; a != nil && a.Days < soonAborted {
		harmless = false
		p.warn("lifecycle", fmt.Sprintf("%saborts uploads after %d days, also those that are still sent to", rule, a.Days),
			fmt.Sprintf("let it wait for %d days or more", soonAborted))
	}
	return harmless
}

// strangers must not be able to list the bucket.
func (p *place) strangers(ctx context.Context) {
	if p.gone || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	open, err := p.store.ListsToAnyone(ctx)
	switch {
	case err != nil:
		t := p.explain(err)
		p.warn("strangers", "it could not be seen whether strangers can list the bucket: "+t.seen, t.todo)
	case open:
		p.fail("strangers", trouble{
			"everyone can list the bucket, and with that find every object",
			"take s3:ListBucket for Principal * out of the bucket's policy, and READ for everyone out of the bucket's ACL", "",
		})
	default:
		p.ok("strangers", "an unsigned listing is refused")
	}
}
