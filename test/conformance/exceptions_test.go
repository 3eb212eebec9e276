package conformance

// This is the written list of what the store passes and the gateway need not,
// with a reason each. A case in it that passes fails the test: it is to be taken
// out.

// because is the part of a list that has one reason.
func because(list map[string]string, reason string, names ...string) {
	for _, name := range names {
		list[name] = reason
	}
}

// exceptionsOnMinIO: there are none.
var exceptionsOnMinIO = map[string]string{}

var exceptionsOfClient = map[string]string{
	"testGetObjectS3Zip":      "MinIO's own extension: files within an archive are read as objects",
	"testGetObjectACLContext": "it wants the ACL that it gave forgotten, as MinIO does; the gateway keeps it",
}

// exceptionsOnVersity: the suite was written for versitygw, and holds a server to
// its messages.
var exceptionsOnVersity = func() map[string]string {
	list := make(map[string]string)
	because(list, "the gateway keeps ACLs for stores that have none",
		"PutObjectAcl_not_implemented",
	)
	because(list, "the gateway takes any region: a client's says nothing of the stores behind it",
		"Authentication_credentials_incorrect_region",
		"PostObject_incorrect_region",
		"PresignedAuth_creds_incorrect_region",
	)
	because(list, "versitygw ends the message with a period, S3 does not",
		"AbortMultipartUpload_non_existing_bucket",
		"Authentication_invalid_date_header",
		"Authentication_missing_date_header",
		"CompleteMultipartUpload_empty_parts",
		"CompleteMultipartUpload_missing_part_fields",
		"CompletedMultipartUpload_non_existing_bucket",
		"CopyObject_non_existing_dst_bucket",
		"CreateMultipartUpload_non_existing_bucket",
		"DeleteBucketCors_non_existing_bucket",
		"DeleteBucketOwnershipControls_non_existing_bucket",
		"DeleteBucketPolicy_non_existing_bucket",
		"DeleteBucketTagging_non_existing_object",
		"DeleteBucketWebsite_non_existing_bucket",
		"DeleteBucket_non_existing_bucket",
		"GetBucketAcl_non_existing_bucket",
		"GetBucketCors_non_existing_bucket",
		"GetBucketLocation_non_exist",
		"GetBucketOwnershipControls_non_existing_bucket",
		"GetBucketPolicyStatus_non_existing_bucket",
		"GetBucketPolicy_non_existing_bucket",
		"GetBucketTagging_non_existing_bucket",
		"GetBucketTagging_non_existing_object",
		"GetBucketVersioning_non_existing_bucket",
		"GetBucketWebsite_non_existing_bucket",
		"GetObjectAttributes_non_existing_bucket",
		"GetObjectLegalHold_non_existing_bucket",
		"GetObjectLockConfiguration_non_existing_bucket",
		"GetObjectRetention_non_existing_bucket",
		"GetObject_conditional_reads",
		"GetObject_invalid_part_number",
		"ListBuckets_invalid_max_buckets",
		"ListMultipartUploads_non_existing_bucket",
		"ListObjectVersions_non_existing_bucket",
		"PostObject_access_denied",
		"PostObject_invalid_content_type",
		"PostObject_invalid_tagging",
		"PreflightOPTIONS_non_existing_bucket",
		"PresignedAuth_expired_request",
		"PublicBucket_default_private_bucket",
		"PublicBucket_public_acl",
		"PublicBucket_public_bucket_policy",
		"PutBucketAcl_non_existing_bucket",
		"PutBucketCors_non_existing_bucket",
		"PutBucketOwnershipControls_non_existing_bucket",
		"PutBucketPolicy_non_existing_bucket",
		"PutBucketTagging_non_existing_bucket",
		"PutBucketVersioning_non_existing_bucket",
		"PutBucketWebsite_non_existing_bucket",
		"PutObjectLegalHold_non_existing_bucket",
		"PutObjectLockConfiguration_non_existing_bucket",
		"PutObjectRetention_non_existing_bucket",
		"PutObject_non_existing_bucket",
		"UploadPartCopy_invalid_part_number",
		"UploadPartCopy_non_existing_bucket",
		"UploadPartCopy_non_existing_source_bucket",
		"UploadPart_invalid_part_number",
		"UploadPart_non_existing_bucket",
	)
	because(list, "versitygw's own wording of the message, or its own order of what is wrong first",
		"Authentication_invalid_sha256_payload_hash",
		"Authentication_malformed_component",
		"Authentication_malformed_credential",
		"Authentication_missing_components",
		"CopyObject_invalid_checksum_algorithm",
		"ListMultipartUploads_invalid_max_uploads",
		"ListObjectVersions_negative_max_keys",
		"ListObjects_invalid_max_keys",
		"ListParts_invalid_max_parts",
		"ListParts_invalid_part_number_marker",
		"PostObject_policy_access_control",
		"PostObject_policy_condition_key_mismatch",
		"PresignedAuth_unsupported_algorithm",
		"SignedStreamingPayload_invalid_encoding",
		"UnsignedStreamingPayloadTrailer_incomplete_body",
		"UnsignedStreamingPayloadTrailer_multiple_checksum_headers",
	)
	because(list, "elements of an error document that the gateway does not have, or fills otherwise",
		"Authentication_unsupported_signature_version",
		"CopyObject_invalid_copy_source",
		"PostObject_invalid_algorithm",
		"PostObject_invalid_credential_format",
		"PostObject_invalid_date",
		"PostObject_partial_auth_fields",
		"PostObject_policy_content_length_too_large",
		"PostObject_signature_mismatch",
		"PutObject_md5",
		"RouterPostObjectWithoutQuery",
		"RouterPutPartNumberWithoutUploadId",
		"UploadPartCopy_invalid_copy_source",
	)
	because(list, "the gateway authenticates by its own configuration: policies and ACLs of a bucket open nothing",
		"GetObject_overrides_fail_public",
		"HeadObject_overrides_fail_public",
		"PublicBucket_incorrect_sha256_hash",
		"PublicBucket_policy_deny_overrides_public_acl",
		"PublicBucket_signed_streaming_payload",
	)
	because(list, "the gateway takes Signature Version 2",
		"Authentication_sigv2_not_supported",
		"PresignedAuth_sigv2_not_supported",
	)
	because(list, "the gateway takes what S3 would refuse: larger headers, smaller chunks",
		"Server_large_http_header",
		"SignedStreamingPayload_invalid_chunk_size",
		"UnsignedStreamingPayloadTrailer_invalid_chunk_size",
	)
	because(list, "of two things wrong the gateway names another",
		"Authentication_incorrect_payload_hash",
		"PostObject_invalid_policy_document",
		"RouterCopySourceNotAllowed",
		"RouterPUTObjectOnlyUploadId",
		"SignedStreamingPayloadTrailer_incomplete_body",
		"UnsignedStreamingPayloadTrailer_not_allowed",
		"UploadPart_checksum_algorithm_mistmatch_on_initialization_with_value",
	)
	because(list, "S3 has the header for directory buckets alone",
		"AbortMultipartUpload_if_match_initiated_time",
	)
	because(list, "S3's PostResponse has no name space",
		"PostObject_success_status_201",
	)
	because(list, "S3 calls a list without objects malformed",
		"DeleteObjects_empty_input",
	)
	because(list, "another code for a request that is refused all the same; not settled yet which is S3's",
		"PutBucketCors_md5",
		"PutObjectLegalHold_invalid_body",
	)
	because(list, "S3 answers 416 to a range of an empty object",
		"GetObject_dir_with_range",
		"GetObject_zero_len_with_range",
		"HeadObject_dir_with_range",
		"HeadObject_zero_len_with_range",
	)
	because(list, "only a preflight is refused for its Access-Control-Request headers",
		"CORSMiddleware_invalid_headers",
		"CORSMiddleware_invalid_method",
	)
	because(list, "S3 sends an empty Prefix and Marker, versitygw leaves them out",
		"ListObjectsV2_list_all_objs",
		"ListObjects_list_all_objs",
	)
	because(list, "a form is bounded by the expiration of its policy; versitygw ends it an hour after its date too",
		"PostObject_expired_due_to_date",
	)
	because(list, "a continuation token is opaque: the suite expects the name of a key",
		"ListObjectsV2_both_start_after_and_continuation_token",
	)
	because(list, "a continuation token is opaque: the suite expects the name of a bucket",
		"ListBuckets_truncated",
	)
	return list
}()
