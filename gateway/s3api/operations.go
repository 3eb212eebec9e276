package s3api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Op is an operation of the S3 API, under the name Amazon's reference gives it.
type Op string

// The operations this package reads and answers itself. The tables below recognise
// more: those have a name and a document that is passed on.
const (
	ListBuckets             Op = "ListBuckets"
	CreateBucket            Op = "CreateBucket"
	HeadBucket              Op = "HeadBucket"
	DeleteBucket            Op = "DeleteBucket"
	GetBucketLocation       Op = "GetBucketLocation"
	ListObjects             Op = "ListObjects"
	ListObjectsV2           Op = "ListObjectsV2"
	ListMultipartUploads    Op = "ListMultipartUploads"
	DeleteObjects           Op = "DeleteObjects"
	GetObject               Op = "GetObject"
	HeadObject              Op = "HeadObject"
	PutObject               Op = "PutObject"
	PostObject              Op = "PostObject"
	CopyObject              Op = "CopyObject"
	DeleteObject            Op = "DeleteObject"
	CreateMultipartUpload   Op = "CreateMultipartUpload"
	UploadPart              Op = "UploadPart"
	UploadPartCopy          Op = "UploadPartCopy"
	CompleteMultipartUpload Op = "CompleteMultipartUpload"
	AbortMultipartUpload    Op = "AbortMultipartUpload"
	ListParts               Op = "ListParts"
	ListObjectVersions      Op = "ListObjectVersions"
	SelectObjectContent     Op = "SelectObjectContent"
	PutBucketVersioning     Op = "PutBucketVersioning"
	PutBucketCors           Op = "PutBucketCors"
	DeleteBucketCors        Op = "DeleteBucketCors"
	// Preflight is a browser's question before a request from another origin.
	Preflight Op = "PreflightRequest"
)

// unimplemented are recognised and refused: they need more than the passing on of
// a document, or belong to one provider alone.
var unimplemented = []Op{
	"AppendObject", "CreateSession", "GetBucketAbac", "GetObjectTorrent", "ListenBucketNotification", "PutBucketAbac",
	"RenameObject", "RestoreObject", "UpdateObjectEncryption",
	"CreateBucketMetadataConfiguration", "CreateBucketMetadataTableConfiguration",
	"DeleteBucketMetadataConfiguration", "DeleteBucketMetadataTableConfiguration",
	"GetBucketMetadataConfiguration", "GetBucketMetadataTableConfiguration",
	"UpdateBucketMetadataInventoryTableConfiguration", "UpdateBucketMetadataJournalTableConfiguration",
}

// Implemented tells whether the operation is one of those above, or one on a
// sub-resource whose document is passed on (Request.Subresource).
func (o Op) Implemented() bool { return !slices.Contains(unimplemented, o) }

// Mutation tells whether the operation can change a store. S3 names its reads
// Get…, Head… and List…; whatever else there is, or will be, counts as a
// mutation.
func (o Op) Mutation() bool {
	name := string(o)
	return !strings.HasPrefix(name, "Get") && !strings.HasPrefix(name, "Head") &&
		!strings.HasPrefix(name, "List") && o != SelectObjectContent
}

// methods names the operations of one sub-resource; "" is MethodNotAllowed.
type methods struct{ Get, Head, Put, Post, Delete Op }

// resource is a kind of address (service, bucket, object): its operations by the
// query key that selects the sub-resource, "" for the address itself.
type resource map[string]methods

// serviceOperations: https://<endpoint>/
var serviceOperations = resource{
	"": {Get: ListBuckets},
}

// bucketOperations: https://<endpoint>/<bucket>?<key>. PostObject is the upload
// by HTML form.
var bucketOperations = resource{
	"":          {Get: ListObjects, Head: HeadBucket, Put: CreateBucket, Post: PostObject, Delete: DeleteBucket},
	"list-type": {Get: ListObjectsV2},
	"location":  {Get: GetBucketLocation},
	"uploads":   {Get: ListMultipartUploads},
	"delete":    {Post: DeleteObjects},
	"versions":  {Get: ListObjectVersions},

	"abac":                   {Get: "GetBucketAbac", Put: "PutBucketAbac"},
	"accelerate":             {Get: "GetBucketAccelerateConfiguration", Put: "PutBucketAccelerateConfiguration"},
	"acl":                    {Get: "GetBucketAcl", Put: "PutBucketAcl"},
	"analytics":              {Get: "GetBucketAnalyticsConfiguration", Put: "PutBucketAnalyticsConfiguration", Delete: "DeleteBucketAnalyticsConfiguration"},
	"cors":                   {Get: "GetBucketCors", Put: PutBucketCors, Delete: DeleteBucketCors},
	"encryption":             {Get: "GetBucketEncryption", Put: "PutBucketEncryption", Delete: "DeleteBucketEncryption"},
	"events":                 {Get: "ListenBucketNotification"}, // MinIO's
	"intelligent-tiering":    {Get: "GetBucketIntelligentTieringConfiguration", Put: "PutBucketIntelligentTieringConfiguration", Delete: "DeleteBucketIntelligentTieringConfiguration"},
	"inventory":              {Get: "GetBucketInventoryConfiguration", Put: "PutBucketInventoryConfiguration", Delete: "DeleteBucketInventoryConfiguration"},
	"lifecycle":              {Get: "GetBucketLifecycleConfiguration", Put: "PutBucketLifecycleConfiguration", Delete: "DeleteBucketLifecycle"},
	"logging":                {Get: "GetBucketLogging", Put: "PutBucketLogging"},
	"metadataConfiguration":  {Get: "GetBucketMetadataConfiguration", Post: "CreateBucketMetadataConfiguration", Delete: "DeleteBucketMetadataConfiguration"},
	"metadataInventoryTable": {Put: "UpdateBucketMetadataInventoryTableConfiguration"},
	"metadataJournalTable":   {Put: "UpdateBucketMetadataJournalTableConfiguration"},
	"metadataTable":          {Get: "GetBucketMetadataTableConfiguration", Post: "CreateBucketMetadataTableConfiguration", Delete: "DeleteBucketMetadataTableConfiguration"},
	"metrics":                {Get: "GetBucketMetricsConfiguration", Put: "PutBucketMetricsConfiguration", Delete: "DeleteBucketMetricsConfiguration"},
	"notification":           {Get: "GetBucketNotificationConfiguration", Put: "PutBucketNotificationConfiguration"},
	"object-lock":            {Get: "GetObjectLockConfiguration", Put: "PutObjectLockConfiguration"},
	"ownershipControls":      {Get: "GetBucketOwnershipControls", Put: "PutBucketOwnershipControls", Delete: "DeleteBucketOwnershipControls"},
	"policy":                 {Get: "GetBucketPolicy", Put: "PutBucketPolicy", Delete: "DeleteBucketPolicy"},
	"policyStatus":           {Get: "GetBucketPolicyStatus"},
	"publicAccessBlock":      {Get: "GetPublicAccessBlock", Put: "PutPublicAccessBlock", Delete: "DeletePublicAccessBlock"},
	"replication":            {Get: "GetBucketReplication", Put: "PutBucketReplication", Delete: "DeleteBucketReplication"},
	"requestPayment":         {Get: "GetBucketRequestPayment", Put: "PutBucketRequestPayment"},
	"session":                {Get: "CreateSession"},
	"tagging":                {Get: "GetBucketTagging", Put: "PutBucketTagging", Delete: "DeleteBucketTagging"},
	"versioning":             {Get: "GetBucketVersioning", Put: PutBucketVersioning},
	"website":                {Get: "GetBucketWebsite", Put: "PutBucketWebsite", Delete: "DeleteBucketWebsite"},
}

// objectOperations: https://<endpoint>/<bucket>/<object key>?<key>
var objectOperations = resource{
	"":         {Get: GetObject, Head: HeadObject, Put: PutObject, Delete: DeleteObject},
	"uploads":  {Post: CreateMultipartUpload},
	"uploadId": {Get: ListParts, Put: UploadPart, Post: CompleteMultipartUpload, Delete: AbortMultipartUpload},

	"acl":          {Get: "GetObjectAcl", Put: "PutObjectAcl"},
	"append":       {Put: "AppendObject", Post: "AppendObject"}, // Alibaba's
	"attributes":   {Get: "GetObjectAttributes"},
	"encryption":   {Put: "UpdateObjectEncryption"},
	"legal-hold":   {Get: "GetObjectLegalHold", Put: "PutObjectLegalHold"},
	"renameObject": {Put: "RenameObject"},
	"restore":      {Post: "RestoreObject"},
	"retention":    {Get: "GetObjectRetention", Put: "PutObjectRetention"},
	"select":       {Post: SelectObjectContent},
	"tagging":      {Get: "GetObjectTagging", Put: "PutObjectTagging", Delete: "DeleteObjectTagging"},
	"torrent":      {Get: "GetObjectTorrent"},
}

// headerOperations are the requests that a header turns into another operation.
var headerOperations = []struct {
	Header   string
	Op, Into Op
}{
	{"X-Amz-Copy-Source", PutObject, CopyObject},
	{"X-Amz-Copy-Source", UploadPart, UploadPartCopy},
	{"X-Amz-Write-Offset-Bytes", PutObject, "AppendObject"},
	{"X-Amz-Rename-Source", PutObject, "RenameObject"},
}

// parameters are the query keys that may come without a value and yet select no
// sub-resource. X-Amz-* (a presigned request's) and response-* need no entry.
var parameters = []string{
	"allow-unordered", "bucket-region", "continuation-token", "delimiter", "encoding-type", "fetch-owner", "id",
	"key-marker", "marker", "max-buckets", "max-keys", "max-parts", "max-uploads", "part-number-marker",
	"partNumber", "prefix", "select-type", "start-after", "upload-id-marker", "version-id-marker", "versionId",
	"x-id",
}

// operation finds what method asks of the resource.
func (res resource) operation(method string, query url.Values, header http.Header) (Op, error) {
	sub := ""
	for key := range query {
		if _, known := res[key]; !known || key == "" {
			continue
		}
		if sub != "" {
			return "", ErrorFor("InvalidArgument",
				"Conflicting query string parameters: "+min(sub, key)+", "+max(sub, key))
		}
		sub = key
	}
	row := res[sub]
	op := row.op(method)
	if err := res.misplaced(sub, method, op, query, header); err != nil {
		return "", err
	}
	if op == "" {
		e := ErrorFor("MethodNotAllowed", "").with("Method", method).with("ResourceType", res.kind(sub))
		e.Header = http.Header{"Allow": {row.allow()}}
		return "", e
	}
	if key, unknown := unknownSubresource(op, query); unknown && sub == "" {
		return "", ErrorFor("NotImplemented", "The query parameter "+key+" asks for a function that is not implemented.")
	}
	for _, h := range headerOperations {
		if h.Op == op && len(header[h.Header]) > 0 {
			return h.Into, nil
		}
	}
	return op, nil
}

// misplaced refuses what S3 has a word of its own for: a sub-resource of buckets
// asked of a key, and what makes an upload of a part, or a copy, without the rest
// of it. Taken for PutObject a part would overwrite the object.
func (res resource) misplaced(sub, method string, op Op, query url.Values, header http.Header) error {
	ofObject := len(res) == len(objectOperations)
	switch source := first(header, "X-Amz-Copy-Source"); {
	case ofObject && sub == "uploads" && method == http.MethodGet:
		return ErrorFor("InvalidRequest", "Key is not expected for the GET method ?uploads subresource")
	case ofObject && query.Has("versions") && method == http.MethodGet:
		return ErrorFor("InvalidRequest", "There is no such thing as the ?versions sub-resource for a key")
	case op == PutObject && query.Has("partNumber"):
		return invalidArgument("This operation does not accept partNumber without uploadId").
			with("ArgumentName", "partNumber").with("ArgumentValue", query.Get("partNumber"))
	case source != "" && (method == http.MethodGet || method == http.MethodHead || method == http.MethodDelete ||
		op == CompleteMultipartUpload):
		return invalidArgument("You can only specify a copy source header for copy requests.").
			with("ArgumentName", "x-amz-copy-source").with("ArgumentValue", source)
	}
	return nil
}

// kind is S3's word for an address.
func (res resource) kind(sub string) string {
	switch {
	case sub != "":
		return strings.ToUpper(sub)
	case len(res) == len(serviceOperations):
		return "SERVICE"
	case len(res) == len(bucketOperations):
		return "BUCKET"
	}
	return "OBJECT"
}

// unknownSubresource finds a query key that may well name a sub-resource this
// package does not know: taking `PUT key?news` for PutObject would overwrite the
// object. Sub-resources carry no value, so a key with a value is noise, unless it
// names a sub-resource elsewhere and this is a mutation. Reads of objects are
// exempt from the rest: cache-busters (photo.jpg?1600000000) are common, and harm
// nothing.
func unknownSubresource(op Op, query url.Values) (string, bool) {
	for key, values := range query {
		_, ofBucket := bucketOperations[key]
		_, ofObject := objectOperations[key]
		empty := values[0] == ""
		switch {
		case key == "":
		case ofBucket || ofObject:
			if empty || op.Mutation() {
				return key, true
			}
		case empty && op != GetObject && op != HeadObject && !isParameter(key):
			return key, true
		}
	}
	return "", false
}

// isParameter tells whether a query key that is no sub-resource is a known one.
func isParameter(key string) bool {
	lower := strings.ToLower(key)
	return strings.HasPrefix(lower, "x-amz-") || strings.HasPrefix(lower, "response-") ||
		slices.Contains(parameters, key)
}

// op answers the operation of an HTTP method.
func (m methods) op(method string) Op {
	switch method {
	case http.MethodGet:
		return m.Get
	case http.MethodHead:
		return m.Head
	case http.MethodPut:
		return m.Put
	case http.MethodPost:
		return m.Post
	case http.MethodDelete:
		return m.Delete
	}
	return ""
}

// allow lists the methods for an Allow header.
func (m methods) allow() string {
	var names []string
	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
		if m.op(method) != "" {
			names = append(names, method)
		}
	}
	return strings.Join(names, ", ")
}
