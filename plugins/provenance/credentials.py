"""Content Credentials (C2PA) by c2pa-python: a signed statement in the PNG of who made it, and by what means."""

import io
import json
from pathlib import Path

INSTALL = 'pip install "c2pa-python>=0.38"'
CURVES = {"secp256r1": b"es256", "secp384r1": b"es384", "secp521r1": b"es512"}


class NotSigned(Exception):
    """Why pictures can't be signed, in one sentence."""


def configured(settings):
    """Whether the owner wants pictures signed."""
    return bool(settings["certificate"].strip() or settings["key"].strip())


def signed(png, source, settings):
    """The PNG's bytes with a manifest in them, signed; raise NotSigned with the reason when that can't be."""
    c2pa, signer = _c2pa(), signer_of(settings)
    action = {"action": "c2pa.created", "digitalSourceType": source, "softwareAgent": {"name": "Limner"}}
    manifest = {
        "claim_generator_info": [{"name": "Limner"}],
        "title": "picture.png",
        "format": "image/png",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    done = io.BytesIO()
    try:
        with signer, c2pa.Builder(json.dumps(manifest)) as builder:
            builder.sign(signer, "image/png", io.BytesIO(png), done)
    except c2pa.C2paError as error:
        raise NotSigned(f"The picture was not signed: {_line(error)}.")
    return done.getvalue()


def check(settings):
    """Sign the smallest picture; raise NotSigned with the reason when that can't be."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    signed(file.getvalue(), "http://c2pa.org/digitalsourcetype/empty", settings)


def signer_of(settings):
    """A signer for the certificate and the key that are set; no time stamp is fetched, so nothing goes out."""
    c2pa = _c2pa()
    chain, key = (_read(settings[name], what) for name, what in (("certificate", "certificate chain"), ("key", "key")))
    try:
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm(key), chain, key, None))
    except c2pa.C2paError as error:
        raise NotSigned(f"The certificate and its key can't sign: {_line(error)}.")


def algorithm(key):
    """C2PA's name of the algorithm that goes with a private key in PEM."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotSigned(f"The key is no private key in PEM without a password: {_line(error)}.")
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in CURVES:
        return CURVES[private.curve.name]
    if isinstance(private, rsa.RSAPrivateKey):
        return b"ps256"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    raise NotSigned("The key must be of an elliptic curve (P-256, P-384, P-521), RSA or Ed25519.")


def statement(png):
    """What the manifest in a PNG says, as c2pa reads it; None for a PNG without one."""
    c2pa = _c2pa()
    try:
        with c2pa.Reader("image/png", io.BytesIO(png)) as reader:
            return json.loads(reader.json())
    except c2pa.C2paError as error:
        if "ManifestNotFound" in str(error) or "no JUMBF" in str(error):
            return None
        raise NotSigned(f"Its manifest can't be read: {_line(error)}.")


def _c2pa():
    try:
        import c2pa
    except ImportError:
        raise NotSigned(f"Signing needs the package c2pa-python: {INSTALL}.")
    return c2pa


def _read(text, what):
    if not text.strip():
        raise NotSigned(f"Signing needs a {what} too: name its PEM file in the settings of Provenance.")
    path = Path(text.strip()).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotSigned(f"The {what} {path} can't be read ({error.strerror or error}).")


def _line(error):
    return " ".join(str(error).split())[:300].rstrip(".")
