package differential

import "strings"

// noise are headers that say nothing about the objects: who answered, when, how.
var noise = map[string]string{
	"Server":                    "names the server",
	"X-Amz-Request-Id":          "each request's own",
	"X-Amz-Id-2":                "MinIO's host id",
	"Date":                      "the clock of whoever answers",
	"Vary":                      "MinIO's browser support",
	"X-Content-Type-Options":    "MinIO's browser support",
	"X-Xss-Protection":          "MinIO's browser support",
	"Strict-Transport-Security": "MinIO's browser support",
	"X-Ratelimit-Limit":         "MinIO's own load",
	"X-Ratelimit-Remaining":     "MinIO's own load",
	"X-Cache":                   "the gateway's cache",
	"Cache-Status":              "the gateway's cache",
	"Age":                       "the gateway's cache",
	"Retry-After":               "the gateway's help for plain HTTP clients",
	"X-Minio-Error-Code":        "MinIO's own",
	"X-Minio-Error-Desc":        "MinIO's own",
}

// mayDifferHeader is the written list of headers that may differ.
func mayDifferHeader(st *step, name string, d, g *answer) bool {
	if noise[name] != "" {
		return true
	}
	if name == "Accept-Ranges" && (st.op != "get" || d.status >= 300) {
		return true // MinIO sends it with every answer; it says something only of objects
	}
	// The length of a document follows from its elements, which are compared.
	return name == "Content-Length" && st.method != "HEAD" && (isXML(d) || isXML(g))
}

// elements that may differ, by the path's end, and why.
var freeElements = map[string]string{
	"Error/Message":    "free text",
	"Error/Resource":   "a hint for people",
	"Error/RequestId":  "each request's own",
	"Error/HostId":     "each server's own",
	"Error/BucketName": "a hint for people",
	"Error/Key":        "a hint for people",
}

// mayDifferElement is the written list of elements that may differ.
func mayDifferElement(st *step, path string, d, g *element) bool {
	for end := range freeElements {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}
