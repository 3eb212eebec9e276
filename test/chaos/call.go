package chaos

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"sluice/backends"
)

// keys are the hot keys.
var keys = []string{"k/1", "k/2", "k/3"}

// op is one planned operation of a client.
type op struct {
	Name string
	Key  int
	From int // copies
}

// operations are all that clients do, by how often.
var operations = []struct {
	name   string
	weight int
}{
	{"put", 6},
	{"delete", 5},
	{"get", 6},
	{"head", 3},
	{"list", 3},
	{"create", 2},
	{"copy", 2},
	{"multipart", 2},
	{"tag", 2},
	{"read tag", 2},
	{"delete many", 2},
	{"large put", 1},
}

// service is what a client speaks to.
type service interface {
	Get(context.Context, backends.GetRequest) (*backends.Object, error)
	Head(context.Context, backends.GetRequest) (*backends.Info, error)
	List(context.Context, backends.ListRequest) (*backends.ListPage, error)
	Put(context.Context, backends.PutRequest) (*backends.PutResult, error)
	Delete(context.Context, backends.DeleteRequest) (*backends.DeleteResult, error)
	DeleteMany(context.Context, backends.DeleteManyRequest) ([]backends.DeleteResult, error)
	Copy(context.Context, backends.CopyRequest) (*backends.CopyResult, error)
	CreateUpload(context.Context, backends.CreateUploadRequest) (*backends.CreateUploadResult, error)
	UploadPart(context.Context, backends.PartRequest) (*backends.PutResult, error)
	CompleteUpload(context.Context, backends.CompleteRequest) (*backends.PutResult, error)
	Subresource(context.Context, backends.SubresourceRequest) (*backends.SubresourceResult, error)
	ChangeSubresource(context.Context, backends.SubresourceRequest) (*backends.SubresourceResult, error)
}

// call is one operation on its way.
type call struct {
	service
	history *history
	client  int
	serial  *atomic.Int64 // counts the client's contents
	keys    []string
	note    func(format string, args ...any)
	broken  func() bool // the connection broke: nobody hears the answer
	began   int64

	repeated bool // what it asks for was done before
}

// done records what the client saw of one key.
func (c *call) done(in input, err error, value string) {
	out := output{value: value, maybe: c.repeated}
	broken := c.broken()
	switch {
	case broken:
		out = output{unknown: true}
	case in.kind == create && errors.Is(err, backends.ErrPrecondition):
		out.exists = true
	case in.kind != read && in.kind != write && errors.Is(err, backends.ErrNotFound):
		out.absent = true
	case in.kind == read && errors.Is(err, backends.ErrNotFound):
		out.value = ""
	case err != nil:
		out = output{unknown: true}
	}
	c.history.ended(c.client, c.began, in, out)
	if !broken {
		c.note("client %d: %s %s %s → %q %v", c.client, in.how, in.key, in.value, value, err)
	}
}

// fresh is a new content.
func (c *call) fresh(size int) []byte {
	name := fmt.Sprintf("c%d.%d", c.client, c.serial.Add(1))
	content := append([]byte(name), bytes.Repeat([]byte{'.'}, size)...)
	c.history.content(hash(content), name)
	return content
}

func hash(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

func nameIn(content []byte) string {
	name, _, _ := strings.Cut(string(content), ".....")
	return strings.TrimRight(name, ".")
}

func (c *call) run(ctx context.Context, o op) {
	key := c.keys[o.Key]
	switch o.Name {
	case "put":
		c.put(ctx, key, c.fresh(8), false)
	case "large put":
		c.put(ctx, key, c.fresh(1200<<10), false)
	case "create":
		c.put(ctx, key, c.fresh(8), true)
	case "delete":
		_, err := c.Delete(ctx, backends.DeleteRequest{Key: key})
		c.done(input{key: key, kind: remove, how: o.Name}, err, "")
	case "delete many":
		c.deleteMany(ctx)
	case "get":
		c.get(ctx, key)
	case "head":
		info, err := c.Head(ctx, backends.GetRequest{Key: key})
		value := ""
		if err == nil {
			value = c.history.nameOf(info.ETag)
		}
		c.done(input{key: key, kind: read, how: o.Name}, err, value)
	case "list":
		c.list(ctx)
	case "copy":
		c.copy(ctx, c.keys[o.From], key)
	case "multipart":
		c.multipart(ctx, key, false)
	case "multipart twice":
		c.multipart(ctx, key, true)
	case "tag":
		c.tag(ctx, key)
	case "read tag":
		c.readTag(ctx, key)
	case "acl":
		c.acl(ctx, key, o.From > 0)
	case "read acl":
		c.readACL(ctx, key)
	}
}

func (c *call) put(ctx context.Context, key string, content []byte, onlyNew bool) {
	in := input{key: key, kind: write, value: nameIn(content), how: "put"}
	if onlyNew {
		in.kind = create
	}
	_, err := c.Put(ctx, backends.PutRequest{Key: key, Body: bytes.NewReader(content), Size: int64(len(content)), IfNoneMatch: onlyNew})
	c.done(in, err, "")
}

func (c *call) get(ctx context.Context, key string) {
	in := input{key: key, kind: read, how: "get"}
	o, err := c.Get(ctx, backends.GetRequest{Key: key})
	if err != nil {
		c.done(in, err, "")
		return
	}
	defer o.Body.Close()
	content, err := io.ReadAll(o.Body)
	if err == nil && hash(content) != o.ETag && !strings.Contains(o.ETag, "-") {
		err = fmt.Errorf("the body is not what the ETag says")
	}
	c.done(in, err, nameIn(content))
}

func (c *call) list(ctx context.Context) {
	found := make(map[string]string)
	folder, _, _ := strings.Cut(c.keys[0], "/")
	r := backends.ListRequest{MaxKeys: 2, Prefix: folder + "/"}
	var err error
	for {
		var page *backends.ListPage
		if page, err = c.List(ctx, r); err != nil {
			break
		}
		for _, o := range page.Objects {
			found[o.Key] = c.history.nameOf(o.ETag)
		}
		if !page.Truncated {
			break
		}
		r.Token = page.NextToken
	}
	for _, key := range c.keys {
		c.done(input{key: key, kind: read, how: "list"}, err, found[key])
	}
}

func (c *call) deleteMany(ctx context.Context) {
	var r backends.DeleteManyRequest
	for _, key := range c.keys[:2] {
		r.Objects = append(r.Objects, backends.ObjectVersion{Key: key})
	}
	results, err := c.DeleteMany(ctx, r)
	for i, o := range r.Objects {
		each := err
		if each == nil {
			each = results[i].Err
		}
		c.done(input{key: o.Key, kind: remove, how: "delete many"}, each, "")
	}
}

func (c *call) copy(ctx context.Context, from, to string) {
	result, err := c.Copy(ctx, backends.CopyRequest{
		Key: to, SourceKey: from, Header: http.Header{"X-Amz-Tagging-Directive": {"REPLACE"}, "X-Amz-Metadata-Directive": {"REPLACE"}},
	})
	in := input{key: to, kind: write, how: "copy"}
	switch {
	case err == nil:
		in.value = c.history.nameOf(result.ETag)
		c.history.content(result.ETag, in.value)
		if from != to {
			c.done(input{key: from, kind: read, how: "copy's source"}, nil, in.value)
		}
	case errors.Is(err, backends.ErrNotFound):
		c.done(input{key: from, kind: read, how: "copy's source"}, err, "")
		return
	default:
		in.from = from
	}
	c.done(in, err, "")
}

func (c *call) multipart(ctx context.Context, key string, twice bool) {
	head, tail := c.fresh(64), bytes.Repeat([]byte{'.'}, 16)
	var parts []backends.CompletedPart
	up, err := c.CreateUpload(ctx, backends.CreateUploadRequest{Key: key})
	if err != nil {
		return
	}
	var sums []byte
	for i, content := range [][]byte{head, tail} {
		sum := md5.Sum(content)
		sums = append(sums, sum[:]...)
		part, err := c.UploadPart(ctx, backends.PartRequest{
			Key: key, UploadID: up.UploadID, Number: i + 1, Body: bytes.NewReader(content), Size: int64(len(content)),
		})
		if err != nil {
			return
		}
		parts = append(parts, backends.CompletedPart{Number: i + 1, ETag: part.ETag})
	}
	c.history.content(hash(sums)+"-2", nameIn(head))
	c.history.content(hash(append(bytes.Clone(head), tail...)), nameIn(head)) // as a copy has it
	c.began = c.history.began()
	complete := backends.CompleteRequest{Key: key, UploadID: up.UploadID, Parts: parts}
	_, err = c.CompleteUpload(ctx, complete)
	in := input{key: key, kind: write, value: nameIn(head), how: "multipart"}
	c.done(in, err, "")
	if !twice {
		return
	}
	// A client that heard no answer, or lost it, completes again.
	c.began = c.history.began()
	_, err = c.CompleteUpload(ctx, complete)
	in.how = "multipart again"
	c.repeated = true
	c.done(in, err, "")
}

var tagging = url.Values{"tagging": {""}}

func (c *call) tag(ctx context.Context, key string) {
	value := fmt.Sprintf("t%d.%d", c.client, c.serial.Add(1))
	_, err := c.ChangeSubresource(ctx, backends.SubresourceRequest{
		Op: "PutObjectTagging", Method: http.MethodPut, Key: key, Query: tagging,
		Body: []byte("<Tagging><TagSet><Tag><Key>t</Key><Value>" + value + "</Value></Tag></TagSet></Tagging>"),
	})
	c.done(input{key: key, kind: setTag, value: value, how: "tag"}, err, "")
}

func (c *call) readTag(ctx context.Context, key string) {
	result, err := c.Subresource(ctx, backends.SubresourceRequest{Op: "GetObjectTagging", Method: http.MethodGet, Key: key, Query: tagging})
	value := ""
	if err == nil {
		_, rest, _ := strings.Cut(string(result.Body), "<Value>")
		value, _, _ = strings.Cut(rest, "</Value>")
	}
	c.done(input{key: key, kind: readTag, how: "read tag"}, err, value)
}

func (c *call) acl(ctx context.Context, key string, public bool) {
	value := aclOf(public)
	err := backends.SetCannedACL(ctx, c, key, value)
	c.done(input{key: key, kind: setACL, value: value, how: "acl"}, err, "")
}

func (c *call) readACL(ctx context.Context, key string) {
	result, err := c.Subresource(ctx, backends.SubresourceRequest{
		Op: "GetObjectAcl", Method: http.MethodGet, Key: key, Query: url.Values{"acl": {""}},
	})
	value := ""
	if err == nil {
		value = aclOf(strings.Contains(string(result.Body), "AllUsers"))
	}
	c.done(input{key: key, kind: readACL, how: "read acl"}, err, value)
}
