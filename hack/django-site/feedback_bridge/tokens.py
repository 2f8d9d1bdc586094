# SPDX-License-Identifier: Apache-2.0
"""Checks the bot's JSON Web Token: by a shared secret (HS256), public keys, or a key set. No reason quotes the token."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import jwt
from jwt import algorithms

MAX_TOKEN = 8 << 10
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_SIZES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


class TokenRefused(Exception):
    """Why there is no entry, in words for the site's log."""


class TokenKey(NamedTuple):
    """A key, and the algorithms that may be used with it and no others: a public key is never taken for a secret."""

    key: Any
    algorithms: tuple
    id: str | None = None


class Rules(NamedTuple):
    issuer: str = ""
    audience: str = ""
    subject: str = ""
    leeway: float = 30
    require: tuple = ("exp",)


def from_secret(secret: str | bytes) -> TokenKey:
    if not isinstance(secret, (str, bytes)):
        raise ValueError(f"a secret for tokens is text or bytes, not {type(secret).__name__}")
    return TokenKey(secret.encode() if isinstance(secret, str) else secret, ("HS256",))


def from_pem(pem: str | bytes) -> TokenKey:
    """A public key, PEM. Raises ValueError where it is none."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key = load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    if isinstance(key, rsa.RSAPublicKey):
        return TokenKey(key, _RSA)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _SIZES:
        return TokenKey(key, (_SIZES[key.curve.name],))
    if isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
        return TokenKey(key, ("EdDSA",))
    raise ValueError("a public key of a kind that tokens are not signed with")


def from_jwks(document: str | bytes | dict) -> list[TokenKey]:
    """The public keys of a JSON Web Key Set; what is unknown in it is passed over. Raises ValueError."""
    document = document if isinstance(document, dict) else json.loads(document)
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError('a key set is {"keys": [..]}')
    return [key for key in map(_from_jwk, document["keys"][:64]) if key]


def _from_jwk(jwk: Any) -> TokenKey | None:
    if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    kind = jwk.get("kty")
    kid = jwk["kid"] if isinstance(jwk.get("kid"), str) else None
    try:
        if kind == "RSA":
            return TokenKey(algorithms.RSAAlgorithm.from_jwk(json.dumps(jwk)), _RSA, kid)
        if kind == "EC" and jwk.get("crv") in _CURVES:
            return TokenKey(algorithms.ECAlgorithm.from_jwk(json.dumps(jwk)), (_CURVES[jwk["crv"]],), kid)
        if kind == "OKP":
            return TokenKey(algorithms.OKPAlgorithm.from_jwk(json.dumps(jwk)), ("EdDSA",), kid)
    except (jwt.exceptions.PyJWTError, ValueError, KeyError, TypeError):
        pass
    return None


def token_of(scope: dict) -> str:
    """The token of a handshake: Authorization: Bearer, or ?token=."""
    for name, value in scope.get("headers", ()):
        if name.lower() == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                return token.strip()
    try:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=64)
    except ValueError:
        return ""
    return query.get("token", [""])[-1]


def verify(token: str, keys: list[TokenKey], rules: Rules) -> dict:
    """The claims of a token that one of the keys signed and the rules admit."""
    if not token:
        raise TokenRefused("no token, neither as ?token= nor as Authorization: Bearer")
    if len(token) > MAX_TOKEN:
        raise TokenRefused(f"a token of more than {MAX_TOKEN} characters")
    try:
        header = jwt.get_unverified_header(token)
    except Exception:  # of PyJWT's own, and RecursionError for a header that is nested deeply
        raise TokenRefused("not a JSON Web Token") from None
    fitting = [key for key in keys if header.get("alg") in key.algorithms]
    if not fitting:
        raise TokenRefused("signed by an algorithm that none of the configured keys is for")
    named = [key for key in fitting if key.id is None or "kid" not in header or key.id == header["kid"]]
    if not named:
        raise TokenRefused("signed with a key whose id (kid) is not in the key set: load it anew")
    for key in named:
        try:
            return _decode(token, key, header["alg"], rules)
        except jwt.exceptions.InvalidSignatureError:
            continue
        except TokenRefused:
            raise
        except Exception as error:
            raise TokenRefused(_reason(error)) from None
    raise TokenRefused("the signature is not made with a configured key")


def _decode(token: str, key: TokenKey, algorithm: str, rules: Rules) -> dict:
    claims = jwt.decode(
        token,
        key.key,
        algorithms=[algorithm],
        leeway=rules.leeway,
        issuer=rules.issuer or None,
        audience=rules.audience or None,
        options={"require": list(rules.require), "verify_aud": bool(rules.audience)},
    )
    if rules.subject and claims.get("sub") != rules.subject:
        raise TokenRefused("it is for another subject (sub)")
    return claims


def _reason(error: Exception) -> str:
    for kind, reason in (
        (jwt.exceptions.ExpiredSignatureError, "it has expired; if it should not have, compare the clocks"),
        (jwt.exceptions.ImmatureSignatureError, "it is not valid yet; compare the clocks"),
        (jwt.exceptions.InvalidIssuedAtError, "it was issued in the future; compare the clocks"),
        (jwt.exceptions.InvalidAudienceError, "it is for another audience (aud)"),
        (jwt.exceptions.InvalidIssuerError, "it is of another issuer (iss)"),
        (jwt.exceptions.MissingRequiredClaimError, "it lacks a claim that JWT_REQUIRE, JWT_ISSUER or JWT_AUDIENCE asks for"),
    ):
        if isinstance(error, kind):
            return reason
    return "it is malformed"
