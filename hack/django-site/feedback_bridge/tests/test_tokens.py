# SPDX-License-Identifier: Apache-2.0
"""Who may connect, and by which keys."""

import base64
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from feedback_bridge import credentials, tokens
from feedback_bridge.keys import Key

from .asgi import application
from .bot import JWT_SECRET, SETTINGS, Bot, token

PRIVATE = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(algorithm):
    return PRIVATE[algorithm].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def number(value, size=None):
    return base64.urlsafe_b64encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def jwk(algorithm, kid):
    public = PRIVATE[algorithm].public_key()
    if algorithm == "RS256":
        members = {"kty": "RSA", "n": number(public.public_numbers().n), "e": number(public.public_numbers().e)}
    elif algorithm == "ES256":
        members = {"kty": "EC", "crv": "P-256", "x": number(public.public_numbers().x, 32), "y": number(public.public_numbers().y, 32)}
    else:
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        members = {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode()}
    return {**members, "kid": kid, "use": "sig"}


def minted(algorithm, kid=None, **claims):
    headers = {"kid": kid} if kid else None
    return jwt.encode({"exp": int(time.time()) + 60, **claims}, PRIVATE[algorithm], algorithm, headers=headers)


class TokenTests(SimpleTestCase):
    def verify(self, token, *keys, **rules):
        return tokens.verify(token, list(keys), tokens.Rules(**rules))

    def refused(self, reason, token, *keys, **rules):
        with self.assertRaisesRegex(tokens.TokenRefused, reason) as caught:
            self.verify(token, *keys, **rules)
        if token:
            self.assertNotIn(token, str(caught.exception))

    def test_each_kind_of_key(self):
        secret = tokens.from_secret("a" * 32)
        self.assertEqual(self.verify(token("a" * 32, sub="bot"), tokens.from_secret("b" * 32), secret)["sub"], "bot")
        for algorithm in PRIVATE:
            self.verify(minted(algorithm), secret, tokens.from_pem(pem(algorithm)))
            self.verify(minted(algorithm, "1"), *tokens.from_jwks({"keys": [jwk(algorithm, "0"), jwk(algorithm, "1")]}))
            self.verify(minted(algorithm), *tokens.from_jwks(json.dumps({"keys": [jwk(algorithm, "0")]})))

    def test_key_sets(self):
        keys = tokens.from_jwks({"keys": [jwk("RS256", "r"), jwk("ES256", "e"), {"kty": "oct", "k": "AA"}, {"kty": "new"}, 7, {**jwk("ES256", "x"), "x": 7}, {**jwk("ES256", "d"), "d": "AA"}]})
        self.assertEqual([key.id for key in keys], ["r", "e"])
        self.refused("not in the key set", minted("ES256", "gone"), *keys)
        for document in ("[]", "{}", "{", '{"keys": 1}'):
            with self.assertRaises(ValueError):
                tokens.from_jwks(document)

    def test_a_public_key_is_never_a_secret(self):
        forged = jwt.api_jws.encode(json.dumps({"exp": 2**40}).encode(), b"x", "HS256").split(".")
        import hashlib
        import hmac

        public = pem("RS256").encode()
        sig = hmac.new(public, ".".join(forged[:2]).encode(), hashlib.sha256).digest()
        forged[2] = base64.urlsafe_b64encode(sig).rstrip(b"=").decode()
        self.refused("algorithm", ".".join(forged), tokens.from_pem(public))
        unsigned = jwt.encode({"exp": 2**40}, None, "none")
        self.refused("algorithm", unsigned, tokens.from_secret("a" * 32))

    def test_refused(self):
        key, now = tokens.from_secret(JWT_SECRET), int(time.time())
        self.refused("no token", "", key)
        self.refused("not a JSON Web Token", "x.y", key)
        self.refused("more than", "x" * 9000, key)
        deep = base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=")
        self.refused("not a JSON Web Token", f"{deep}.e30.AAAA", key)
        self.refused("not made with", token("another secret of 32 bytes, long"), key)
        self.refused("expired", token(exp=now - 31), key)
        self.verify(token(exp=now - 25), key)
        self.refused("not valid yet", token(nbf=now + 60), key)
        self.refused("lacks a claim", jwt.encode({"sub": "bot"}, JWT_SECRET, "HS256"), key)
        self.verify(jwt.encode({"sub": "bot"}, JWT_SECRET, "HS256"), key, require=())
        self.refused("another audience", token(aud="other"), key, audience="shop")
        self.verify(token(aud="other"), key)
        self.refused("another issuer", token(iss="other"), key, issuer="ops")
        self.refused("another subject", token(sub="other"), key, subject="bot")
        self.refused("no token", "", key)

    def test_where_it_is(self):
        for headers, query, want in (
            ([], b"token=a.b.c", "a.b.c"),
            ([], b"x=1&token=a.b.c&y=2", "a.b.c"),
            ([(b"authorization", b"Bearer a.b.c")], b"", "a.b.c"),
            ([(b"authorization", b"bearer  a.b.c")], b"token=other", "a.b.c"),
            ([(b"authorization", b"Basic eA==")], b"token=a.b.c", "a.b.c"),
            ([], b"", ""),
            ([], b"&".join([b"a=1"] * 100), ""),
            ([(b"authorization", b"\xff")], b"\xff", ""),
        ):
            self.assertEqual(tokens.token_of({"headers": headers, "query_string": query}), want)


class CredentialTests(SimpleTestCase):
    def setUp(self):
        holder = TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.directory = Path(holder.name)
        patch = mock.patch.object(credentials, "RECHECK", -1)
        patch.start()
        self.addCleanup(patch.stop)

    def publish(self, version, **files):
        """As the kubelet does: a directory beside, then the link is swung."""
        fresh = self.directory / f"..{version}"
        fresh.mkdir()
        for name, value in files.items():
            (fresh / name.replace("_", "-")).write_text(value)
        os.symlink(fresh.name, self.directory / "..tmp")
        os.replace(self.directory / "..tmp", self.directory / "..data")

    def test_a_mounted_secret_is_read_again_when_it_changes(self):
        with override_settings(FEEDBACK_BRIDGE={"SECRET_DIR": str(self.directory), "JWT_SECRET": JWT_SECRET}):
            self.publish("1", hmac_key="one\n", hmac_current="one\n", hmac_key_id="x")
            self.assertEqual(credentials.current().ring.ids, [Key("one").id])
            self.publish("2", hmac_key="two", hmac_current="one", hmac_next="two")
            self.assertEqual(credentials.current().ring.ids, [Key("two").id, Key("one").id])
            with self.assertLogs("feedback_bridge", "ERROR"):
                self.publish("3", hmac_key="x" * 70_000)
                self.assertEqual(credentials.current().ring.ids, [Key("two").id, Key("one").id])
            (self.directory / "..3" / "jwks.json").write_text(json.dumps({"keys": [jwk("ES256", "e")]}))
            self.publish("4", hmac_key="two", hmac_previous="one")
            (self.directory / "..4" / "jwks.json").write_text(json.dumps({"keys": [jwk("ES256", "e")]}))
            held = credentials.current()
            self.assertEqual((held.ring.ids, len(held.token_keys)), ([Key("two").id, Key("one").id], 2))

    def test_files_and_environment(self):
        (self.directory / "key.pem").write_text(pem("ES256"))
        (self.directory / "set.json").write_text(json.dumps({"keys": [jwk("RS256", "r")]}))
        environment = {"FEEDBACK_BRIDGE_HMAC_SECRET": "of the environment", "FEEDBACK_BRIDGE_JWT_JWKS": str(self.directory / "set.json"), "FEEDBACK_BRIDGE_JWT_LEEWAY": "5"}
        with mock.patch.dict(os.environ, environment), override_settings(FEEDBACK_BRIDGE={"JWT_PUBLIC_KEY": self.directory / "key.pem"}):
            held = credentials.load()
        self.assertEqual(held.ring.ids, [Key("of the environment").id])
        self.assertEqual([key.algorithms[0] for key in held.token_keys], ["ES256", "RS256"])
        self.assertEqual(held.rules.leeway, 5)

    def test_what_cannot_be_read(self):
        for settings in (
            {"SECRET_DIR": str(self.directory / "none")},
            {"JWT_PUBLIC_KEY": str(self.directory / "none")},
            {"JWT_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"},
            {"JWT_JWKS": {"keys": 1}},
            {"HMAC_SECRET": [5]},
            {"JWT_SECRET": [5]},
        ):
            with override_settings(FEEDBACK_BRIDGE=settings), self.assertRaises((OSError, ValueError)):
                credentials.current()


@override_settings(FEEDBACK_BRIDGE=SETTINGS, ALLOWED_HOSTS=["shop.example"])
class EntryTests(TransactionTestCase):
    """The handshake, through the routing and the origin validator of a site."""

    async def enter(self, path="/ws/feedback-bot", origin=b"https://shop.example", bearer=None):
        headers = [(b"origin", origin)] if origin else []
        if bearer:
            headers.append((b"authorization", b"Bearer " + bearer.encode()))
        bot = Bot(application=application, path=path, headers=headers)
        accepted = await bot.connect(hello=False)
        if accepted:
            await bot.close()
        return accepted

    async def test_let_in(self):
        self.assertTrue(await self.enter(f"/ws/feedback-bot?token={token()}"))
        self.assertTrue(await self.enter(f"/ws/feedback-bot/?x=1&token={token()}"))
        self.assertTrue(await self.enter(bearer=token()))

    async def test_refused_before_the_accept(self):
        with self.assertLogs("feedback_bridge", "WARNING") as logs:
            self.assertFalse(await self.enter())
            self.assertFalse(await self.enter(f"/ws/feedback-bot?token={token('x' * 32)}"))
        self.assertNotIn(token("x" * 32).split(".")[0], str(logs.output))
        self.assertFalse(await self.enter(bearer=token(), origin=b"https://elsewhere.example"))
        self.assertFalse(await self.enter(bearer=token(), origin=None))

    async def test_a_site_without_keys_does_not_blame_the_token(self):
        with override_settings(FEEDBACK_BRIDGE={"JWT_SECRET": JWT_SECRET}):
            bot = Bot("v1")
            self.assertTrue(await bot.connect())
            self.assertEqual(await bot.closed(), 1013)
