package s3api

// errorRow is one row of S3's list of errors.
type errorRow struct {
	status  int
	message string
}

// errorTable is the part of S3's list of error codes that a client of an object
// store can meet, with the messages that the service sends (they differ from those
// of the list, and there are clients that look for them):
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
var errorTable = map[string]errorRow{
	"NotModified": {304, "Not Modified"}, // has no body, so S3 lists no code for it

	"AuthorizationHeaderMalformed":         {400, "The authorization header that you provided is not valid."},
	"AuthorizationQueryParametersError":    {400, "The authorization query parameters that you provided are not valid."},
	"BadDigest":                            {400, "The Content-MD5 you specified did not match what we received."},
	"BadRequest":                           {400, "Bad Request"},
	"EntityTooLarge":                       {400, "Your proposed upload exceeds the maximum allowed object size."},
	"EntityTooSmall":                       {400, "Your proposed upload is smaller than the minimum allowed size"},
	"ExpiredToken":                         {400, "The provided token has expired."},
	"IncompleteBody":                       {400, "You did not provide the number of bytes specified by the Content-Length HTTP header"},
	"InvalidArgument":                      {400, "Invalid Argument"},
	"InvalidBucketName":                    {400, "The specified bucket is not valid."},
	"InvalidDigest":                        {400, "The Content-Md5 you specified is not valid."},
	"InvalidEncryptionAlgorithmError":      {400, "The encryption request that you specified is not valid. The valid value is AES256."},
	"InvalidLocationConstraint":            {400, "The specified location-constraint is not valid"},
	"InvalidPart":                          {400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."},
	"InvalidPartOrder":                     {400, "The list of parts was not in ascending order. Parts must be ordered by part number."},
	"InvalidPolicyDocument":                {400, "The content of the form does not meet the conditions specified in the policy document."},
	"InvalidRequest":                       {400, "Invalid Request"},
	"InvalidStorageClass":                  {400, "The storage class that you specified is not valid."},
	"InvalidTag":                           {400, "The tag provided was not a valid tag."},
	"InvalidToken":                         {400, "The provided token is malformed or otherwise not valid."},
	"InvalidURI":                           {400, "The specified URI couldn't be parsed."},
	"KeyTooLongError":                      {400, "Your key is too long."},
	"MalformedACLError":                    {400, "The XML you provided was not well-formed or did not validate against our published schema"},
	"MalformedPOSTRequest":                 {400, "The body of your POST request is not well-formed multipart/form-data."},
	"MalformedTrailerError":                {400, "The request contained trailing data that was not well-formed or did not conform to our published schema."},
	"MalformedXML":                         {400, "The XML you provided was not well-formed or did not validate against our published schema"},
	"MaxMessageLengthExceeded":             {400, "Your request was too big."},
	"MaxPostPreDataLengthExceeded":         {400, "Your POST request fields preceding the upload file were too large."},
	"MetadataTooLarge":                     {400, "Your metadata headers exceed the maximum allowed metadata size"},
	"MissingRequestBodyError":              {400, "Request Body is empty"},
	"MissingSecurityHeader":                {400, "Your request was missing a required header."},
	"RequestHeaderSectionTooLarge":         {400, "Your request header section exceeds the maximum allowed size."},
	"RequestTimeout":                       {400, "Your socket connection to the server was not read from or written to within the timeout period."},
	"UnresolvableGrantByEmailAddress":      {400, "The email address that you provided does not match any account on record."},
	"UserKeyMustBeSpecified":               {400, "The bucket POST request must contain the specified field name. If it is specified, check the order of the fields."},
	"XAmzContentChecksumMismatch":          {400, "The provided 'x-amz-checksum' header does not match what was computed."},
	"XAmzContentSHA256Mismatch":            {400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
	"AccessDenied":                         {403, "Access Denied"},
	"AccessForbidden":                      {403, "CORSResponse: This CORS request is not allowed."},
	"AllAccessDisabled":                    {403, "All access to this resource has been disabled."},
	"InvalidAccessKeyId":                   {403, "The AWS Access Key Id you provided does not exist in our records."},
	"InvalidObjectState":                   {403, "The operation is not valid for the current state of the object."},
	"RequestTimeTooSkewed":                 {403, "The difference between the request time and the current time is too large."},
	"SignatureDoesNotMatch":                {403, "The request signature we calculated does not match the signature you provided. Check your key and signing method."},
	"NoSuchBucket":                         {404, "The specified bucket does not exist"},
	"NoSuchKey":                            {404, "The specified key does not exist."},
	"NoSuchTagSet":                         {404, "The TagSet does not exist"},
	"NoSuchUpload":                         {404, "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."},
	"NoSuchVersion":                        {404, "The specified version does not exist."},
	"ObjectLockConfigurationNotFoundError": {404, "Object Lock configuration does not exist for this bucket"},
	"MethodNotAllowed":                     {405, "The specified method is not allowed against this resource."},
	"BucketAlreadyExists":                  {409, "The requested bucket name is not available. Select a different name and try again."},
	"BucketAlreadyOwnedByYou":              {409, "Your previous request to create the named bucket succeeded and you already own it."},
	"BucketNotEmpty":                       {409, "The bucket you tried to delete is not empty"},
	"ConditionalRequestConflict":           {409, "A conflicting operation occurred during the request to this resource."},
	"OperationAborted":                     {409, "A conflicting conditional operation is currently in progress against this resource. Please try again."},
	"MissingContentLength":                 {411, "You must provide the Content-Length HTTP header."},
	"PreconditionFailed":                   {412, "At least one of the pre-conditions you specified did not hold"},
	"InvalidRange":                         {416, "The requested range is not satisfiable"},
	"InternalError":                        {500, "We encountered an internal error. Please try again."},
	"NotImplemented":                       {501, "A header you provided implies functionality that is not implemented"},
	"ServiceUnavailable":                   {503, "Service is unable to handle the request. Please try again."},
	"SlowDown":                             {503, "Please reduce your request rate."},
}
