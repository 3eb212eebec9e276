"""Every call of Mastodon's kind, made by boto3, with every answer checked.

The gateway and the bucket are named by S3_ENDPOINT and S3_BUCKET, the keys by
AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The first wrong answer ends the
script with a status other than zero.
"""

import base64
import concurrent.futures
import hashlib
import io
import os
import sys
import urllib.error
import urllib.request
import zlib

import boto3
import boto3.s3.transfer
import botocore.config
import botocore.exceptions

MIB = 1 << 20
BUCKET = os.environ["S3_BUCKET"]
CACHE = "public, max-age=315576000, immutable"

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["S3_ENDPOINT"],
    config=botocore.config.Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1},  # a retry would hide a wrong answer
        max_pool_connections=32,
    ),
)
sent = {}  # operation: the headers that went out last


def remember(request, event_name, **_):
    sent[event_name.rsplit(".", 1)[1]] = {k.lower(): v for k, v in request.headers.items()}


s3.meta.events.register("before-send.s3", remember)


def same(got, want, what):
    if got != want:
        sys.exit(f"{what}: got {got!r:.300}, want {want!r:.300}")


def refused(status, codes, call, *args, **kwargs):
    """The call must be answered with the status and one of the codes."""
    try:
        answer = call(*args, **kwargs)
    except botocore.exceptions.ClientError as e:
        same(e.response["ResponseMetadata"]["HTTPStatusCode"], status, f"status of {e}")
        if e.response["Error"]["Code"] not in codes:
            sys.exit(f"{e}: want one of {codes}")
        return
    sys.exit(f"{call.__name__} {kwargs}: accepted with {answer!r:.300}, want {status} {codes}")


def absent(key):
    refused(404, ["404", "NotFound"], s3.head_object, Bucket=BUCKET, Key=key)
    refused(404, ["NoSuchKey"], s3.get_object, Bucket=BUCKET, Key=key)


def put(key, body, **kwargs):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body, **kwargs)


def get(key, **kwargs):
    return s3.get_object(Bucket=BUCKET, Key=key, **kwargs)


def content(key, **kwargs):
    return get(key, **kwargs)["Body"].read()


def md5(data):
    return hashlib.md5(data).hexdigest()


def b64(data):
    return base64.b64encode(data).decode()


def fetch(url, method="GET", data=None, headers=None):
    """A plain HTTP client: status, headers, body."""
    request = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read()


def metadata_of(answer):
    """Names of metadata have no case: Amazon answers small letters, servers in Go capitals."""
    return {name.lower(): value for name, value in answer["Metadata"].items()}


# The checks, in the order of CHECKS below.


def objects():
    """One object is written, looked at, read, and read under conditions."""
    key, data = "boto3/objects/file.png", os.urandom(100_000)
    etag = f'"{md5(data)}"'
    answer = put(key, data, ContentType="image/png", ACL="public-read", CacheControl=CACHE, StorageClass="STANDARD")
    same(answer["ETag"], etag, "ETag of put_object")
    same(sent["PutObject"].get("expect"), b"100-continue", "Expect of put_object")
    head = s3.head_object(Bucket=BUCKET, Key=key)
    for name, want in {"ETag": etag, "ContentLength": len(data), "ContentType": "image/png", "CacheControl": CACHE}.items():
        same(head[name], want, f"{name} of head_object")
    answer = get(key)
    for name, want in {"ETag": etag, "ContentLength": len(data), "ContentType": "image/png", "CacheControl": CACHE}.items():
        same(answer[name], want, f"{name} of get_object")
    same(answer["Body"].read(), data, "body of get_object")
    same(answer["LastModified"], head["LastModified"], "LastModified of get_object")

    put("boto3/objects/empty", b"")
    same(content("boto3/objects/empty"), b"", "an empty body")
    absent("boto3/objects/never-was")

    same(content(key, IfMatch=etag), data, "body under If-Match")
    refused(412, ["PreconditionFailed"], get, key, IfMatch='"0123456789abcdef0123456789abcdef"')
    refused(412, ["412", "PreconditionFailed"], s3.head_object, Bucket=BUCKET, Key=key, IfMatch='"0"')
    refused(304, ["304", "NotModified"], get, key, IfNoneMatch=etag)
    for rng, want in {"0-0": data[:1], "100-199": data[100:200], "99990-": data[99_990:], "-7": data[-7:]}.items():
        answer = get(key, Range="bytes=" + rng)
        same(answer["ResponseMetadata"]["HTTPStatusCode"], 206, "status of a range")
        same(answer["Body"].read(), want, f"bytes {rng}")
    same(get(key, Range="bytes=100-199")["ContentRange"], "bytes 100-199/100000", "Content-Range")
    refused(416, ["InvalidRange"], get, key, Range="bytes=100000-")
    answer = get(key, ResponseContentDisposition="attachment", ResponseContentType="text/x-other")
    same((answer["ContentDisposition"], answer["ContentType"]), ("attachment", "text/x-other"), "overridden headers")

    put(key, data[:500], ContentType="image/gif")
    same(content(key), data[:500], "body after it was replaced")
    same(s3.head_object(Bucket=BUCKET, Key=key)["ContentType"], "image/gif", "type after it was replaced")


def multipart():
    """17 MiB go up in parts of 5 MiB, four at a time, and are read whole, by range and by part."""
    key, data = "boto3/multipart/video.mp4", os.urandom(17 * MIB)
    parts = [data[i : i + 5 * MIB] for i in range(0, len(data), 5 * MIB)]
    s3.upload_fileobj(
        io.BytesIO(data),
        BUCKET,
        key,
        ExtraArgs={"ACL": "public-read", "CacheControl": CACHE, "ContentType": "video/mp4"},
        Config=boto3.s3.transfer.TransferConfig(
            multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4
        ),
    )
    etag = f'"{md5(b"".join(hashlib.md5(p).digest() for p in parts))}-{len(parts)}"'
    head = s3.head_object(Bucket=BUCKET, Key=key)
    for name, want in {"ETag": etag, "ContentLength": len(data), "ContentType": "video/mp4", "CacheControl": CACHE}.items():
        same(head[name], want, f"{name} of a multipart object")

    whole = io.BytesIO()
    s3.download_fileobj(
        BUCKET, key, whole, Config=boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, max_concurrency=4)
    )
    same(md5(whole.getvalue()), md5(data), "a download in ranges")
    same(md5(content(key)), md5(data), "a download in one")
    border = 5 * MIB
    same(content(key, Range=f"bytes={border - 10}-{border + 9}"), data[border - 10 : border + 10], "a range over a border")

    head = s3.head_object(Bucket=BUCKET, Key=key, PartNumber=1)
    same(head["ResponseMetadata"]["HTTPStatusCode"], 206, "status of HEAD ?partNumber=1")
    same(head["ContentLength"], len(parts[0]), "length of HEAD ?partNumber=1")
    same(head["PartsCount"], len(parts), "PartsCount of HEAD ?partNumber=1")
    for number, part in enumerate(parts, 1):
        answer = get(key, PartNumber=number)
        same(answer["PartsCount"], len(parts), "PartsCount")
        same(md5(answer["Body"].read()), md5(part), f"part {number}")
    refused(416, ["InvalidPartNumber", "InvalidRange"], get, key, PartNumber=9)


def aborted():
    """An upload that is given up leaves nothing."""
    key = "boto3/multipart/aborted"
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key, ContentType="video/mp4")["UploadId"]
    part = os.urandom(5 * MIB)
    answer = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=part)
    same(answer["ETag"], f'"{md5(part)}"', "ETag of a part")
    listed = s3.list_parts(Bucket=BUCKET, Key=key, UploadId=upload)["Parts"]
    same([(p["PartNumber"], p["Size"]) for p in listed], [(1, 5 * MIB)], "list_parts")
    uploads = s3.list_multipart_uploads(Bucket=BUCKET, Prefix=key).get("Uploads", [])
    same([u["Key"] for u in uploads], [key], "uploads under way")
    s3.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
    refused(404, ["NoSuchUpload"], s3.list_parts, Bucket=BUCKET, Key=key, UploadId=upload)
    uploads = s3.list_multipart_uploads(Bucket=BUCKET, Prefix=key).get("Uploads", [])
    same(uploads, [], "uploads under way after the abort")
    absent(key)


def deletes():
    """One object, no object, and hundreds in one request."""
    put("boto3/deletes/one", b"1")
    for _ in range(2):  # the second finds nothing, which is success
        answer = s3.delete_object(Bucket=BUCKET, Key="boto3/deletes/one")
        same(answer["ResponseMetadata"]["HTTPStatusCode"], 204, "status of delete_object")
    absent("boto3/deletes/one")
    for quiet in False, True:
        keys = [f"boto3/deletes/{quiet}/{i:03} ü.bin" for i in range(300)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda key: put(key, b"x"), keys))
        asked = keys + ["boto3/deletes/never-was"]
        answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": k} for k in asked], "Quiet": quiet})
        same(answer.get("Errors", []), [], "errors of delete_objects")
        deleted = sorted(d["Key"] for d in answer.get("Deleted", []))
        same(deleted, [] if quiet else sorted(asked), f"Deleted of delete_objects, quiet={quiet}")
    same(s3.list_objects_v2(Bucket=BUCKET, Prefix="boto3/deletes/")["KeyCount"], 0, "objects after delete_objects")


def tags():
    """Tags are set with the object, replaced, read, and removed."""
    key = "boto3/tags"
    put(key, b"tags", Tagging="colour=blue&size=1")

    def tag_set():
        return {t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]}

    same(tag_set(), {"colour": "blue", "size": "1"}, "tags of put_object")
    s3.put_object_tagging(Bucket=BUCKET, Key=key, Tagging={"TagSet": [{"Key": "a b", "Value": "c+d"}]})
    same(tag_set(), {"a b": "c+d"}, "tags of put_object_tagging")
    s3.delete_object_tagging(Bucket=BUCKET, Key=key)
    same(tag_set(), {}, "tags after delete_object_tagging")
    s3.put_object_tagging(Bucket=BUCKET, Key=key, Tagging={"TagSet": [{"Key": "kept", "Value": "yes"}]})
    refused(404, ["NoSuchKey"], s3.get_object_tagging, Bucket=BUCKET, Key="boto3/never-was")


def acls():
    """Mastodon goes on when a canned ACL is not implemented, so both will do."""
    put("boto3/acl", b"acl", ACL="private")
    try:
        s3.put_object_acl(Bucket=BUCKET, Key="boto3/acl", ACL="public-read")
    except botocore.exceptions.ClientError as e:
        same(e.response["Error"]["Code"], "NotImplemented", "put_object_acl")
        same(e.response["ResponseMetadata"]["HTTPStatusCode"], 501, "status of put_object_acl")
    same(content("boto3/acl"), b"acl", "body after put_object_acl")


def copies():
    """Copies within the bucket keep the source's metadata, or replace it."""
    source, data = "boto3/copies/the source+ü.txt", os.urandom(3000)
    put(source, data, ContentType="text/x-source", CacheControl=CACHE, Metadata={"colour": "blue"})
    at = {"Bucket": BUCKET, "Key": source}
    answer = s3.copy_object(Bucket=BUCKET, Key="boto3/copies/plain", CopySource=at)
    same(answer["CopyObjectResult"]["ETag"], f'"{md5(data)}"', "ETag of a copy")
    s3.copy_object(
        Bucket=BUCKET,
        Key="boto3/copies/replaced",
        CopySource=at,
        MetadataDirective="REPLACE",
        ContentType="text/x-copy",
        CacheControl="no-cache",
        Metadata={"name": "copy"},
        ACL="public-read",
    )
    s3.delete_object(Bucket=BUCKET, Key=source)
    absent(source)
    for key, want in {
        "boto3/copies/plain": ("text/x-source", CACHE, {"colour": "blue"}),
        "boto3/copies/replaced": ("text/x-copy", "no-cache", {"name": "copy"}),
    }.items():
        answer = get(key)
        same((answer["ContentType"], answer["CacheControl"], metadata_of(answer)), want, f"headers of {key}")
        same(answer["Body"].read(), data, f"body of {key}")
    refused(404, ["NoSuchKey"], s3.copy_object, Bucket=BUCKET, Key="boto3/copies/none", CopySource=at)


def lists():
    """Pages of both versions, with every way to go on."""
    keys = [f"boto3/lists/{d}/{i:02}" for d in "abc" for i in range(9)]
    for key in keys + ["boto3/lists/top"]:
        put(key, key.encode())
    everything = keys + ["boto3/lists/top"]

    found, after = [], "boto3/lists/"
    while True:
        page = s3.list_objects_v2(Bucket=BUCKET, Prefix="boto3/lists/", StartAfter=after, MaxKeys=10)
        if page["KeyCount"] == 0:
            same(page["IsTruncated"], False, "IsTruncated of an empty page")
            break
        same(len(page["Contents"]) <= 10, True, "MaxKeys holds")
        found += [o["Key"] for o in page["Contents"]]
        after = found[-1]
    same(found, everything, "list_objects_v2 by start-after")

    for operation, size in ("list_objects_v2", 7), ("list_objects", 7):
        pages = s3.get_paginator(operation).paginate(Bucket=BUCKET, Prefix="boto3/lists/", PaginationConfig={"PageSize": size})
        listed = [o for page in pages for o in page.get("Contents", [])]
        same([o["Key"] for o in listed], everything, f"pages of {operation}")
        for o in listed:
            want = (f'"{md5(o["Key"].encode())}"', len(o["Key"]), "STANDARD")
            same((o["ETag"], o["Size"], o["StorageClass"]), want, f"{operation} on {o['Key']}")

    directories = [f"boto3/lists/{d}/" for d in "abc"]
    page = s3.list_objects(Bucket=BUCKET, Prefix="boto3/lists/", Delimiter="/")
    same([p["Prefix"] for p in page["CommonPrefixes"]], directories, "common prefixes")
    same([o["Key"] for o in page["Contents"]], ["boto3/lists/top"], "objects beside common prefixes")
    found, marker = [], ""
    while True:
        page = s3.list_objects(Bucket=BUCKET, Prefix="boto3/lists/", Delimiter="/", MaxKeys=2, Marker=marker)
        found += [p["Prefix"] for p in page.get("CommonPrefixes", [])] + [o["Key"] for o in page.get("Contents", [])]
        if not page["IsTruncated"]:
            break
        marker = page["NextMarker"]
    same(found, directories + ["boto3/lists/top"], "list_objects with a delimiter, by marker")


def presigned():
    """URLs for a plain HTTP client, and the same URLs bent."""
    key, data = "boto3/presigned/a b+ü.bin", os.urandom(5000)
    url = s3.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": key, "ContentType": "text/x-test"})
    status, headers, _ = fetch(url, "PUT", data, {"Content-Type": "text/x-test"})
    same((status, headers["ETag"]), (200, f'"{md5(data)}"'), "a presigned PUT")
    status, _, body = fetch(url, "PUT", b"other", {"Content-Type": "text/x-other"})
    same(status, 403, f"a presigned PUT of another type ({body})")

    url = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": key})
    status, headers, body = fetch(url)
    same((status, headers["Content-Type"], body), (200, "text/x-test", data), "a presigned GET")
    status, _, body = fetch(url.replace("a%20b", "a%20c"))
    same((status, b"SignatureDoesNotMatch" in body), (403, True), "a presigned GET of another key")
    status, _, body = fetch(url, "HEAD")
    same((status, body), (403, b""), "a HEAD with the URL for a GET")


ODD_KEYS = [
    "a b.txt", "a+b.txt", "a&b=c.txt", "é ü.txt", "日本語/🦈.png", "a%2Fb.txt", "100%.txt", "it's (1)!*~.txt",
    'say "hi".txt', "<a>&amp;.txt", "semi;colon:at@,$.txt", "hash#question?.txt", "back\\slash|{}[]^`.txt", "plus%2B+ .txt",
]  # fmt: skip


def keys():
    """Names that break what does not encode them right, in every place a name stands in."""
    for name in ODD_KEYS:
        key = "boto3/keys/" + name
        put(key, name.encode(), ContentType="text/plain")
        same(content(key), name.encode(), f"body of {key!r}")
        s3.copy_object(Bucket=BUCKET, Key="boto3/copied/" + name, CopySource={"Bucket": BUCKET, "Key": key})
        same(content("boto3/copied/" + name), name.encode(), f"body of a copy of {key!r}")
    want = sorted(("boto3/keys/" + name for name in ODD_KEYS), key=str.encode)
    for operation in s3.list_objects, s3.list_objects_v2:
        same([o["Key"] for o in operation(Bucket=BUCKET, Prefix="boto3/keys/")["Contents"]], want, "odd keys listed")
    doomed = [{"Key": "boto3/copied/" + name} for name in ODD_KEYS]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": doomed})
    same(sorted(d["Key"] for d in answer["Deleted"]), sorted(d["Key"] for d in doomed), "odd keys deleted")
    same(s3.list_objects_v2(Bucket=BUCKET, Prefix="boto3/copied/")["KeyCount"], 0, "odd keys after delete_objects")


def metadata():
    """boto3 refuses metadata that is not ASCII by itself; the rest must come back as it was."""
    want = {"colour": "blue", "name": "a value, with; signs=\"quoted\"", "encoded": "=?UTF-8?B?w7w=?="}
    put("boto3/metadata", b"m", Metadata=want, ContentLanguage="de", ContentDisposition='inline; filename="x.txt"', ContentEncoding="x-none")
    for answer in s3.head_object(Bucket=BUCKET, Key="boto3/metadata"), get("boto3/metadata"):
        same(metadata_of(answer), want, "metadata")
        got = answer["ContentLanguage"], answer["ContentDisposition"], answer["ContentEncoding"]
        same(got, ("de", 'inline; filename="x.txt"', "x-none"), "standard headers")


def conditional_writes():
    """Only the first of two creations succeeds. Older versions have no parameter for it."""

    def only_new(params, **_):
        params["headers"]["If-None-Match"] = "*"

    s3.meta.events.register("before-call.s3.PutObject", only_new)
    try:
        put("boto3/conditional", b"first")
        refused(412, ["PreconditionFailed"], put, "boto3/conditional", b"second")
    finally:
        s3.meta.events.unregister("before-call.s3.PutObject", only_new)
    same(content("boto3/conditional"), b"first", "body after a refused creation")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def checksums():
    """The SDK's own choice, and each algorithm by name: right sums pass, wrong ones store nothing."""
    data = os.urandom(3000)
    sums = {
        "CRC32": b64(zlib.crc32(data).to_bytes(4, "big")),
        "CRC32C": b64(crc32c(data).to_bytes(4, "big")),
        "SHA1": b64(hashlib.sha1(data).digest()),
        "SHA256": b64(hashlib.sha256(data).digest()),
    }
    wrong = {name: b64(bytes(len(base64.b64decode(value)))) for name, value in sums.items()}
    for name, value in sums.items():
        key, field = "boto3/checksums/" + name, "Checksum" + name
        put(key, data, **{field: value})
        same(content(key), data, f"body sent with {name}")
        refused(400, ["BadDigest", "XAmzContentChecksumMismatch"], put, key + "-wrong", data, **{field: wrong[name]})
        absent(key + "-wrong")
        if name == "CRC32C":  # to compute it, boto3 needs a package that Debian does not have
            continue
        put(key + "-stream", io.BytesIO(data), ChecksumAlgorithm=name)
        same(content(key + "-stream"), data, f"body streamed with {name}")
    refused(400, ["BadDigest"], put, "boto3/checksums/md5-wrong", data, ContentMD5=b64(bytes(16)))
    put("boto3/checksums/md5", data, ContentMD5=b64(hashlib.md5(data).digest()))
    same(content("boto3/checksums/md5"), data, "body sent with Content-MD5")


CHECKS = [
    objects,
    multipart,
    aborted,
    deletes,
    acls,
    tags,
    copies,
    lists,
    presigned,
    keys,
    metadata,
    conditional_writes,
    checksums,
]

for check in CHECKS:
    check()
    print("ok", check.__name__)
