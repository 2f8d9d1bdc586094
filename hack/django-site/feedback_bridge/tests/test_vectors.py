# SPDX-License-Identifier: Apache-2.0
"""docs/protocol, which both sides are held against; it is not there where the app alone was copied into a site."""

import json
from pathlib import Path
from unittest import skipUnless

from django.test import SimpleTestCase

from feedback_bridge import wire
from feedback_bridge.canonical import canonical
from feedback_bridge.keys import Key, KeyRing

from . import make_vectors, schemas


@skipUnless(Path(make_vectors.FILE).exists(), "docs/protocol is not here")
class VectorTests(SimpleTestCase):
    def test_the_file_is_what_is_made(self):
        self.assertEqual(json.loads(make_vectors.FILE.read_text("utf-8"))["vectors"], make_vectors.make())

    def test_version_two(self):
        vectors = json.loads(make_vectors.FILE.read_text("utf-8"))["vectors"]
        self.assertGreater(len(vectors), 150)
        for vector in vectors:
            with self.subTest(vector["name"]):
                self.assertEqual(self.refusal(vector), vector["error"])
                if vector["canonical"]:
                    frame = wire.read(vector["frame"])
                    del frame["sig"]
                    self.assertEqual(canonical(frame).decode(), vector["canonical"])

    @staticmethod
    def refusal(vector):
        try:
            wire.open_v2(wire.read(vector["frame"]), vector["receiver"], KeyRing([Key(vector["secret"])]), vector["now"])
        except wire.FrameError as error:
            return error.code
        return ""


@skipUnless(schemas.AVAILABLE, "neither docs/protocol nor jsonschema")
class SchemaTests(SimpleTestCase):
    def test_good_vectors_fit_the_schema(self):
        for vector in make_vectors.make():
            frame = json.loads(vector["frame"]) if not vector["error"] else {"type": "of_the_future"}
            if frame["type"] in schemas.TYPES["v2"] and vector["name"] == frame["type"]:
                with self.subTest(vector["name"]):
                    schemas.check("v2", frame)

    def test_the_schema_refuses(self):
        with self.assertRaises(Exception):
            schemas.check("v2", {"type": "hello"})
        with self.assertRaises(Exception):
            schemas.check("v1", {"type": "new_feedback", "id": "1", "data": {}, "ts": 1, "nonce": "n", "sig": "0" * 64})
