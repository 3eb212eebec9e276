package main

import (
	"net/http"
	"testing"
	"time"

	"sluice/backends"
	"sluice/gateway/admin"
	"sluice/gateway/cache"
	"sluice/gateway/journal"
	"sluice/gateway/migrate"
	"sluice/gateway/mirror"
)

const happened = `id: 1
event: event
data: {"id":1,"time":"2026-03-01T12:00:00Z","kind":"phase","bucket":"media","level":"info","message":"switch: mirroring → switched","by":"root"}

:

id: 2
event: event
data: {"id":2,"time":"2026-03-01T12:00:01Z","kind":"store","bucket":"","level":"error","message":"store new does not answer: refused","by":""}

`

func TestEvents(t *testing.T) {
	f := newFake(t, map[string][]any{"GET /v1/events": {happened}})
	f.run(t, 0, "events").expect(t, 0, `
2026-03-01 12:00:00  info   phase        media         switch: mirroring → switched (by root)
2026-03-01 12:00:01  error  store        -             store new does not answer: refused
`, "")
	f.run(t, 0, "events", "-f", "-o", "json").expect(t, 0, `
{"id":1,"time":"2026-03-01T12:00:00Z","kind":"phase","bucket":"media","level":"info","message":"switch: mirroring → switched","by":"root"}
{"id":2,"time":"2026-03-01T12:00:01Z","kind":"store","bucket":"","level":"error","message":"store new does not answer: refused","by":""}
`, "")
	execute(t, 0, "events", "--socket", "/nowhere/admin.sock").expect(t, exitUnreachable, "",
		"sluice: the gateway does not answer (is it running, with this configuration?): Get \"http://gateway/v1/events?bucket=&follow=false\": dial unix /nowhere/admin.sock: connect: no such file or directory\n")
}

const traced = `event: request
data: {"time":"2026-03-01T12:00:00.5Z","request":"ID","client":"10.0.0.1:5","host":"s3.test","method":"PUT","path":"/media/a b","operation":"PutObject","bucket":"media","key":"a b","status":200,"whole":true,"bytes":0,"took_ns":32000000,"first_byte_ns":31500000,"stores":[{"store":"old","operation":"PutObject","outcome":"ok","took_ns":12000000},{"store":"new","operation":"PutObject","outcome":"unavailable","took_ns":30000000}],"more":2}

event: missed
data: {"missed":1200}

event: request
data: {"time":"2026-03-01T12:00:01Z","host":"files.test","method":"GET","path":"/k","operation":"GET","bucket":"media","key":"k","status":200,"whole":false,"bytes":7,"took_ns":0,"first_byte_ns":0,"cache":"Sluice; hit","stores":[],"express":true}

`

func TestTrace(t *testing.T) {
	f := newFake(t, map[string][]any{"GET /v1/trace": {traced}})
	f.run(t, 0, "trace", "--bucket", "media", "--slower", "1ms").expect(t, 0, `
12:00:00.500  32ms       200  PutObject         s3.test /media/a%20b  [0 B; first byte 31.5ms; old PutObject 12ms ok; new PutObject 30ms unavailable; 2 more calls]  10.0.0.1:5 ID
12:00:01.000  -          200 broken off  GET               files.test /k  [7 B; Sluice; hit; on the connection]  -
`, "1,200 requests left out: they come faster than they are taken\n")
	f.run(t, 0, "trace", "--status", "bad").expect(t, exitUsage, "",
		"sluice: status \"bad\" is neither a number like 404 nor a class like 5xx\n")
}

func TestObject(t *testing.T) {
	l := mirror.Located{
		Bucket: "media", Key: "a\nb", Phase: mirror.Mirroring, Verdict: "The stores differ.", ReadFrom: "old", Dirty: true,
		Intents: []journal.Seen{{ID: 1, Kind: "write", State: "pending", Age: 90 * time.Second, Outcome: "unknown"}},
		Old: mirror.Holding{
			Store: "minio", Present: true, ETag: "e", Size: 2048, Modified: noon, ACL: "private", Headers: http.Header{"Content-Type": {"text/\x1bplain"}},
		},
		New:    &mirror.Holding{Store: "hetzner", Error: "it is down"},
		Cached: cache.Look{Held: true, State: "fresh", Where: "memory", Age: 2 * time.Second, TTL: time.Hour, Bytes: 3000},
	}
	const at = "GET /v1/buckets/media/object"
	f := newFake(t, map[string][]any{buckets: {[]migrate.Status{media()}}, at: {l}})
	f.run(t, 0, "object", "a\nb").expect(t, 0, `
object     media "a\nb"
phase      mirroring
verdict    The stores differ.
read from  old
cached     in memory, fresh, seen 2s ago, ttl 1h0m0s, 2.9 KiB
intent     write, pending for 1m30s, outcome unknown

     STORE    SIZE     ETAG  MODIFIED              ACL
old  minio    2.0 KiB  e     2026-03-01 12:00 UTC  private
new  hetzner  unknown

old  Content-Type: "text/\x1bplain"
new  ! it is down
`, "")
	f = newFake(t, map[string][]any{"GET /v1/buckets/nobody/object": {&admin.Error{Kind: admin.NoBucket, Message: backends.ErrNoBucket.Error()}}})
	f.run(t, 0, "object", "k", "--bucket", "nobody").expect(t, exitError, "", "sluice: no such bucket\n")
}
