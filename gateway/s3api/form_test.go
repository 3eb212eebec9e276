package s3api

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"sluice/backends"
)

// formPart is a field of a form, or its file.
func formPart(parameters, value string) string {
	return "--b\r\nContent-Disposition: form-data; " + parameters + "\r\n\r\n" + value + "\r\n"
}

// form is a form's body: name, value, …, then the file "x.txt" with "hello".
func form(fields ...string) string {
	var text strings.Builder
	for i := 0; i < len(fields); i += 2 {
		text.WriteString(formPart(`name="`+fields[i]+`"`, fields[i+1]))
	}
	return text.String() + helloFile + "--b--\r\n"
}

var helloFile = formPart(`name="file"; filename="x.txt"`, "hello")

func postRequest(t testing.TB, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	r := request(t, "POST", "/photos", append([]string{"Content-Type", "multipart/form-data; boundary=b"}, headers...)...)
	r.Body = io.NopCloser(body)
	return r
}

func postForm(t testing.TB, body io.Reader, headers ...string) (*PostForm, error) {
	t.Helper()
	r := postRequest(t, body, headers...)
	req, err := Parse(r, "")
	if err != nil || req.Op != PostObject {
		t.Fatal(req, err)
	}
	return req.PostForm(r)
}

func TestPostForm(t *testing.T) {
	body := form("Key", "user/${filename}", "ACL", "public-read", "content-type", "image/png", "Cache-Control", "no-store",
		"Content-Disposition", "inline", "Content-Encoding", "gzip", "Expires", "never", "X-Amz-Meta-Uuid", "1",
		"x-amz-storage-class", "STANDARD_IA", "x-amz-website-redirect-location", "/b", "x-amz-server-side-encryption", "AES256",
		"x-amz-checksum-crc32", "NhCmhg==", "Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==",
		"tagging", "<Tagging><TagSet><Tag><Key>a b</Key><Value>c&amp;d</Value></Tag><Tag><Key>e</Key><Value/></Tag></TagSet></Tagging>",
		"policy", "e30=", "x-amz-signature", "0", "submit", "Upload")
	f, err := postForm(t, strings.NewReader(body), "X-Amz-Meta-Of", "the request", "Cache-Control", "max-age=0")
	if err != nil {
		t.Fatal(err)
	}
	if f.Op != PostObject || f.Bucket != "photos" || f.Key != "user/x.txt" || f.Fields["key"] != f.Key || f.Fields["submit"] != "Upload" || len(f.Fields) != 17 {
		t.Errorf("got %+v", f)
	}
	content, err := io.ReadAll(f.File)
	if err != nil || string(content) != "hello" {
		t.Errorf("file %q, %v", content, err)
	}
	p, err := f.Put(nil, 5)
	if err != nil || p.Key != f.Key || p.Size != 5 || p.ContentMD5 != "XUFAKrxLKna5cZ2REBfFkg==" {
		t.Errorf("got %+v, %v", p, err)
	}
	want := http.Header{
		"X-Amz-Acl": {"public-read"}, "Content-Type": {"image/png"}, "Cache-Control": {"no-store"}, "Content-Disposition": {"inline"},
		"Content-Encoding": {"gzip"}, "Expires": {"never"}, "X-Amz-Meta-Uuid": {"1"}, "X-Amz-Storage-Class": {"STANDARD_IA"},
		"X-Amz-Website-Redirect-Location": {"/b"}, "X-Amz-Server-Side-Encryption": {"AES256"}, "X-Amz-Checksum-Crc32": {"NhCmhg=="},
		"X-Amz-Tagging": {"a%20b=c%26d&e="},
	}
	if !reflect.DeepEqual(p.Header, want) {
		t.Errorf("got %v", p.Header)
	}
}

func TestPostFormWithoutType(t *testing.T) {
	f, err := postForm(t, strings.NewReader(form("key", "k", "if-none-match", "*")))
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Put(nil, 5)
	if err != nil || p.Header.Get("Content-Type") != "binary/octet-stream" || !p.IfNoneMatch {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestPostFormFilenames(t *testing.T) {
	key := formPart(`name="key"`, "a/${filename}")
	for file, want := range map[string]string{
		`name="file"; filename="b.txt"`:           "a/b.txt",
		`name="file"; filename="/home/me/b.txt"`:  "a/b.txt",
		`name="file"; filename="C:\Users\me\b c"`: "a/b c",
		`name="file"; filename="€.txt"`:           "a/€.txt",
		`name="file"; filename="../../etc"`:       "a/etc",
		`name="file"; filename=""`:                "a/",
		`name="file"`:                             "a/${filename}", // as in S3
	} {
		f, err := postForm(t, strings.NewReader(key+formPart(file, "hello")+"--b--\r\n"))
		if err != nil || f.Key != want {
			t.Errorf("%s: got %+v, %v", file, f, err)
		}
	}
}

func TestWhatFollowsTheFileIsIgnored(t *testing.T) {
	body := formPart(`name="key"`, "k") + helloFile + formPart(`name="acl"`, "public-read") + helloFile + strings.Repeat("x", maxFormPreamble)
	f, err := postForm(t, strings.NewReader(body))
	if err != nil || len(f.Fields) != 1 {
		t.Fatalf("got %+v, %v", f, err)
	}
	if content, err := io.ReadAll(f.File); err != nil || string(content) != "hello" {
		t.Errorf("file %q, %v", content, err)
	}
}

func TestPostFormErrors(t *testing.T) {
	for name, c := range map[string]struct{ body, code string }{
		"fields up to the limit":   {form("key", "k", "f", strings.Repeat("x", maxFormFields-len("keykf"))), ""},
		"one byte more":            {form("key", "k", "f", strings.Repeat("x", maxFormFields-len("keykf")+1)), "MaxPostPreDataLengthExceeded"},
		"a field without end":      {formPart(`name="f"`, strings.Repeat("x", 1<<20)), "MaxPostPreDataLengthExceeded"},
		"a header without end":     {"--b\r\nA: " + strings.Repeat("x", 1<<20), "MaxPostPreDataLengthExceeded"},
		"no boundary in sight":     {strings.Repeat("x\r\n", 1<<20), "MaxPostPreDataLengthExceeded"},
		"many fields of no size":   {strings.Repeat(formPart(`name="f"`, ""), 10000), "InvalidArgument"},
		"no file":                  {formPart(`name="key"`, "k") + "--b--\r\n", "InvalidArgument"},
		"empty":                    {"", "InvalidArgument"},
		"no key":                   {form("acl", "private"), "InvalidArgument"},
		"key behind the file":      {helloFile + formPart(`name="key"`, "k") + "--b--\r\n", "InvalidArgument"},
		"empty key":                {form("key", ""), "InvalidArgument"},
		"key too long":             {form("key", strings.Repeat("k", 1025)), "KeyTooLongError"},
		"key not UTF-8":            {form("key", "\xff"), "InvalidURI"},
		"two keys":                 {form("key", "k", "Key", "l"), "InvalidArgument"},
		"field without a name":     {form("", "x", "key", "k"), "MalformedPOSTRequest"},
		"no form data":             {"--b\r\nContent-Disposition: file; name=\"file\"\r\n\r\nhello\r\n--b--\r\n", "MalformedPOSTRequest"},
		"no disposition":           {"--b\r\n\r\nhello\r\n--b--\r\n", "MalformedPOSTRequest"},
		"header no header":         {"--b\r\nhello\r\n\r\nhello\r\n--b--\r\n", "MalformedPOSTRequest"},
		"torn field":               {"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk", "MalformedPOSTRequest"},
		"line break in a header":   {form("key", "k", "Cache-Control", "a\r\nB: c"), "InvalidArgument"},
		"line break in an ACL":     {form("key", "k", "acl", "a\r\nB: c"), "InvalidArgument"},
		"odd name of metadata":     {form("key", "k", "x-amz-meta-a b", "c"), "InvalidArgument"},
		"too much metadata":        {form("key", "k", "x-amz-meta-a", strings.Repeat("x", MaxMetadata)), "MetadataTooLarge"},
		"unknown condition":        {form("key", "k", "if-none-match", `"etag"`), ""},
		"tags are no XML":          {form("key", "k", "tagging", "not-xml"), "MalformedXML"},
		"tags of another document": {form("key", "k", "tagging", "<Tags/>"), "MalformedXML"},
		"tag without a key":        {form("key", "k", "tagging", "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>"), "MalformedXML"},
		"tags outside of the set":  {form("key", "k", "tagging", "<Tagging><Tag/></Tagging>"), "MalformedXML"},
	} {
		_, err := postForm(t, strings.NewReader(c.body))
		wantCode(t, name, err, c.code)
	}
}

func TestRequestsThatAreNoForms(t *testing.T) {
	for kind, code := range map[string]string{
		"":                                "PreconditionFailed",
		"text/html":                       "PreconditionFailed",
		"multipart/mixed":                 "PreconditionFailed",
		"multipart/form-data":             "MalformedPOSTRequest",
		"multipart/form-data; boundary=":  "MalformedPOSTRequest",
		"Multipart/Form-Data; boundary=b": "",
	} {
		r := postRequest(t, strings.NewReader(form("key", "k")))
		r.Header.Set("Content-Type", kind)
		_, err := parse(t, "POST", "/photos").PostForm(r)
		wantCode(t, kind, err, code)
	}
	_, err := postForm(t, strings.NewReader(form("key", "k")), "If-None-Match", "*")
	wantCode(t, "condition in a header", err, "NotImplemented")
}

func TestFormsThatBreakOff(t *testing.T) {
	gone := errors.New("connection reset")
	start := strings.NewReader(formPart(`name="key"`, "k"))
	_, err := postForm(t, io.MultiReader(start, iotest.ErrReader(gone)))
	if !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	_, err = postForm(t, iotest.ErrReader(io.ErrUnexpectedEOF))
	wantCode(t, "shorter than announced", err, "IncompleteBody")
	f, err := postForm(t, strings.NewReader(formPart(`name="key"`, "k")+strings.TrimSuffix(helloFile, "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(f.File); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file without end: got %v", err)
	}
}

func TestWritePost(t *testing.T) {
	const page = "https://example.social/done"
	for name, c := range map[string]struct {
		fields   []string
		status   int
		location string
		body     string
	}{
		"default":          {nil, 204, "http://s3.example.social/photos/a%2Fb%20c&", ""},
		"200":              {[]string{"success_action_status", "200"}, 200, "http://s3.example.social/photos/a%2Fb%20c&", ""},
		"204":              {[]string{"success_action_status", "204"}, 204, "http://s3.example.social/photos/a%2Fb%20c&", ""},
		"unknown status":   {[]string{"success_action_status", "404"}, 204, "http://s3.example.social/photos/a%2Fb%20c&", ""},
		"201":              {[]string{"success_action_status", "201"}, 201, "http://s3.example.social/photos/a%2Fb%20c&", xmlDeclaration + `<PostResponse><Location>http://s3.example.social/photos/a%2Fb%20c&amp;</Location><Bucket>photos</Bucket><Key>a/b c&amp;</Key><ETag>&quot;e&quot;</ETag></PostResponse>`},
		"redirect":         {[]string{"success_action_redirect", page, "success_action_status", "201"}, 303, page + "?bucket=photos&key=a%2Fb+c%26&etag=%22e%22", ""},
		"redirect, query":  {[]string{"success_action_redirect", page + "?a=b"}, 303, page + "?a=b&bucket=photos&key=a%2Fb+c%26&etag=%22e%22", ""},
		"redirect, old":    {[]string{"redirect", page}, 303, page + "?bucket=photos&key=a%2Fb+c%26&etag=%22e%22", ""},
		"redirect, both":   {[]string{"redirect", "http://old.example", "success_action_redirect", page}, 303, page + "?bucket=photos&key=a%2Fb+c%26&etag=%22e%22", ""},
		"redirect nowhere": {[]string{"success_action_redirect", "/done"}, 204, "http://s3.example.social/photos/a%2Fb%20c&", ""},
		"redirect, script": {[]string{"success_action_redirect", "javascript:alert(1)"}, 204, "http://s3.example.social/photos/a%2Fb%20c&", ""},
		"redirect, broken": {[]string{"success_action_redirect", "http://a b/\r\n"}, 204, "http://s3.example.social/photos/a%2Fb%20c&", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := postForm(t, strings.NewReader(form(append(c.fields, "key", "a/b c&")...)))
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			WritePost(w, request(t, "POST", "/photos"), f, &backends.PutResult{ETag: "e", Header: http.Header{"X-Amz-Version-Id": {"v"}}})
			h := w.Result().Header
			if w.Code != c.status || h.Get("Location") != c.location || w.Body.String() != c.body ||
				h.Get("ETag") != `"e"` || h.Get("X-Amz-Version-Id") != "v" {
				t.Errorf("got %d %v %q", w.Code, h, w.Body)
			}
		})
	}
}

// FuzzPostForm: whatever is posted, a form that is accepted has a key that can be
// stored, and every refusal is an *Error.
func FuzzPostForm(f *testing.F) {
	f.Add(form("key", "user/${filename}", "acl", "private", "x-amz-meta-a", "b"))
	f.Add(form("Key", "k", "tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"))
	f.Add("--b\nContent-Disposition: form-data; name=file; filename*=UTF-8''%e2%82%ac\n\nx\n--b--")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := postForm(t, strings.NewReader(body))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		if form.Key == "" || checkKey(form.Key) != nil {
			t.Fatalf("key %q", form.Key)
		}
		for name, values := range form.Header {
			if checkHeaderValue(name, values...) != nil || name != http.CanonicalHeaderKey(name) {
				t.Fatalf("header %q: %q", name, values)
			}
		}
	})
}
