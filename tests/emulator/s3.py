"""Amazon S3: ListObjectsV2 and GetObject, in path style and virtual-host style (S3 API reference)."""

import hashlib
import time
import urllib.parse
from email.utils import formatdate
from xml.sax.saxutils import escape

from .errors import Refusal

MAX_KEYS = 1000
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class S3:
    def __init__(self, region, account):
        self.region = region
        self.account = account
        self.buckets = {}  # name to {"objects": {key: object}, "owner": account, "region": region}
        self.page_size = MAX_KEYS
        self.on_get = None  # called with (bucket, key) before an object is read: for objects that change meanwhile

    def create_bucket(self, name, owner=None, region=None):
        self.buckets[name] = {"objects": {}, "owner": owner or self.account, "region": region or self.region, "denied": set()}

    def put(self, bucket, key, content):
        content = content.encode() if isinstance(content, str) else content
        self.buckets[bucket]["objects"][key] = {
            "content": content, "etag": f'"{hashlib.md5(content).hexdigest()}"', "modified": int(time.time())}

    def delete(self, bucket, key):
        self.buckets[bucket]["objects"].pop(key, None)

    def target_of(self, request):
        """(bucket, key): the bucket is the host's first label, or the path's first segment."""
        host = (request.header("host") or "").rsplit(":", 1)[0]
        path = urllib.parse.unquote(request.path[1:])
        if ".s3." in host or ".s3-" in host:
            return host.split(".s3", 1)[0], path
        bucket, _, key = path.partition("/")
        return bucket, key

    def call(self, call, request):
        name, key = self.target_of(request)
        call["operation"] = "GetObject" if key else "ListObjectsV2"
        call["input"] = {"Bucket": name, "Key": key, "Query": request.query}
        bucket = self.buckets.get(name)
        if bucket is None:
            raise Refusal("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
        if bucket["region"] != self.region:
            raise Refusal("PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified "
                          "endpoint. Please send all future requests to this endpoint.", 301,
                          Endpoint=f"{name}.s3.{bucket['region']}.amazonaws.com", Bucket=name)
        owner = request.header("x-amz-expected-bucket-owner")
        if (owner is not None and owner != bucket["owner"]) or call["principal"]["arn"] in bucket["denied"]:
            raise Refusal("AccessDenied", "Access Denied", 403)
        if request.method not in ("GET", "HEAD"):
            raise Refusal("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
        return self._get(name, bucket, key, request) if key else self._list(name, bucket, request)

    def _get(self, name, bucket, key, request):
        if self.on_get is not None:
            self.on_get(name, key)
        found = bucket["objects"].get(key)
        if found is None:
            raise Refusal("NoSuchKey", "The specified key does not exist.", 404, Key=key)
        headers = [("ETag", found["etag"]), ("Last-Modified", formatdate(found["modified"], usegmt=True)),
                   ("Accept-Ranges", "bytes"), ("Content-Type", "binary/octet-stream")]
        match, none_match = request.header("if-match"), request.header("if-none-match")
        if match is not None and match not in ("*", found["etag"]):
            raise Refusal("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412,
                          Condition="If-Match")
        if none_match is not None and none_match in ("*", found["etag"]):
            return 304, headers, b""
        return 200, headers, found["content"]

    def _list(self, name, bucket, request):
        query = dict(urllib.parse.parse_qsl(request.query, keep_blank_values=True))
        if query.get("list-type") != "2":
            raise Refusal("NotImplemented", "Only ListObjectsV2 is emulated", 501)
        try:
            size = min(int(query.get("max-keys", MAX_KEYS)), self.page_size)
        except ValueError:
            raise Refusal("InvalidArgument", "Provided max-keys not an integer or within integer range", 400) from None
        prefix, is_encoded = query.get("prefix", ""), query.get("encoding-type") == "url"
        after = query.get("start-after", "")
        token = query.get("continuation-token")
        if token is not None:
            try:
                after = bytes.fromhex(token.removeprefix("1/")).decode()
            except ValueError:
                raise Refusal("InvalidArgument", "The continuation token provided is incorrect", 400) from None
        keys = sorted((key for key in bucket["objects"] if key.startswith(prefix) and key.encode() > after.encode()),
                      key=str.encode)
        page, is_more = keys[:size], len(keys) > size

        def show(text):
            return escape(urllib.parse.quote_plus(text, safe="/") if is_encoded else text)

        parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}"><Name>{escape(name)}</Name>'
                 f"<Prefix>{show(prefix)}</Prefix>"]
        if token is not None:
            parts.append(f"<ContinuationToken>{escape(token)}</ContinuationToken>")
        if is_more:
            parts.append(f"<NextContinuationToken>1/{page[-1].encode().hex()}</NextContinuationToken>")
        parts.append(f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{size}</MaxKeys>")
        if is_encoded:
            parts.append("<EncodingType>url</EncodingType>")
        parts.append(f"<IsTruncated>{'true' if is_more else 'false'}</IsTruncated>")
        for key in page:
            each = bucket["objects"][key]
            modified = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(each["modified"]))
            etag = escape(each["etag"], {'"': "&quot;"})
            parts.append(f"<Contents><Key>{show(key)}</Key><LastModified>{modified}</LastModified><ETag>{etag}</ETag>"
                         f"<Size>{len(each['content'])}</Size><StorageClass>STANDARD</StorageClass></Contents>")
        parts.append("</ListBucketResult>")
        return 200, [("Content-Type", "application/xml")], "".join(parts).encode()
