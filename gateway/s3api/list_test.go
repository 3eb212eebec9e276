package s3api

import "testing"

func TestList(t *testing.T) {
	l, err := parse(t, "GET", "/photos?prefix=a%2Fb+c&delimiter=/&marker=m&max-keys=7&encoding-type=url").List()
	if err != nil || !l.V1 || l.Prefix != "a/b c" || l.Delimiter != "/" || l.After != "m" || l.MaxKeys != 7 || !l.EncodeURL {
		t.Errorf("got %+v, %v", l, err)
	}
	l, err = parse(t, "GET", "/photos?list-type=2&start-after=s&continuation-token=t&fetch-owner=true&marker=no").List()
	if err != nil || l.V1 || l.After != "s" || l.Token != "t" || l.MaxKeys != MaxPage || !l.FetchOwner || l.EncodeURL {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestPageSizes(t *testing.T) {
	for text, want := range map[string]int{"": 1000, "0": 0, "1": 1, "1000": 1000, "1001": 1000, "2147483647": 1000} {
		l, err := parse(t, "GET", "/photos?max-keys="+text).List()
		if err != nil || l.MaxKeys != want {
			t.Errorf("max-keys=%s: got %d, %v", text, l.MaxKeys, err)
		}
	}
	u, err := parse(t, "GET", "/photos?uploads&max-uploads=0&upload-id-marker=alone").ListUploads()
	if err != nil || u.MaxUploads != MaxPage || u.UploadIDMarker != "" {
		t.Errorf("got %+v, %v", u, err)
	}
	p, err := parse(t, "GET", "/photos/k?uploadId=u&part-number-marker=5&max-parts=2").ListParts()
	if err != nil || p.AfterNumber != 5 || p.MaxParts != 2 || p.UploadID != "u" || p.Key != "k" {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestListErrors(t *testing.T) {
	for _, query := range []string{
		"max-keys=-1", "max-keys=x", "max-keys=2147483648", "max-keys=99999999999999999999", "encoding-type=base64",
		"list-type=3", "list-type=2&continuation-token=",
	} {
		_, err := parse(t, "GET", "/photos?"+query).List()
		wantCode(t, query, err, "InvalidArgument")
	}
	_, err := parse(t, "GET", "/photos?uploads&max-uploads=-1").ListUploads()
	wantCode(t, "max-uploads", err, "InvalidArgument")
	for _, query := range []string{"max-parts=x", "part-number-marker=x", "part-number-marker=-1"} {
		_, err := parse(t, "GET", "/photos/k?uploadId=u&"+query).ListParts()
		wantCode(t, query, err, "InvalidArgument")
	}
}
