# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas of docs/protocol, where they and jsonschema are there."""

import json
import warnings

from . import make_vectors

try:
    import jsonschema
except ImportError:
    jsonschema = None

_FILES = {version: make_vectors.FILE.parent / f"{version}.schema.json" for version in ("v1", "v2")}
AVAILABLE = jsonschema is not None and all(file.exists() for file in _FILES.values())
_SCHEMAS = {version: json.loads(file.read_text("utf-8")) for version, file in _FILES.items()} if AVAILABLE else {}
TYPES = {version: set(schema["$defs"]) for version, schema in _SCHEMAS.items()}


def check(version, frame):
    """Raises jsonschema.ValidationError for a frame that does not fit the definition of its type."""
    if not AVAILABLE:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of RefResolver, whose successor Debian 12 lacks
        store = {schema["$id"]: schema for schema in _SCHEMAS.values()}
        schema = _SCHEMAS[version]
        resolver = jsonschema.RefResolver(schema["$id"], schema, store=store)
        kind = {"$ref": f"{schema['$id']}#/$defs/{frame['type']}"}
        jsonschema.Draft202012Validator(kind, resolver=resolver).validate(frame)
