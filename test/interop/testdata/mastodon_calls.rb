# frozen_string_literal: true

# Every call that Mastodon makes of its store, by the SDK that Mastodon uses, with
# every answer checked.
#
# The gateway and the bucket are named by S3_ENDPOINT and S3_BUCKET, the keys by
# AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The first wrong answer ends the
# script with a status other than zero.

require 'aws-sdk-s3'
require 'digest'
require 'json'
require 'net/http'
require 'securerandom'
require 'tempfile'
require 'zlib'

MIB = 1 << 20
BUCKET = ENV.fetch('S3_BUCKET')
CACHE = 'public, max-age=315576000, immutable'

# As config/initializers/paperclip.rb has it, but without retries: they would hide
# a wrong answer.
S3 = Aws::S3::Client.new(
  endpoint: ENV.fetch('S3_ENDPOINT'), region: 'us-east-1', force_path_style: true, signature_version: 'v4',
  http_open_timeout: 5, http_read_timeout: 5, http_idle_timeout: 5, retry_limit: 0
)
OBJECTS = Aws::S3::Resource.new(client: S3).bucket(BUCKET)

def same(got, want, what)
  abort "#{what}: got #{got.inspect[0, 300]}, want #{want.inspect[0, 300]}" unless got == want
end

# The call must be answered with the status and one of the codes.
def refused(status, *codes)
  answer = yield
rescue Aws::Errors::ServiceError => e
  same(e.context.http_response.status_code, status, "status of #{e.code} (#{e.message})")
  abort "#{e.code}: want one of #{codes}" unless codes.include?(e.code)
else
  abort "accepted with #{answer.inspect[0, 300]}, want #{status} #{codes}"
end

def put(key, body, **options)
  S3.put_object(bucket: BUCKET, key: key, body: body, **options)
end

def get(key, **options)
  S3.get_object(bucket: BUCKET, key: key, **options)
end

def content(key, **options)
  get(key, **options).body.read.b
end

def head(key, **options)
  S3.head_object(bucket: BUCKET, key: key, **options)
end

def absent(key)
  refused(404, 'NotFound') { head(key) }
  refused(404, 'NoSuchKey') { get(key) }
  same(OBJECTS.object(key).exists?, false, "exists? of #{key}")
end

def quoted_md5(data)
  "\"#{Digest::MD5.hexdigest(data)}\""
end

def list(prefix, **options)
  S3.list_objects_v2(bucket: BUCKET, prefix: prefix, **options)
end

# A plain HTTP client.
def fetch(request_class, url, body = nil, headers = {})
  uri = URI(url)
  request = request_class.new(uri)
  headers.each { |name, value| request[name] = value }
  request.body = body
  Net::HTTP.start(uri.host, uri.port) { |http| http.request(request) }
end

# The checks, in the order of CHECKS below.

# One object is written, looked at, read, and read under conditions.
def objects
  key = 'ruby/objects/file.png'
  data = SecureRandom.bytes(100_000)
  answer = put(key, data, content_type: 'image/png', acl: 'public-read', cache_control: CACHE, storage_class: 'STANDARD')
  same(answer.context.http_request.headers['expect'], '100-continue', 'Expect of put_object')
  same(answer.etag, quoted_md5(data), 'ETag of put_object')
  [head(key), get(key)].each do |got|
    same([got.etag, got.content_length, got.content_type, got.cache_control],
         [quoted_md5(data), data.size, 'image/png', CACHE], 'headers of an object')
  end
  same(content(key), data, 'body')
  put('ruby/objects/empty', '')
  same(content('ruby/objects/empty'), '', 'an empty body')
  absent('ruby/objects/never-was')
  conditions(key, data)
  ranges(key, data)

  put(key, data[0, 500], content_type: 'image/gif')
  same(content(key), data[0, 500], 'body after it was replaced')
  same(head(key).content_type, 'image/gif', 'type after it was replaced')
end

def conditions(key, data)
  same(content(key, if_match: quoted_md5(data)), data, 'body under If-Match')
  refused(412, 'PreconditionFailed') { get(key, if_match: '"0123456789abcdef0123456789abcdef"') }
  refused(412, 'PreconditionFailed', 'Http412Error') { head(key, if_match: '"0"') }
  refused(304, 'NotModified', 'Http304Error') { get(key, if_none_match: quoted_md5(data)) }
end

def ranges(key, data)
  { '0-0' => data[0, 1], '100-199' => data[100, 100], '99990-' => data[99_990..], '-7' => data[-7..] }.each do |range, want|
    answer = get(key, range: "bytes=#{range}")
    same(answer.context.http_response.status_code, 206, 'status of a range')
    same(answer.body.read.b, want, "bytes #{range}")
  end
  same(get(key, range: 'bytes=100-199').content_range, 'bytes 100-199/100000', 'Content-Range')
  refused(416, 'InvalidRange') { get(key, range: 'bytes=100000-') }
end

# 17 MiB go up in parts of 5 MiB on threads, and are read whole, by range and by part.
def multipart
  key = 'ruby/multipart/video.mp4'
  data = SecureRandom.bytes(17 * MIB)
  parts = (0...data.size).step(5 * MIB).map { |i| data[i, 5 * MIB] }
  with_file(data) do |path|
    OBJECTS.object(key).upload_file(path, multipart_threshold: 15 * MIB, acl: 'public-read', cache_control: CACHE,
                                          content_type: 'video/mp4')
  end
  etag = Digest::MD5.hexdigest(parts.map { |part| Digest::MD5.digest(part) }.join)
  got = head(key)
  same([got.etag, got.content_length, got.content_type, got.cache_control],
       ["\"#{etag}-#{parts.size}\"", data.size, 'video/mp4', CACHE], 'headers of a multipart object')
  downloads(key, data)

  border = 5 * MIB
  same(content(key, range: "bytes=#{border - 10}-#{border + 9}"), data[border - 10, 20], 'a range over a border')
  same(head(key, part_number: 1).content_length, parts[0].bytesize, 'length of HEAD ?partNumber=1')
  same(head(key, part_number: 1).parts_count, parts.size, 'parts of HEAD ?partNumber=1')
  parts.each.with_index(1) do |part, number|
    answer = get(key, part_number: number)
    same(answer.parts_count, parts.size, 'parts_count')
    same(Digest::MD5.hexdigest(answer.body.read), Digest::MD5.hexdigest(part), "part #{number}")
  end
end

# The SDK's download asks HEAD ?partNumber=1, then for all parts at once (auto), or for ranges.
def downloads(key, data)
  [{}, { mode: 'single_request' }, { mode: 'get_range', chunk_size: 4 * MIB }].each do |options|
    with_file('') do |path|
      OBJECTS.object(key).download_file(path, **options)
      same(Digest::MD5.file(path).hexdigest, Digest::MD5.hexdigest(data), "download_file #{options}")
    end
  end
end

def with_file(data)
  Tempfile.create('calls', binmode: true) do |file|
    file.write(data)
    file.close
    yield file.path
  end
end

# An upload that is given up leaves nothing.
def aborted
  key = 'ruby/multipart/aborted'
  upload = { bucket: BUCKET, key: key }
  upload[:upload_id] = S3.create_multipart_upload(bucket: BUCKET, key: key, content_type: 'video/mp4').upload_id
  part = SecureRandom.bytes(5 * MIB)
  same(S3.upload_part(**upload, part_number: 1, body: part).etag, quoted_md5(part), 'ETag of a part')
  same(S3.list_parts(**upload).parts.map { |p| [p.part_number, p.size] }, [[1, 5 * MIB]], 'list_parts')
  same(S3.list_multipart_uploads(bucket: BUCKET, prefix: key).uploads.map(&:key), [key], 'uploads under way')
  S3.abort_multipart_upload(**upload)
  refused(404, 'NoSuchUpload') { S3.list_parts(**upload) }
  same(S3.list_multipart_uploads(bucket: BUCKET, prefix: key).uploads.map(&:key), [], 'uploads after the abort')
  absent(key)
end

# One object, no object, and hundreds in one request.
def deletes
  put('ruby/deletes/one', '1')
  2.times do # the second finds nothing, which is success
    answer = S3.delete_object(bucket: BUCKET, key: 'ruby/deletes/one')
    same(answer.context.http_response.status_code, 204, 'status of delete_object')
  end
  absent('ruby/deletes/one')
  [false, true].each do |quiet|
    keys = (0...300).map { |i| format('ruby/deletes/%<quiet>s/%<i>03d ü.bin', quiet: quiet, i: i) }
    keys.each_slice(40).map { |some| Thread.new { some.each { |key| put(key, 'x') } } }.each(&:join)
    asked = keys + ['ruby/deletes/never-was']
    answer = S3.delete_objects(bucket: BUCKET, delete: { objects: asked.map { |key| { key: key } }, quiet: quiet })
    same(answer.errors.to_a, [], 'errors of delete_objects')
    same(answer.deleted.map(&:key).sort, quiet ? [] : asked.sort, "deleted by delete_objects, quiet: #{quiet}")
  end
  same(list('ruby/deletes/').key_count, 0, 'objects after delete_objects')
end

# Mastodon goes on when a canned ACL is not implemented, so both will do.
def acls
  put('ruby/acl', 'acl', acl: 'private')
  begin
    S3.put_object_acl(bucket: BUCKET, key: 'ruby/acl', acl: 'public-read')
  rescue Aws::S3::Errors::NotImplemented => e
    same(e.context.http_response.status_code, 501, 'status of put_object_acl')
  end
  same(content('ruby/acl'), 'acl', 'body after put_object_acl')
end

# Copies within the bucket keep the source's metadata, or replace it.
def copies
  source = 'ruby/copies/the source+ü.txt'
  data = SecureRandom.bytes(3000)
  put(source, data, content_type: 'text/x-source', cache_control: CACHE, metadata: { 'colour' => 'blue' })
  from = "#{BUCKET}/#{Seahorse::Util.uri_path_escape(source)}"
  answer = S3.copy_object(bucket: BUCKET, key: 'ruby/copies/plain', copy_source: from)
  same(answer.copy_object_result.etag, quoted_md5(data), 'ETag of a copy')
  S3.copy_object(bucket: BUCKET, key: 'ruby/copies/replaced', copy_source: from, metadata_directive: 'REPLACE', acl: 'public-read',
                 content_type: 'text/x-copy', cache_control: 'no-cache', metadata: { 'name' => 'copy' })
  OBJECTS.object(source).delete
  absent(source)
  { 'ruby/copies/plain' => ['text/x-source', CACHE, { 'colour' => 'blue' }],
    'ruby/copies/replaced' => ['text/x-copy', 'no-cache', { 'name' => 'copy' }] }.each do |key, want|
    answer = get(key)
    same([answer.content_type, answer.cache_control, metadata_of(answer)], want, "headers of #{key}")
    same(answer.body.read.b, data, "body of #{key}")
  end
  refused(404, 'NoSuchKey') { S3.copy_object(bucket: BUCKET, key: 'ruby/copies/none', copy_source: from) }
end

# Pages of both versions, with every way to go on.
def lists
  keys = %w[a b c].product((0...9).to_a).map { |d, i| format('ruby/lists/%<d>s/%<i>02d', d: d, i: i) } << 'ruby/lists/top'
  keys.each { |key| put(key, key) }
  same(by_start_after('ruby/lists/'), keys, 'list_objects_v2 by start-after')
  %i[list_objects_v2 list_objects].each do |operation|
    listed = S3.public_send(operation, bucket: BUCKET, prefix: 'ruby/lists/', max_keys: 7).flat_map(&:contents)
    same(listed.map(&:key), keys, "pages of #{operation}")
    listed.each do |o|
      same([o.etag, o.size, o.storage_class], [quoted_md5(o.key), o.key.size, 'STANDARD'], "#{operation} on #{o.key}")
    end
  end
  same(OBJECTS.objects(prefix: 'ruby/lists/').map(&:key), keys, 'objects of a bucket')

  directories = %w[ruby/lists/a/ ruby/lists/b/ ruby/lists/c/]
  page = S3.list_objects(bucket: BUCKET, prefix: 'ruby/lists/', delimiter: '/')
  same(page.common_prefixes.map(&:prefix), directories, 'common prefixes')
  same(page.contents.map(&:key), ['ruby/lists/top'], 'objects beside common prefixes')
  pages = S3.list_objects(bucket: BUCKET, prefix: 'ruby/lists/', delimiter: '/', max_keys: 2)
  found = pages.flat_map { |some| some.common_prefixes.map(&:prefix) + some.contents.map(&:key) }
  same(found, directories + ['ruby/lists/top'], 'list_objects with a delimiter, in pages')
end

# Mastodon's `media remove-orphans` goes on behind the last key until a page is empty.
def by_start_after(prefix)
  found = []
  loop do
    page = list(prefix, start_after: found.last, max_keys: 10)
    return found if page.contents.empty?

    abort "a page of #{page.contents.size} objects, asked for 10" if page.contents.size > 10
    found += page.contents.map(&:key)
  end
end

# URLs for a plain HTTP client, and the same URLs bent.
def presigned
  key = 'ruby/presigned/a b+ü.bin'
  data = SecureRandom.bytes(5000)
  signer = Aws::S3::Presigner.new(client: S3)
  url = signer.presigned_url(:put_object, bucket: BUCKET, key: key)
  answer = fetch(Net::HTTP::Put, url, data, 'Content-Type' => 'text/x-test')
  same([answer.code, answer['etag']], ['200', quoted_md5(data)], "a presigned PUT (#{answer.body})")

  url = signer.presigned_url(:get_object, bucket: BUCKET, key: key, expires_in: 60)
  answer = fetch(Net::HTTP::Get, url)
  same([answer.code, answer['content-type'], answer.body.b], ['200', 'text/x-test', data], 'a presigned GET')
  answer = fetch(Net::HTTP::Get, url.sub('a%20b', 'a%20c'))
  same([answer.code, answer.body.include?('SignatureDoesNotMatch')], ['403', true], 'a presigned GET of another key')
  same(fetch(Net::HTTP::Put, url, 'other').code, '403', 'a PUT with the URL for a GET')
end

ODD_KEYS = [
  'a b.txt', 'a+b.txt', 'a&b=c.txt', 'é ü.txt', '日本語/🦈.png', 'a%2Fb.txt', '100%.txt', "it's (1)!*~.txt",
  'say "hi".txt', '<a>&amp;.txt', 'semi;colon:at@,$.txt', 'hash#question?.txt', 'back\\slash|{}[]^`.txt', 'plus%2B+ .txt'
].freeze

# Names that break what does not encode them right, in every place a name stands in.
def keys
  ODD_KEYS.each do |name|
    key = "ruby/keys/#{name}"
    put(key, name, content_type: 'text/plain')
    same(content(key), name.b, "body of #{key}")
    S3.copy_object(bucket: BUCKET, key: "ruby/copied/#{name}", copy_source: "#{BUCKET}/#{Seahorse::Util.uri_path_escape(key)}")
    same(content("ruby/copied/#{name}"), name.b, "body of a copy of #{key}")
  end
  want = ODD_KEYS.map { |name| "ruby/keys/#{name}" }.sort_by(&:b)
  same(list('ruby/keys/').contents.map(&:key), want, 'odd keys by list_objects_v2')
  same(S3.list_objects(bucket: BUCKET, prefix: 'ruby/keys/').contents.map(&:key), want, 'odd keys by list_objects')
  OBJECTS.objects(prefix: 'ruby/copied/').batch_delete!
  same(list('ruby/copied/').key_count, 0, 'odd keys after batch_delete!')
end

# Names of metadata have no case. What is not ASCII may come back encoded (RFC 2047):
# the gateway passes on what the store that it read from answers, which MinIO and
# Amazon encode, and versitygw does not.
def metadata_of(answer)
  answer.metadata.to_h do |name, value|
    decoded = value.gsub(/=\?UTF-8\?q\?(.*?)\?=/) { Regexp.last_match(1).tr('_', ' ').unpack1('M') }
    [name.downcase, decoded.force_encoding('UTF-8')]
  end
end

# Metadata and standard headers come back as they were. The SDK sends what is not
# ASCII as it is.
def metadata
  want = { 'colour' => 'blue', 'name' => 'a value, with; signs="quoted"', 'encoded' => '=?UTF-8?B?w7w=?=', 'umlaut' => 'grün 🦈' }
  put('ruby/metadata', 'm', metadata: want, content_language: 'de', content_disposition: 'inline; filename="x.txt"',
                            content_encoding: 'x-none')
  [head('ruby/metadata'), get('ruby/metadata')].each do |got|
    same(metadata_of(got), want, 'metadata')
    same([got.content_language, got.content_disposition, got.content_encoding],
         ['de', 'inline; filename="x.txt"', 'x-none'], 'standard headers')
  end
end

# Only the first of two creations succeeds. This version has no parameter for it.
def conditional_writes
  create = lambda do |body|
    request = S3.build_request(:put_object, bucket: BUCKET, key: 'ruby/conditional', body: body)
    request.context.http_request.headers['if-none-match'] = '*'
    request.send_request
  end
  create.call('first')
  refused(412, 'PreconditionFailed') { create.call('second') }
  same(content('ruby/conditional'), 'first', 'body after a refused creation')
end

def crc32c(data)
  sum = data.each_byte.inject(0xFFFFFFFF) do |crc, byte|
    8.times.inject(crc ^ byte) { |c, _| c.odd? ? (c >> 1) ^ 0x82F63B78 : c >> 1 }
  end
  [[sum ^ 0xFFFFFFFF].pack('N')].pack('m0')
end

# The SDK's own choice (MD5 for DeleteObjects, SHA-256 in the signature) is in every
# check. Here each algorithm by name: right sums pass, wrong ones store nothing.
def checksums
  data = SecureRandom.bytes(3000)
  sums = {
    crc32: [[Zlib.crc32(data)].pack('N')].pack('m0'), crc32c: crc32c(data),
    sha1: Digest::SHA1.base64digest(data), sha256: Digest::SHA256.base64digest(data)
  }
  sums.each do |name, sum|
    key = "ruby/checksums/#{name}"
    put(key, data, "checksum_#{name}": sum)
    same(content(key), data, "body sent with #{name}")
    wrong = ["\0" * sum.unpack1('m').size].pack('m0')
    refused(400, 'BadDigest', 'XAmzContentChecksumMismatch') { put("#{key}-wrong", data, "checksum_#{name}": wrong) }
    absent("#{key}-wrong")
    next if name == :crc32c # to compute it, the SDK needs a gem that Debian does not have

    put("#{key}-computed", data, checksum_algorithm: name.to_s.upcase)
    same(content("#{key}-computed"), data, "body sent with #{name} computed by the SDK")
  end
  put('ruby/checksums/md5', data, content_md5: Digest::MD5.base64digest(data))
  refused(400, 'BadDigest') { put('ruby/checksums/md5-wrong', data, content_md5: ["\0" * 16].pack('m0')) }
  absent('ruby/checksums/md5-wrong')
end

CHECKS = %i[
  objects
  multipart
  aborted
  deletes
  acls
  copies
  lists
  presigned
  keys
  metadata
  conditional_writes
  checksums
].freeze

CHECKS.each do |check|
  send(check)
  puts "ok #{check}"
end
