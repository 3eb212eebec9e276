package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/mirror"
)

// examine tries everything that Sluice needs of a bucket, and looks at what could surprise.
func (p *place) examine(ctx context.Context) {
	first, there := p.list(ctx)
	if !there {
		return
	}
	if p.config.ReadOnly {
		p.ok("put", "not tried: the store is read_only")
		p.read(ctx, first)
	} else {
		p.write(ctx, first)
	}
	p.versions(ctx)
	p.lock(ctx)
	p.lifecycle(ctx)
	p.strangers(ctx)
	if len(p.missing) == 0 || ctx.Err() != nil {
		return
	}
	slices.Sort(p.missing)
	who := "the store's key pair"
	if id := p.config.AccessKeyID; id != "" {
		who = "the key pair " + id
	}
	p.report(Check{
		Kind: p.kind, Subject: p.name, Name: "rights", Result: Failed, Cause: Denied, Policy: p.policy(),
		Seen: "missing: " + strings.Join(slices.Compact(p.missing), ", "),
		Todo: "at the provider, attach the policy to the user of " + who + "; where there are no policies, give it the rights by the provider's own means",
	})
}

// try makes a check of a request. One that has begun is not interrupted: nobody would know
// what became of it.
func (p *place) try(ctx context.Context, check, good string, request func(context.Context) error) bool {
	return p.tryFor(ctx, check, good, "", request)
}

// tryFor is try of what a store need not know: none says what it means that it does not.
func (p *place) tryFor(ctx context.Context, check, good, none string, request func(context.Context) error) bool {
	if p.gone || ctx.Err() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := request(ctx)
	switch {
	case err == nil:
		p.ok(check, good)
	case none != "" && backends.Unsupported(err) && !errors.Is(err, backends.ErrDenied):
		p.ok(check, none)
	default:
		p.refused(check, err)
	}
	return err == nil
}

func (p *place) refused(check string, err error) {
	var e *backends.Error
	if errors.As(err, &e) && errors.Is(err, backends.ErrDenied) {
		if rights := denied(e); len(rights) > 0 {
			p.lacks(check, "", rights...)
			return
		}
	}
	p.gone = unanswered(err)
	p.fail(check, p.explain(err))
}

// lacks: rights are missing. or says what else than granting them helps.
func (p *place) lacks(check, or string, rights ...string) {
	p.missing = append(p.missing, rights...)
	p.fail(check, trouble{"the key pair may not: " + strings.Join(rights, ", ") + " is missing", "give it the policy below" + or, Denied})
}

// list answers a key of the bucket, "" if it is empty or can not be listed. Where the bucket
// or the key pair is wrong as such there is nothing else to try.
func (p *place) list(ctx context.Context) (first string, there bool) {
	wrong := false
	p.try(ctx, "list", "the bucket can be listed", func(ctx context.Context) error {
		page, err := p.store.List(ctx, backends.ListRequest{MaxKeys: 100})
		if err != nil {
			var e *backends.Error
			wrong = !errors.As(err, &e) || !errors.Is(err, backends.ErrDenied) || len(denied(e)) == 0
			return err
		}
		i := slices.IndexFunc(page.Objects, func(o backends.ListedObject) bool { return !mirror.IsReserved(o.Key) })
		if i >= 0 {
			first = page.Objects[i].Key
		}
		return nil
	})
	return first, !wrong && ctx.Err() == nil
}

// read tries on an object of the bucket what needs no writing.
func (p *place) read(ctx context.Context, key string) {
	switch {
	case key == "" && len(p.missing) > 0:
		p.warn("get", "it could not be tried: no object is known that could be read", "ask again when what is missing is granted")
		return
	case key == "":
		p.ok("get", "not tried: there is no object to read")
		return
	}
	if !p.try(ctx, "get", "objects can be read", func(ctx context.Context) error { return p.get(ctx, key, "") }) {
		return
	}
	p.try(ctx, "range", "parts of objects can be read", func(ctx context.Context) error {
		err := p.get(ctx, key, "bytes=0-0")
		if errors.Is(err, backends.ErrInvalidRange) { // it is empty
			return nil
		}
		return err
	})
	p.absent(ctx)
	p.acl(ctx, func(ctx context.Context) error {
		_, err := backends.CannedACL(ctx, p.store, key)
		return err
	})
	p.tags(ctx, key, func(context.Context) error { return nil })
}

// get opens an object, or a part of it, and reads no more than a little.
func (p *place) get(ctx context.Context, key, part string) error {
	o, err := p.store.Get(ctx, backends.GetRequest{Key: key, Range: part})
	if err != nil {
		return err
	}
	defer o.Body.Close()
	_, err = io.CopyN(io.Discard, o.Body, min(o.Length, 4<<10))
	if err == nil && part != "" && o.Length > 1 {
		err = fmt.Errorf("store %s answers %d bytes where one was asked for", p.storeName, o.Length)
	}
	return err
}

// write tries everything on a canary.
func (p *place) write(ctx context.Context, first string) {
	sweep, cancel := context.WithTimeout(ctx, patience)
	_ = backends.RemoveForgotten(sweep, p.store) // what it may not do is told below
	cancel()
	c := backends.NewCanary(p.store)
	if p.try(ctx, "put", "objects can be stored", c.Put) {
		if p.try(ctx, "get", "what was stored is read back", c.Get) {
			p.try(ctx, "range", "a part of it, too", c.GetRange)
			p.absent(ctx)
			p.tryFor(ctx, "copy", "the store copies objects itself", "the store can not copy objects itself: they pass through Sluice", c.Copy)
		}
		p.acl(ctx, func(ctx context.Context) error {
			if err := c.SetACL(ctx); err != nil {
				return err
			}
			_, err := backends.CannedACL(ctx, p.store, c.Key)
			return err
		})
		p.tags(ctx, c.Key, func(ctx context.Context) error {
			_, err := p.store.ChangeSubresource(ctx, backends.SubresourceRequest{
				Op: "PutObjectTagging", Method: http.MethodPut, Key: c.Key, Query: url.Values{"tagging": {""}},
				Body: []byte("<Tagging><TagSet><Tag><Key>canary</Key><Value>yes</Value></Tag></TagSet></Tagging>"),
			})
			return err
		})
	} else if !p.gone {
		p.read(ctx, first)
	}
	p.try(ctx, "multipart", "large objects can be stored in parts", c.Upload)
	p.uploads(ctx, c.Key)
	deleted := p.try(ctx, "delete", "objects can be removed", c.Delete)
	if err := c.Remove(ctx); err != nil {
		p.warn("canary", "what was stored for these checks could not be removed", "remove what begins with "+c.Key+" from the bucket")
	}
	if deleted && len(p.missing) == 0 {
		p.profile(ctx)
	}
}

// absent: what is not there must be said not to be there. A store answers 403 instead to
// who may not list, and that proves nothing.
func (p *place) absent(ctx context.Context) {
	p.try(ctx, "absent", "what is not there is said not to be there", func(ctx context.Context) error {
		_, err := p.store.Head(ctx, backends.GetRequest{Key: backends.NewCanary(p.store).Key})
		var e *backends.Error
		switch {
		case errors.Is(err, backends.ErrNotFound):
			return nil
		case err == nil:
			return fmt.Errorf("store %s has an object under every name", p.storeName)
		case errors.Is(err, backends.ErrDenied) && errors.As(err, &e):
			e.Op, e.Code = "ListObjectsV2", "AccessDenied" // whose right it is; HEAD says nothing but 403
		}
		return err
	})
}

func (p *place) acl(ctx context.Context, request func(context.Context) error) {
	const kept = "Sluice keeps the objects' ACLs itself"
	switch {
	case p.config.ACLs == config.ACLsKept:
		p.ok("acl", "not tried: "+kept+", as the configuration says")
		return
	case p.noACLs:
		p.ok("acl", "MinIO has none: "+kept)
		return
	case p.gone || ctx.Err() != nil:
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := request(ctx)
	var e *backends.Error
	switch {
	case err == nil:
		p.ok("acl", "objects' ACLs can be used")
	case errors.Is(err, backends.ErrDenied) && errors.As(err, &e) && len(denied(e)) > 0:
		p.lacks("acl", fmt.Sprintf("; or set stores.%s.acls: sluice, if the bucket is to be without ACLs", p.storeName), denied(e)...)
	case backends.Unsupported(err):
		p.noACLs = true
		p.ok("acl", "the store has none: "+kept)
	default:
		p.refused("acl", err)
	}
}

func (p *place) tags(ctx context.Context, key string, set func(context.Context) error) {
	p.tryFor(ctx, "tags", "objects' tags can be used", "the store has none", func(ctx context.Context) error {
		if err := set(ctx); err != nil {
			return err
		}
		_, err := backends.Tags(ctx, p.store, key)
		return err
	})
}

// uploads tries what clients do with an open upload beside completing it.
func (p *place) uploads(ctx context.Context, key string) {
	p.try(ctx, "uploads", "open uploads can be listed", func(ctx context.Context) error {
		_, err := p.store.ListUploads(ctx, backends.ListUploadsRequest{Prefix: backends.CanaryPrefix, MaxUploads: 1})
		return err
	})
	id := "none" // an upload that is not there says as well whether it may be aborted
	opened := ""
	if !p.gone && ctx.Err() == nil {
		opening, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if u, err := p.store.CreateUpload(opening, backends.CreateUploadRequest{Key: key}); err == nil {
			id, opened = u.UploadID, u.UploadID
		}
	}
	if opened != "" {
		p.try(ctx, "parts", "their parts can be listed", func(ctx context.Context) error {
			_, err := p.store.ListParts(ctx, backends.ListPartsRequest{Key: key, UploadID: id})
			return err
		})
	}
	// Even if all this was interrupted: the upload is not to stay.
	p.try(context.WithoutCancel(ctx), "abort", "uploads can be aborted", func(ctx context.Context) error {
		err := p.store.AbortUpload(ctx, key, id)
		if opened == "" && !errors.Is(err, backends.ErrDenied) && !errors.Is(err, backends.ErrUnavailable) {
			return nil
		}
		return err
	})
}
