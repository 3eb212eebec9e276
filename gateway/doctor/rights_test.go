package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"sluice/gateway/config"
	"sluice/gateway/doctor"
	"sluice/test/servers"
)

const nothing = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:ListAllMyBuckets"],"Resource":["arn:aws:s3:::*"]}]}`

// TestPain2MissingPolicy: Mastodon failed at start with 403, because the new user had no
// policy. The doctor says so, and the policy that it prints is enough, for a store that is
// written to and for one that is only read; without any one of its rights it names that one.
func TestPain2MissingPolicy(t *testing.T) {
	server := servers.MinIO(t)
	full, bucket := whole(t, server, "bucket")
	store(t, bucket, "photo.jpg", "content")
	for _, readOnly := range []bool{false, true} {
		full.ReadOnly = readOnly
		found := examine(t, settings(t, allowed(t, full, nothing), config.Store{}))
		missing, policy := found.missing(t, "media on old")
		want := []string{"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject"}
		if readOnly {
			want = []string{"s3:ListBucket"}
		}
		found.expect(t, "media on old", "get", doctor.Warning, "no object is known")
		if !slices.Equal(missing, want) {
			t.Errorf("read_only %v: missing are %v, not %v\n%s", readOnly, missing, want, found)
		}
		found = examine(t, settings(t, allowed(t, full, policy), config.Store{}))
		for _, c := range found {
			if strings.HasPrefix(c.Subject, "media on old") && c.Result != doctor.OK {
				t.Errorf("read_only %v: with the policy that was asked for: %+v", readOnly, c)
			}
		}
		for _, right := range rightsOf(t, policy) {
			found := examine(t, settings(t, allowed(t, full, without(policy, right)), config.Store{}))
			missing, _ := found.missing(t, "media on old")
			told := strings.Contains(found.String(), right+" is missing")
			switch right {
			case "s3:DeleteObjectTagging": // not tried: whoever may set tags may set none
			case "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration", "s3:GetBucketObjectLockConfiguration":
				if len(missing) > 0 || !told { // only the doctor wants to know
					t.Errorf("%s: missing are %v\n%s", right, missing, found)
				}
			default:
				if !slices.Equal(missing, []string{right}) || !told {
					t.Errorf("%s: missing are %v\n%s", right, missing, found)
				}
			}
		}
	}
}

func rightsOf(t *testing.T, policy string) (list []string) {
	t.Helper()
	var p doctor.Policy
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Statement {
		list = append(list, s.Action...)
	}
	return list
}

func without(policy, right string) string {
	policy = strings.Replace(policy, `"`+right+`",`, "", 1)
	return strings.Replace(policy, `,"`+right+`"`, "", 1)
}

// TestRefusedActions: each refusal names its right, and what goes with it.
func TestRefusedActions(t *testing.T) {
	has := func(r *http.Request, name string) bool { return r.URL.Query().Has(name) }
	canary := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/.sluice/canary-") }
	for _, c := range []struct {
		name, check, right string
		is                 func(r *http.Request) bool
	}{
		{"listing", "list", "s3:ListBucket", func(r *http.Request) bool {
			return r.Method == "GET" && has(r, "max-keys") && r.Header.Get("Authorization") != ""
		}},
		{"storing", "put", "s3:PutObject", func(r *http.Request) bool {
			return r.Method == "PUT" && canary(r) && len(r.URL.Query()) == 0 && r.Header.Get("X-Amz-Copy-Source") == ""
		}},
		{"reading", "get", "s3:GetObject", func(r *http.Request) bool { return r.Method == "GET" && canary(r) && len(r.URL.Query()) == 0 }},
		{"absence", "absent", "s3:ListBucket", func(r *http.Request) bool { return r.Method == "HEAD" && canary(r) }},
		{"ACLs", "acl", "s3:PutObjectAcl", func(r *http.Request) bool { return r.Method == "PUT" && has(r, "acl") }},
		{"tags", "tags", "s3:PutObjectTagging", func(r *http.Request) bool { return r.Method == "PUT" && has(r, "tagging") }},
		{"uploads", "multipart", "s3:PutObject", func(r *http.Request) bool { return r.Method == "POST" && has(r, "uploads") }},
		{"parts", "multipart", "s3:PutObject", func(r *http.Request) bool { return r.Method == "PUT" && has(r, "partNumber") }},
		{"completion", "multipart", "s3:PutObject", func(r *http.Request) bool { return r.Method == "POST" && has(r, "uploadId") }},
		{"aborting", "abort", "s3:AbortMultipartUpload", func(r *http.Request) bool { return r.Method == "DELETE" && has(r, "uploadId") }},
		{"listing uploads", "uploads", "s3:ListBucketMultipartUploads", func(r *http.Request) bool { return r.Method == "GET" && has(r, "uploads") }},
		{"listing parts", "parts", "s3:ListMultipartUploadParts", func(r *http.Request) bool { return r.Method == "GET" && has(r, "uploadId") }},
		{"removing", "delete", "s3:DeleteObject", func(r *http.Request) bool { return r.Method == "DELETE" && !has(r, "uploadId") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, bucket := fronted(t, func(w http.ResponseWriter, r *http.Request) bool {
				return c.is(r) && refuse(w, 403, "AccessDenied")
			})
			found := examine(t, settings(t, at, config.Store{}))
			found.expect(t, "media on old", c.check, doctor.Failed, c.right+" is missing", "the policy below")
			missing, policy := found.missing(t, "media on old")
			if !slices.Contains(missing, c.right) || !strings.Contains(policy, `"`+c.right+`"`) || !strings.Contains(policy, `"arn:aws:s3:::bucket/*"`) {
				t.Errorf("missing are %v; %s", missing, policy)
			}
			switch c.name {
			case "removing":
				found.expect(t, "media on old", "canary", doctor.Warning, "could not be removed", "remove what begins with .sluice/canary-")
			case "aborting": // the upload stays, and the next look an hour later tries again
			default:
				nothingStays(t, bucket)
			}
		})
	}
}

// TestStoresWithLess: what a store does not have is no failure.
func TestStoresWithLess(t *testing.T) {
	at, bucket := fronted(t, func(w http.ResponseWriter, r *http.Request) bool {
		return r.Header.Get("X-Amz-Copy-Source") != "" && refuse(w, 501, "NotImplemented")
	})
	found := examine(t, settings(t, at, config.Store{}))
	found.expect(t, "media on old", "copy", doctor.OK, "they pass through Sluice")
	found.expect(t, "media on old", "acl", doctor.OK, "the store has none: Sluice keeps")
	found.expect(t, "media on old", "lifecycle", doctor.OK, "no such setting")
	found.expect(t, "media on old", "features", doctor.OK, "MD5 ETags; has not:")
	if failed := found.failed(); len(failed) > 0 {
		t.Errorf("failed:\n%s", failed)
	}
	nothingStays(t, bucket)
}

// TestRealStoresWithLess: versitygw has no ACLs where nobody asked for them, and its versions
// are removed with what they are of.
func TestRealStoresWithLess(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *servers.Server{"plain": servers.Versity, "versioned": servers.VersityVersioned} {
		t.Run(name, func(t *testing.T) {
			at, bucket := whole(t, start(t), "bucket")
			if name == "versioned" {
				set(t, bucket, "PutBucketVersioning", "versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
			}
			found := examine(t, settings(t, at, config.Store{}))
			for _, c := range found {
				if c.Kind == doctor.Bucket && c.Result != doctor.OK {
					t.Errorf("%+v", c)
				}
			}
			nothingStays(t, bucket)
		})
	}
}

// TestInterruptedExamination: whenever it is interrupted, nothing of it stays.
func TestInterruptedExamination(t *testing.T) {
	var requests, at atomic.Int64
	var interrupt atomic.Pointer[context.CancelFunc]
	front, bucket := fronted(t, func(http.ResponseWriter, *http.Request) bool {
		if requests.Add(1) == at.Load() {
			(*interrupt.Load())()
		}
		return false
	})
	for n := int64(1); ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		interrupt.Store(&cancel)
		requests.Store(0)
		at.Store(n)
		err := doctor.Run(ctx, doctor.Options{Config: settings(t, front, config.Store{}), Resolver: noNames{}}, func(doctor.Check) {})
		cancel()
		nothingStays(t, bucket)
		if requests.Load() < n {
			if n < 20 {
				t.Errorf("%d requests are too few for what is to be tried", n)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted at request %d: %v", n, err)
		}
	}
}
