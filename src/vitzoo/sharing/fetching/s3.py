"""A folder in S3, or at a server that speaks S3: listed page by page, files pinned to their ETag."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vitzoo.sharing.fetching.filesystem import FileSystemFolder, limited, told
from vitzoo.sharing.fetching.names import check_followed
from vitzoo.sharing.fetching.source import Body, Digest, Entry, Mark, SourceError, join

_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


class S3Folder(FileSystemFolder):
    """A source below ``s3://bucket/prefix``; credentials and endpoint are found as s3fs finds them."""

    def entries(self, folder: str) -> list[Entry]:
        place = self.place(folder)
        found = {}
        with told(place):
            for item in limited(self._listed(place), place):
                prefix = item.get("Prefix")
                name = (prefix or item["Key"]).rstrip("/").rpartition("/")[2]
                if not prefix and item["Key"].endswith("/"):
                    continue  # an empty object in place of a folder
                path = join(folder, check_followed(name, place))
                if prefix or path not in found:  # a key may be a folder and a file; the folder is what can be descended
                    found[path] = Entry(path) if prefix else Entry(path, item["Size"], item["ETag"].strip('"'))
        if not found:
            raise SourceError(f"s3://{place} holds nothing, or does not exist.")
        return list(found.values())

    @contextmanager
    def read(self, entry: Entry, mark: Mark | None) -> Iterator[Body]:
        bucket, _, key = self.place(entry.path).partition("/")
        with told(self.place(entry.path)):
            head = self.system.call_s3("head_object", Bucket=bucket, Key=key)  # type: ignore[attr-defined]
        if (head["ETag"].strip('"'), head["ContentLength"]) != (entry.stamp, entry.size):
            raise SourceError(f"s3://{bucket}/{key} has been changed since it was listed; repeat.")
        start = mark.start if mark else 0
        yield Body(start, self.blocks(entry, start), digest=_digest(head, bucket))

    def _listed(self, place: str) -> Iterator[dict[str, Any]]:
        bucket, _, prefix = place.partition("/")
        asked = {"Bucket": bucket, "Prefix": f"{prefix}/" if prefix else "", "Delimiter": "/"}
        while True:
            page = self.system.call_s3("list_objects_v2", **asked)  # type: ignore[attr-defined]
            yield from page.get("CommonPrefixes", ())
            yield from page.get("Contents", ())
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]


def _digest(head: dict[str, Any], bucket: str) -> Digest | None:
    """The MD5 that an ETag is, unless the object came in parts, is encrypted, or lies in a directory bucket."""
    etag = head["ETag"].strip('"')
    encrypted = str(head.get("ServerSideEncryption", "")).startswith("aws:kms") or "SSECustomerAlgorithm" in head
    return None if encrypted or bucket.endswith("--x-s3") or not _MD5.fullmatch(etag) else Digest("md5", etag)
