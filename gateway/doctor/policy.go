package doctor

import (
	"slices"

	"sluice/backends"
)

// Policy is an IAM policy's document, as AWS and most who speak S3 take it.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// Statement allows actions on a resource.
type Statement struct {
	Effect   string   `json:"Effect"`
	Action   []string `json:"Action"`
	Resource string   `json:"Resource"`
}

// The rights that are asked for more than once.
const (
	listBucket  = "s3:ListBucket"
	getObject   = "s3:GetObject"
	putObject   = "s3:PutObject"
	lifecycle   = "s3:GetLifecycleConfiguration"
	versioning  = "s3:GetBucketVersioning"
	objectLock  = "s3:GetBucketObjectLockConfiguration"
	allVersions = "s3:ListBucketVersions"
)

// actions are the rights that an operation on a store needs, by the store's word for it.
var actions = map[string][]string{
	"ListObjects": {listBucket}, "ListObjectsV2": {listBucket},
	"GetObject": {getObject}, "HeadObject": {getObject},
	"PutObject": {putObject}, "CreateMultipartUpload": {putObject}, "UploadPart": {putObject}, "CompleteMultipartUpload": {putObject},
	"CopyObject":           {getObject, putObject},
	"ListParts":            {"s3:ListMultipartUploadParts"},
	"AbortMultipartUpload": {"s3:AbortMultipartUpload"},
	"ListMultipartUploads": {"s3:ListBucketMultipartUploads"},
	"DeleteObject":         {"s3:DeleteObject"},
	"GetObjectAcl":         {"s3:GetObjectAcl"}, "PutObjectAcl": {"s3:PutObjectAcl"},
	"GetObjectTagging": {"s3:GetObjectTagging"}, "PutObjectTagging": {"s3:PutObjectTagging"},
	"ListObjectVersions": {allVersions},
}

// policy allows all that Sluice asks of a bucket, and nothing else.
func (p *place) policy() *Policy {
	bucket := []string{listBucket, versioning, lifecycle, objectLock}
	object := []string{getObject, "s3:GetObjectTagging"}
	if !p.config.ReadOnly {
		bucket = append(bucket, "s3:ListBucketMultipartUploads")
		object = append(object, putObject, "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
			"s3:PutObjectTagging", "s3:DeleteObjectTagging")
	}
	if !p.noACLs {
		object = append(object, "s3:GetObjectAcl")
		if !p.config.ReadOnly {
			object = append(object, "s3:PutObjectAcl")
		}
	}
	if p.versioned {
		bucket = append(bucket, allVersions)
		object = append(object, "s3:GetObjectVersion")
		if !p.config.ReadOnly {
			object = append(object, "s3:DeleteObjectVersion")
		}
	}
	slices.Sort(bucket)
	slices.Sort(object)
	const arn = "arn:aws:s3:::"
	return &Policy{Version: "2012-10-17", Statement: []Statement{
		{Effect: "Allow", Action: bucket, Resource: arn + p.bucket},
		{Effect: "Allow", Action: object, Resource: arn + p.bucket + "/*"},
	}}
}

// denied tells which rights a refusal is about; none if it is not one of rights, but of the
// key pair itself.
func denied(e *backends.Error) []string {
	switch e.Code {
	case "AccessDenied", "Forbidden", "UnauthorizedAccess", "AccessForbidden":
		return actions[e.Op]
	}
	return nil
}
