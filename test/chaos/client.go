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

	"sluice/backends"
	"sluice/gateway/mirror"
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

// client plays its operations one after the other, each when the scheduler says so.
type client struct {
	id     int
	w      *world
	ops    []op
	busy   bool
	cancel context.CancelFunc // of the operation under way
	life   int                // of the gateway that it talks to
	serial int
}

func (w *world) addClient(id int, ops []op) {
	w.clients = append(w.clients, &client{id: id, w: w, ops: ops})
}

// begin starts the next operation.
func (c *client) begin() {
	o := c.ops[0]
	c.ops = c.ops[1:]
	c.busy = true
	c.life = c.w.life
	c.w.figures.Operations++
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.w.note("client %d: %s %s", c.id, o.Name, keys[o.Key])
	b, life := c.w.gateway.bucket, c.life
	go func() {
		defer func() {
			cancel()
			if c.life == life {
				c.busy = false
			}
		}()
		c.run(ctx, &call{client: c, Bucket: b, life: life, began: c.w.history.began()}, o)
	}()
}

// hangUp breaks the client's connection: it goes on with its next operation.
func (c *client) hangUp() {
	if c.busy {
		c.cancel()
		c.busy = false
		c.life = 0
	}
}

// call is one operation on its way.
type call struct {
	*client
	*mirror.Bucket
	life  int
	began int64
}

// done records what the client saw of one key.
func (c *call) done(in input, err error, value string) {
	out := output{value: value}
	switch {
	case c.client.life != c.life:
		out = output{unknown: true} // the connection broke
	case in.kind == create && errors.Is(err, backends.ErrPrecondition):
		out.exists = true
	case in.kind != read && in.kind != write && errors.Is(err, backends.ErrNotFound):
		out.absent = true
	case in.kind == read && errors.Is(err, backends.ErrNotFound):
		out.value = ""
	case err != nil:
		out = output{unknown: true}
	}
	c.w.history.ended(c.id, c.began, in, out)
	if c.client.life != c.life {
		return
	}
	c.w.note("client %d: %s %s %s → %q %v", c.id, in.how, in.key, in.value, value, err)
}

// fresh is a new content.
func (c *call) fresh(size int) []byte {
	c.serial++
	name := fmt.Sprintf("c%d.%d", c.id, c.serial)
	content := append([]byte(name), bytes.Repeat([]byte{'.'}, size)...)
	c.w.history.content(hash(content), name)
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

func (c *client) run(ctx context.Context, l *call, o op) {
	key := keys[o.Key]
	switch o.Name {
	case "put":
		l.put(ctx, key, l.fresh(8), false)
	case "large put":
		l.put(ctx, key, l.fresh(1200<<10), false)
	case "create":
		l.put(ctx, key, l.fresh(8), true)
	case "delete":
		_, err := l.Delete(ctx, backends.DeleteRequest{Key: key})
		l.done(input{key: key, kind: remove, how: o.Name}, err, "")
	case "delete many":
		l.deleteMany(ctx)
	case "get":
		l.get(ctx, key)
	case "head":
		info, _, err := l.Head(ctx, backends.GetRequest{Key: key})
		value := ""
		if err == nil {
			value = l.w.history.nameOf(info.ETag)
		}
		l.done(input{key: key, kind: read, how: o.Name}, err, value)
	case "list":
		l.list(ctx)
	case "copy":
		l.copy(ctx, keys[o.From], key)
	case "multipart":
		l.multipart(ctx, key)
	case "tag":
		l.tag(ctx, key)
	case "read tag":
		l.readTag(ctx, key)
	case "acl":
		l.acl(ctx, key, o.From > 0)
	case "read acl":
		l.readACL(ctx, key)
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
	o, _, err := c.Get(ctx, backends.GetRequest{Key: key})
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
	r := backends.ListRequest{MaxKeys: 2, Prefix: "k/"}
	var err error
	for {
		var page *backends.ListPage
		if page, err = c.List(ctx, r); err != nil {
			break
		}
		for _, o := range page.Objects {
			found[o.Key] = c.w.history.nameOf(o.ETag)
		}
		if !page.Truncated {
			break
		}
		r.Token = page.NextToken
	}
	for _, key := range keys {
		c.done(input{key: key, kind: read, how: "list"}, err, found[key])
	}
}

func (c *call) deleteMany(ctx context.Context) {
	var r backends.DeleteManyRequest
	for _, key := range keys[:2] {
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
	result, err := c.Bucket.Copy(ctx, c.Bucket, backends.CopyRequest{
		Key: to, SourceKey: from, Header: http.Header{"X-Amz-Tagging-Directive": {"REPLACE"}, "X-Amz-Metadata-Directive": {"REPLACE"}},
	})
	in := input{key: to, kind: write, how: "copy"}
	switch {
	case err == nil:
		in.value = c.w.history.nameOf(result.ETag)
		c.w.history.content(result.ETag, in.value)
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

func (c *call) multipart(ctx context.Context, key string) {
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
	c.w.history.content(hash(sums)+"-2", nameIn(head))
	c.w.history.content(hash(append(bytes.Clone(head), tail...)), nameIn(head)) // as a copy has it
	c.began = c.w.history.began()
	_, err = c.CompleteUpload(ctx, backends.CompleteRequest{Key: key, UploadID: up.UploadID, Parts: parts})
	c.done(input{key: key, kind: write, value: nameIn(head), how: "multipart"}, err, "")
}

var tagging = url.Values{"tagging": {""}}

func (c *call) tag(ctx context.Context, key string) {
	c.serial++
	value := fmt.Sprintf("t%d.%d", c.id, c.serial)
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
	_, err := c.ChangeSubresource(ctx, backends.SubresourceRequest{
		Op: "PutObjectAcl", Method: http.MethodPut, Key: key, Query: url.Values{"acl": {""}}, Header: http.Header{"X-Amz-Acl": {value}},
	})
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
