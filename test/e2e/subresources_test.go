package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sluice/backends"
	"sluice/gateway/config"
	"sluice/gateway/mirror"
	"sluice/test/servers"
)

// subresourceRig is a gateway between two MinIOs: "media" and the bucket "locked",
// which has an object lock, under other names on the stores.
type subresourceRig struct {
	*rig
	old, new *servers.Server
}

func startSubresources(t *testing.T) *subresourceRig {
	t.Helper()
	t.Setenv("MINIO_KMS_SECRET_KEY", "of-the-test:"+base64.StdEncoding.EncodeToString(make([]byte, 32))) // to encrypt with
	s := &subresourceRig{old: servers.MinIO(t), new: servers.MinIO(t)}
	c := settings(t, minioStore(t, s.old, "old-media"), minioStore(t, s.new, "new-media"))
	c.Buckets["locked"] = config.Bucket{Old: "old-lock", New: "new-lock"}
	s.rig = &rig{config: c}
	for name, server := range map[string]*servers.Server{"old-lock": s.old, "new-lock": s.new} {
		c.Stores[name] = config.Store{Endpoint: server.Endpoint, Bucket: name, AccessKeyID: server.AccessKey, SecretAccessKey: server.SecretKey}
		if _, err := s.store(t, name, "").ChangeSubresource(t.Context(), backends.SubresourceRequest{
			Op: "CreateBucket", Method: http.MethodPut, Header: http.Header{"X-Amz-Bucket-Object-Lock-Enabled": {"true"}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.rig = startRig(t, c)
	return s
}

// bucket is a bucket as the gateway has it.
func (r *rig) bucket(t *testing.T, name string) *mirror.Bucket {
	t.Helper()
	b, err := r.gateway.Bucket(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// of is an object's sub-resource as one store has it, or the code it answers.
func (r *rig) of(t *testing.T, store, key, sub string) string {
	t.Helper()
	answer, err := r.store(t, store, "").Subresource(t.Context(), backends.SubresourceRequest{
		Op: "Get", Method: http.MethodGet, Key: key, Query: url.Values{sub: {""}},
	})
	if err != nil {
		return err.Error()
	}
	return string(answer.Body)
}

// bothHave: on both stores the sub-resource has the text.
func (r *rig) bothHave(t *testing.T, stores, key, sub, text string) {
	t.Helper()
	for _, name := range strings.Fields(stores) {
		if got := r.of(t, name, key, sub); !strings.Contains(got, text) {
			t.Errorf("%s has for %q?%s\n%.500s\nwithout %s", name, key, sub, got, text)
		}
	}
}

func tagging(value string) string {
	return "<Tagging><TagSet><Tag><Key>colour</Key><Value>" + value + "</Value></Tag></TagSet></Tagging>"
}

func TestSubresource(t *testing.T) {
	s := startSubresources(t)
	t.Run("removed unknown", s.removedUnknown) // first: the bucket is still empty
	t.Run("object tagging", s.objectTagging)
	t.Run("bucket documents", s.bucketDocuments)
	t.Run("policy", s.policy)
	t.Run("refused by both", s.refused)
	t.Run("reads from the primary", s.fromPrimary)
	t.Run("retention", s.retention)
	t.Run("legal hold", s.legalHold)
	t.Run("lock at PUT", s.lockAtPut)
	t.Run("select", s.selectContent)
	t.Run("lock while the secondary is down", s.lockLater)
	t.Run("secondary down", s.secondaryDown)
	t.Run("versions", s.versions) // last: a bucket stays versioned
}

func (s *subresourceRig) objectTagging(t *testing.T) {
	s.put(t, "/media/tagged", "content")
	s.must(t, 200, "", ask{method: "PUT", path: "/media/tagged?tagging", body: tagging("blue")})
	s.bothHave(t, "old new", "tagged", "tagging", "<Value>blue</Value>")
	if got := s.must(t, 200, "", ask{method: "GET", path: "/media/tagged?tagging"}); !strings.Contains(got.body, "<Value>blue</Value>") {
		t.Errorf("got %v", got)
	}
	if got := s.must(t, 200, "", ask{method: "GET", path: "/media/tagged"}); got.header.Get("X-Amz-Tagging-Count") != "1" {
		t.Errorf("got %v", got)
	}
	s.must(t, 204, "", ask{method: "DELETE", path: "/media/tagged?tagging"})
	for _, name := range []string{"old", "new"} {
		if got := s.of(t, name, "tagged", "tagging"); strings.Contains(got, "blue") {
			t.Errorf("%s still has %s", name, got)
		}
	}
	attributes := ask{method: "GET", path: "/media/tagged?attributes", header: map[string]string{"X-Amz-Object-Attributes": "ETag,ObjectSize"}}
	if got := s.must(t, 200, "", attributes); !strings.Contains(got.body, "<ObjectSize>7</ObjectSize>") || !strings.Contains(got.body, "<ETag>") {
		t.Errorf("attributes: %v", got)
	}
	s.must(t, 400, "MalformedXML", ask{method: "PUT", path: "/media/tagged?tagging", body: "<Tagging><Tag"})
	s.must(t, 404, "NoSuchKey", ask{method: "PUT", path: "/media/absent?tagging", body: tagging("red")})
	s.must(t, 404, "NoSuchKey", ask{method: "GET", path: "/media/absent?tagging"})

	s.must(t, 200, "", ask{method: "PUT", path: "/media/at-once", body: "content", header: map[string]string{"X-Amz-Tagging": "colour=green&shape=a%20b"}})
	s.bothHave(t, "old new", "at-once", "tagging", "<Value>green</Value>")
	s.bothHave(t, "old new", "at-once", "tagging", "<Value>a b</Value>")
	s.holds(t, "media", map[string]string{"tagged": "content", "at-once": "content"})
}

// selectContent: a query is the primary's to answer.
func (s *subresourceRig) selectContent(t *testing.T) {
	s.put(t, "/media/table.csv", "name,size\nshark,12\nwhale,30\n")
	query := func(expression string) ask {
		return ask{method: "POST", path: "/media/table.csv?select&select-type=2", body: "<SelectObjectContentRequest><Expression>" + expression +
			"</Expression><ExpressionType>SQL</ExpressionType><InputSerialization><CSV><FileHeaderInfo>USE</FileHeaderInfo></CSV></InputSerialization>" +
			"<OutputSerialization><CSV/></OutputSerialization></SelectObjectContentRequest>"}
	}
	got := s.must(t, 200, "", query("SELECT s.name FROM S3Object s WHERE CAST(s.size AS INT) &gt; 20"))
	if !strings.Contains(got.body, "whale") || strings.Contains(got.body, "shark") {
		t.Errorf("got %q", got.body)
	}
	if got := s.do(t, query("SELECT nonsense")); got.status != 400 {
		t.Errorf("nonsense: %v", got)
	}
}

// bucketDocuments: what was set is read, from both stores, and goes again.
func (s *subresourceRig) bucketDocuments(t *testing.T) {
	for _, c := range []struct {
		sub, body, text string
		del             int // the status of its removal; 0: it has none
		gone            string
	}{
		{
			"lifecycle", "<LifecycleConfiguration><Rule><ID>old-logs</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter>" +
				"<Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>", "<ID>old-logs</ID>", 204, "NoSuchLifecycleConfiguration",
		},
		{
			"encryption", "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>" +
				"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>", "AES256", 204, "ServerSideEncryptionConfigurationNotFoundError",
		},
		{"tagging", tagging("bucket"), "<Value>bucket</Value>", 204, "NoSuchTagSet"},
		{"notification", "<NotificationConfiguration></NotificationConfiguration>", "NotificationConfiguration", 0, ""},
	} {
		t.Run(c.sub, func(t *testing.T) {
			path := "/media?" + c.sub
			s.must(t, 200, "", ask{method: "PUT", path: path, body: c.body})
			s.bothHave(t, "old new", "", c.sub, c.text)
			if got := s.must(t, 200, "", ask{method: "GET", path: path}); !strings.Contains(got.body, c.text) {
				t.Errorf("got %v", got)
			}
			if c.del != 0 {
				s.must(t, c.del, "", ask{method: "DELETE", path: path})
				s.must(t, 404, c.gone, ask{method: "GET", path: path})
				s.bothHave(t, "old new", "", c.sub, c.gone)
			}
		})
	}
	if missed := s.bucket(t, "media").Missed(); len(missed) > 0 {
		t.Errorf("the secondary missed %v", missed)
	}
}

// policy: a document names the bucket as whoever reads it does.
func (s *subresourceRig) policy(t *testing.T) {
	policy := func(bucket string) string {
		return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],`+
			`"Resource":["arn:aws:s3:::%s/open/*"]},{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetBucketLocation"],"Resource":["arn:aws:s3:::%s"]}]}`, bucket, bucket)
	}
	s.must(t, 204, "", ask{method: "PUT", path: "/media?policy", body: policy("media")})
	for _, name := range []string{"old", "new"} {
		for _, end := range []string{`/open/*"`, `"`} {
			s.bothHave(t, name, "", "policy", `"arn:aws:s3:::`+name+"-media"+end)
		}
	}
	got := s.must(t, 200, "", ask{method: "GET", path: "/media?policy"})
	if !strings.Contains(got.body, `"arn:aws:s3:::media/open/*"`) || !strings.Contains(got.body, `"arn:aws:s3:::media"`) || strings.Contains(got.body, "old-media") {
		t.Errorf("got %v", got)
	}
	s.must(t, 400, "MalformedPolicy", ask{method: "PUT", path: "/media?policy", body: policy("another")})
	s.must(t, 204, "", ask{method: "DELETE", path: "/media?policy"})
	s.bothHave(t, "old new", "", "policy", "NoSuchBucketPolicy")
	s.must(t, 404, "NoSuchBucketPolicy", ask{method: "GET", path: "/media?policy"})
}

// refused: what the primary can not do is its answer, and nobody's effect.
func (s *subresourceRig) refused(t *testing.T) {
	for _, c := range []struct {
		name, path, body string
		status           int
		code             string
	}{
		{"CORS, which MinIO sets for all buckets", "/media?cors", "<CORSConfiguration></CORSConfiguration>", 501, "NotImplemented"},
		{"no operation of ours", "/media?abac", "<AbacStatus/>", 501, "NotImplemented"},
	} {
		t.Run(c.name, func(t *testing.T) { s.must(t, c.status, c.code, ask{method: "PUT", path: c.path, body: c.body}) })
	}
	if missed := s.bucket(t, "media").Missed(); len(missed) > 0 {
		t.Errorf("noted as missed by the secondary alone: %v", missed)
	}
}

// removedUnknown: MinIO takes the removal of a document that it does not know for
// that of the bucket. Seen to fail: the bucket, still empty, was gone on both stores.
func (s *subresourceRig) removedUnknown(t *testing.T) {
	for _, sub := range []string{"analytics&id=a", "intelligent-tiering&id=a", "inventory&id=a", "metrics&id=a", "ownershipControls", "publicAccessBlock"} {
		t.Run(sub, func(t *testing.T) { s.must(t, 501, "NotImplemented", ask{method: "DELETE", path: "/media?" + sub}) })
	}
	s.holds(t, "media", map[string]string{})
}

// fromPrimary: the secondary's documents are nobody's answer.
func (s *subresourceRig) fromPrimary(t *testing.T) {
	s.put(t, "/media/apart", "content")
	for _, c := range []struct{ store, value string }{{"old", "primary"}, {"new", "secondary"}} {
		for _, key := range []string{"apart", ""} {
			if _, err := s.store(t, c.store, "").ChangeSubresource(t.Context(), backends.SubresourceRequest{
				Op: "PutTagging", Method: http.MethodPut, Key: key, Query: url.Values{"tagging": {""}}, Body: []byte(tagging(c.value)),
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, path := range []string{"/media/apart?tagging", "/media?tagging"} {
		if got := s.must(t, 200, "", ask{method: "GET", path: path}); !strings.Contains(got.body, "<Value>primary<") {
			t.Errorf("got %v", got)
		}
	}
}

// secondaryDown: an object's tags are repaired; a bucket's document is noted, also
// when the secondary is known to be down and is not even asked.
func (s *subresourceRig) secondaryDown(t *testing.T) {
	s.put(t, "/media/down", "content")
	s.quiet(t)
	b := s.bucket(t, "media")
	s.new.Stop(t)
	s.must(t, 200, "", ask{method: "PUT", path: "/media?tagging", body: tagging("asked")})
	if missed := b.Missed(); missed["PutBucketTagging"] == "" {
		t.Errorf("not noted: %v", missed)
	}
	s.must(t, 200, "", ask{method: "PUT", path: "/media/down?tagging", body: tagging("later")})
	for i := range 8 { // until it is known to be down
		s.put(t, fmt.Sprint("/media/down", i), "content")
	}
	s.must(t, 204, "", ask{method: "DELETE", path: "/media?lifecycle"})
	if missed := b.Missed(); missed["DeleteBucketLifecycle"] == "" {
		t.Errorf("not noted: %v", missed)
	}
	if got := s.must(t, 200, "", ask{method: "GET", path: "/media/down?tagging"}); !strings.Contains(got.body, "<Value>later<") {
		t.Errorf("got %v", got)
	}
	s.new.Restart(t)
	s.quiet(t)
	s.bothHave(t, "old new", "down", "tagging", "<Value>later<")
	if old, new := contentOf(t, s.store(t, "old", "")), contentOf(t, s.store(t, "new", "")); fmt.Sprint(old) != fmt.Sprint(new) {
		t.Errorf("old holds %v\nnew holds %v", old, new)
	}
	// Set again it is on both, and missed no more.
	s.must(t, 200, "", ask{method: "PUT", path: "/media?tagging", body: tagging("again")})
	s.bothHave(t, "old new", "", "tagging", "<Value>again<")
	eventually(t, func(context.Context) error {
		if missed := b.Missed(); missed["PutBucketTagging"] != "" {
			return fmt.Errorf("still noted: %v", missed)
		}
		return nil
	})
}

// TestSubresourceThatNewHasNot: it takes effect on the primary, the client is
// answered, the operator told.
func TestSubresourceThatNewHasNot(t *testing.T) {
	r := startRig(t, settings(t, minioStore(t, servers.MinIO(t), "old-media"), embeddedStore(t)))
	r.put(t, "/media/k", "content")
	for _, c := range []struct{ name, path, body, key, sub, text, op string }{
		{"of an object", "/media/k?tagging", tagging("blue"), "k", "tagging", "<Value>blue<", "PutObjectTagging"},
		{"of the bucket", "/media?tagging", tagging("red"), "", "tagging", "<Value>red<", "PutBucketTagging"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.must(t, 200, "", ask{method: "PUT", path: c.path, body: c.body})
			r.bothHave(t, "old", c.key, c.sub, c.text)
			if missed := r.bucket(t, "media").Missed(); missed[c.op] == "" {
				t.Errorf("not noted: %v", missed)
			}
			if !r.log.has("WARN", "did not take an operation", c.op) {
				t.Error("the operator is not told")
			}
		})
	}
	r.quiet(t)
	for _, name := range []string{"old", "new"} {
		if got := contentOf(t, r.store(t, name, "")); fmt.Sprint(got) != "map[k:content]" {
			t.Errorf("%s holds %v", name, got)
		}
	}
}
