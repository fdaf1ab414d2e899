"""Croissant 1.1 metadata of a published zoo: its files, and the catalogue as a set of records.

Reference: Croissant Format Specification 1.1, http://mlcommons.org/croissant/1.1
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitzoo.sharing.publishing.columns import meaning
from vitzoo.sharing.publishing.repository import File
from vitzoo.zoo.layout import CATALOGUE, WEIGHTS

if TYPE_CHECKING:
    import pyarrow

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
RECORDS = "catalogue"
PARQUET = "application/x-parquet"
_FORMATS = {".json": "application/json", ".yaml": "application/yaml", ".parquet": PARQUET}
# Appendix 1 of the specification, and the language maps that its reference reader takes names and descriptions for.
_TERMS = (
    *("annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract"),
    *("field", "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath"),
    *("key", "md5", "parentField", "path", "readLines", "recordSet", "references", "regex", "repeated", "replace"),
    *("samplingRate", "sdVersion", "separator", "source", "subField", "transform", "unArchive", "value"),
)
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS},
}


@dataclass(frozen=True)
class Head:
    """What is said of the whole: texts, addresses, and the version, which is the day's."""

    name: str
    description: str
    licence: str
    url: str
    files: str
    creator: str
    creator_url: str
    published: str
    version: str
    citation: str
    keywords: Sequence[str]


def metadata(head: Head, files: Sequence[File], parquet: bytes) -> dict[str, Any]:
    """Return the metadata as JSON-LD.

    ``files`` are those to be listed with their digests, the catalogue among them; ``head.files`` is the address that
    they are below. Weights are listed as a set: the catalogue has their paths and digests.
    """
    import pyarrow.parquet

    schema = pyarrow.parquet.read_schema(io.BytesIO(parquet))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": head.name,
        "description": head.description,
        "license": head.licence,
        "url": head.url,
        "creator": {"@type": "sc:Organization", "name": head.creator, "url": head.creator_url},
        "datePublished": head.published,
        "version": head.version,
        "citeAs": head.citation,
        "keywords": list(head.keywords),
        "isLiveDataset": False,
        "distribution": [*(_file(file, head.files) for file in files), _weights()],
        "recordSet": [_records(schema)],
    }


def _file(file: File, address: str) -> dict[str, Any]:
    assert isinstance(file.content, bytes), "weights are listed as a set"
    return {
        "@type": "cr:FileObject",
        "@id": file.place,
        "name": file.place,
        "contentUrl": f"{address}/{file.place}",
        "contentSize": f"{file.size} B",
        "encodingFormat": _FORMATS[file.place[file.place.rindex(".") :]],
        "sha256": hashlib.sha256(file.content).hexdigest(),
    }


def _weights() -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": "weights",
        "name": "weights",
        "description": "The weights of every checkpoint, under timm's names. Path and SHA-256 of each are in the "
        "catalogue.",
        "encodingFormat": "application/octet-stream",
        "includes": f"**/{WEIGHTS}",
    }


def _records(schema: "pyarrow.Schema") -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": "One record per checkpoint: what it is, where it comes from, its factors and its metrics.",
        "key": [{"@id": f"{RECORDS}/member"}, {"@id": f"{RECORDS}/epoch"}],
        "field": [_field(schema.field(name)) for name in schema.names],
    }


def _field(field: "pyarrow.Field") -> dict[str, Any]:
    import pyarrow.types as types

    kind, shape = field.type, []
    while types.is_list(kind):
        kind = kind.value_type
        shape.append("-1")
    return {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{field.name}",
        "name": field.name,
        "description": meaning(field.name),
        "dataType": _data_type(kind),
        "source": {"fileObject": {"@id": CATALOGUE}, "extract": {"column": field.name}},
        **({"isArray": True, "arrayShape": ",".join(shape)} if shape else {}),
    }


def _data_type(kind: "pyarrow.DataType") -> str:
    import pyarrow.types as types

    if types.is_boolean(kind):
        return "sc:Boolean"
    if types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if types.is_floating(kind) else "sc:Text"
