package s3api

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"sluice/backends"
)

func deleteMany(t testing.TB, body io.Reader) (DeleteManyRequest, error) {
	return parse(t, "POST", "/photos?delete").DeleteMany(body)
}

func TestDeleteMany(t *testing.T) {
	d, err := deleteMany(t, strings.NewReader("\ufeff"+`<?xml version="1.0" encoding="UTF-8"?>
<!-- as some clients do -->
<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Quiet>true</Quiet>
  <Object><Key> a &lt;&amp;&#10;b/../ </Key></Object>
  <Object><Key>€</Key><VersionId>v</VersionId></Object>
</Delete>
`))
	want := DeleteManyRequest{Quiet: true, DeleteManyRequest: backends.DeleteManyRequest{
		Objects: []backends.ObjectVersion{{Key: " a <&\nb/../ "}, {Key: "€", VersionID: "v"}},
	}}
	if err != nil || !reflect.DeepEqual(d, want) {
		t.Errorf("got %+v, %v", d, err)
	}
}

func objects(n int) string {
	return "<Delete>" + strings.Repeat("<Object><Key>k</Key></Object>", n) + "</Delete>"
}

func TestDeleteManyBounds(t *testing.T) {
	if d, err := deleteMany(t, strings.NewReader(objects(1000))); err != nil || len(d.Objects) != 1000 {
		t.Error(len(d.Objects), err)
	}
	for name, c := range map[string]struct{ body, code string }{
		"1,001 keys":        {objects(1001), "MalformedXML"},
		"none":              {objects(0), "MalformedXML"},
		"too long":          {objects(1) + strings.Repeat(" ", maxDeleteXML), "MalformedXML"},
		"empty":             {"", "MalformedXML"},
		"no key":            {"<Delete><Object></Object></Delete>", "MalformedXML"},
		"empty key":         {"<Delete><Object><Key></Key></Object></Delete>", "MalformedXML"},
		"two keys":          {"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>", "MalformedXML"},
		"key too long":      {"<Delete><Object><Key>" + strings.Repeat("k", 1025) + "</Key></Object></Delete>", "KeyTooLongError"},
		"other root":        {"<Remove><Object><Key>a</Key></Object></Remove>", "MalformedXML"},
		"other namespace":   {`<Delete xmlns="urn:x"><Object><Key>a</Key></Object></Delete>`, "MalformedXML"},
		"unknown element":   {"<Delete><Object><Key>a</Key><Unless/></Object></Delete>", "MalformedXML"},
		"unknown beside":    {"<Delete><Object><Key>a</Key></Object><Unless/></Delete>", "MalformedXML"},
		"condition":         {"<Delete><Object><Key>a</Key><ETag>e</ETag></Object></Delete>", "NotImplemented"},
		"not closed":        {"<Delete><Object><Key>a</Key></Object>", "MalformedXML"},
		"second root":       {objects(1) + objects(1), "MalformedXML"},
		"text behind":       {objects(1) + "x", "MalformedXML"},
		"entity":            {"<Delete><Object><Key>&e;</Key></Object></Delete>", "MalformedXML"},
		"document type":     {`<!DOCTYPE Delete [<!ENTITY e "a">]>` + objects(1), "MalformedXML"},
		"control character": {"<Delete><Object><Key>&#1;</Key></Object></Delete>", "MalformedXML"},
		"not UTF-8":         {"<Delete><Object><Key>\xff</Key></Object></Delete>", "MalformedXML"},
		"other encoding":    {`<?xml version="1.0" encoding="UTF-16"?>` + objects(1), "MalformedXML"},
		"quiet is no bool":  {"<Delete><Quiet>maybe</Quiet><Object><Key>a</Key></Object></Delete>", "MalformedXML"},
	} {
		_, err := deleteMany(t, strings.NewReader(c.body))
		wantCode(t, name, err, c.code)
	}
}

// A body that fails its checks must be answered with what the check found.
func TestBodyErrorsPassThrough(t *testing.T) {
	broken := errors.New("checksum does not match")
	if _, err := deleteMany(t, io.MultiReader(strings.NewReader(objects(1)), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func complete(t testing.TB, body string, headers ...string) ([]string, error) {
	c, err := parse(t, "POST", "/photos/k?uploadId=u", headers...).Complete(strings.NewReader(body))
	var parts []string
	for _, p := range c.Parts {
		parts = append(parts, fmt.Sprintf("%d %s %v", p.Number, p.ETag, p.Checksum))
	}
	return parts, err
}

func part(number, etag string) string {
	return "<Part><PartNumber>" + number + "</PartNumber><ETag>" + etag + "</ETag></Part>"
}

func TestComplete(t *testing.T) {
	got, err := complete(t, `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
	<Part><ChecksumCRC32>c=</ChecksumCRC32><ETag>&quot;a&quot;</ETag><PartNumber> 1 </PartNumber></Part>`+
		part("3", `"b"`)+part("10000", "c")+`</CompleteMultipartUpload>`)
	want := []string{"1 a map[ChecksumCRC32:c=]", "3 b map[]", "10000 c map[]"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestCompleteErrors(t *testing.T) {
	many := strings.Repeat(part("1", "e"), MaxPart+1)
	for name, c := range map[string]struct{ parts, code string }{
		"none":          {"", "MalformedXML"},
		"too many":      {many, "MalformedXML"},
		"descending":    {part("2", "e") + part("1", "e"), "InvalidPartOrder"},
		"twice":         {part("2", "e") + part("2", "e"), "InvalidPartOrder"},
		"zero":          {part("0", "e"), "InvalidArgument"},
		"10001":         {part("10001", "e"), "InvalidArgument"},
		"no number":     {part("x", "e"), "MalformedXML"},
		"no etag":       {"<Part><PartNumber>1</PartNumber></Part>", "MalformedXML"},
		"other element": {"<Part><PartNumber>1</PartNumber><ETag>e</ETag><Size>1</Size></Part>", "MalformedXML"},
	} {
		_, err := complete(t, "<CompleteMultipartUpload>"+c.parts+"</CompleteMultipartUpload>")
		wantCode(t, name, err, c.code)
	}
	body := strings.NewReader("<CompleteMultipartUpload>" + part("1", "e") + "</CompleteMultipartUpload>")
	c, err := parse(t, "POST", "/photos/k?uploadId=u", "If-None-Match", `"x"`).Complete(body)
	if err != nil || c.Header.Get("If-None-Match") != `"x"` {
		t.Errorf("condition: %+v, %v", c, err)
	}
}

func FuzzDeleteXML(f *testing.F) {
	f.Add(objects(2))
	f.Add(`<?xml version="1.0"?><Delete xmlns="` + namespace + `"><Quiet>true</Quiet><Object><Key>a&amp;b</Key><VersionId>1</VersionId></Object></Delete>`)
	f.Add(`<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>`)
	f.Fuzz(func(t *testing.T, body string) {
		d, err := deleteMany(t, strings.NewReader(body))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		if len(d.Objects) == 0 || len(d.Objects) > maxDeletes {
			t.Fatalf("%d keys", len(d.Objects))
		}
		for _, o := range d.Objects {
			key := o.Key
			if key == "" || checkKey(key) != nil {
				t.Fatalf("key %q", key)
			}
		}
	})
}

func FuzzCompleteXML(f *testing.F) {
	f.Add("<CompleteMultipartUpload>" + part("1", `"a"`) + part("2", "&quot;b&quot;") + "</CompleteMultipartUpload>")
	f.Add("<CompleteMultipartUpload><Part><PartNumber>7</PartNumber><ETag>x</ETag><ChecksumSHA1>y</ChecksumSHA1></Part></CompleteMultipartUpload>")
	f.Fuzz(func(t *testing.T, body string) {
		parts, err := readComplete(strings.NewReader(body))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		last := 0
		for _, p := range parts {
			if p.Number <= last || p.Number > MaxPart {
				t.Fatalf("parts %v", parts)
			}
			last = p.Number
		}
		if last == 0 {
			t.Fatal("no parts")
		}
	})
}
