"""The XMP is in the file, is well-formed, and no pixel has changed."""

import datetime
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from toolkit.metadata import read_settings
from toolkit.request import GenerationRequest

FOLDER = Path(__file__).resolve().parent.parent


def test_a_saved_picture_says_what_made_it(studio_with, run_job):
    with studio_with(FOLDER) as studio:
        studio.plugins.set("provenance", {"creator": "Mo & <Co>"})
        [image] = run_job(studio, GenerationRequest("red circle"))
    with Image.open(image.path) as saved:
        packet = saved.info["XML:com.adobe.xmp"]
        assert saved.tobytes() == image.image.tobytes()
    description = ElementTree.fromstring(packet).find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    source = description.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert source.endswith("digitalsourcetype/trainedAlgorithmicMedia")
    assert "".join(description.itertext()).strip() == "Mo & <Co>"
    request, facts, _ = read_settings(image.path)
    assert request == image.request
    assert facts["provenance.source"] == "trainedAlgorithmicMedia"


@pytest.fixture
def certificate(tmp_path):
    """A root, a certificate for signing below it, and its key: settings of the plugin."""
    x509 = pytest.importorskip("cryptography.x509")
    pytest.importorskip("c2pa")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now, pem = datetime.datetime.now(datetime.UTC), serialization.Encoding.PEM
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def made(name, public, *extensions):
        about = [x509.NameAttribute(x509.NameOID.COMMON_NAME, text) for text in (name, "Test root")]
        organization = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Test studio")
        builder = x509.CertificateBuilder(
            issuer_name=x509.Name([about[1], organization]), subject_name=x509.Name([about[0], organization]),
            public_key=public, serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(days=1), not_valid_after=now + datetime.timedelta(days=1),
        )  # fmt: skip
        for extension, critical in (*extensions, (x509.SubjectKeyIdentifier.from_public_key(public), False)):
            builder = builder.add_extension(extension, critical)
        return builder.sign(root_key, hashes.SHA256()).public_bytes(pem)

    def usage(signs, certifies):
        return x509.KeyUsage(signs, False, False, False, False, certifies, False, False, False), True

    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    for_mail = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
    root = made("Test root", root_key.public_key(), (x509.BasicConstraints(True, None), True), usage(False, True))
    leaf = made(
        "Test signer", key.public_key(), (x509.BasicConstraints(False, None), True), usage(True, False),
        (for_mail, False), (issuer, False),
    )  # fmt: skip
    (tmp_path / "chain.pem").write_bytes(leaf + root)
    kind, locked = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, kind, locked))
    return {"certificate": str(tmp_path / "chain.pem"), "key": str(tmp_path / "key.pem")}


def test_a_picture_is_signed_and_can_still_be_drawn_again(studio_with, run_job, certificate, capsys):
    import c2pa

    with studio_with(FOLDER) as studio:
        studio.plugins.set("provenance", certificate)
        [image] = run_job(studio, GenerationRequest("red circle", seed=5))
        command = studio.plugins.registry.commands()["provenance"].noun
        assert command.run(studio, [], {}) == command.run(studio, [str(image.path)], {}) == 0
        assert studio.plugins.get("provenance").errors == 0
    with c2pa.Reader(str(image.path)) as reader:
        found = json.loads(reader.json())
    manifest = found["manifests"][found["active_manifest"]]
    [action] = manifest["assertions"][0]["data"]["actions"]
    assert action["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert manifest["signature_info"]["common_name"] == "Test signer"
    assert {one["code"] for one in found["validation_status"]} == {"signingCredential.untrusted"}
    with Image.open(image.path) as saved:
        assert "trainedAlgorithmicMedia" in saved.info["XML:com.adobe.xmp"]
        assert saved.tobytes() == image.image.tobytes()
    request, facts, _ = read_settings(image.path)
    assert request == image.request and "provenance.not_signed" not in facts
    said = capsys.readouterr().out
    assert "Pictures are signed with" in said and "signed by Test signer" in said


def test_one_changed_byte_is_told(certificate, studio_with, run_job, capsys):
    with studio_with(FOLDER) as studio:
        studio.plugins.set("provenance", certificate)
        [image] = run_job(studio, GenerationRequest("red circle", seed=5))
        png = bytearray(image.path.read_bytes())
        place = png.index(b"red circle")
        png[place] = ord("b")
        image.path.write_bytes(png)
        assert studio.plugins.registry.commands()["provenance"].noun.run(studio, [str(image.path)], {}) == 0
    assert "assertion.dataHash.mismatch" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"key": ""}, "needs a key too"),
        ({"key": "/nowhere/key.pem"}, "/nowhere/key.pem can't be read"),
        ({"key": "chain"}, "no private key in PEM"),
        ({"certificate": "key"}, "the certificate is invalid"),
    ],
)
def test_what_cannot_be_signed_keeps_its_xmp_and_says_why(studio_with, run_job, certificate, capsys, wrong, said):
    names = {"chain": certificate["certificate"], "key": certificate["key"]}
    settings = certificate | {name: names.get(value, value) for name, value in wrong.items()}
    with studio_with(FOLDER) as studio:
        studio.plugins.set("provenance", settings)
        [image] = run_job(studio, GenerationRequest("red circle", seed=5))
        assert studio.plugins.registry.commands()["provenance"].noun.run(studio, [], {}) == 2
        assert studio.plugins.get("provenance").errors == 0
    with Image.open(image.path) as saved:
        assert "trainedAlgorithmicMedia" in saved.info["XML:com.adobe.xmp"]
    assert said in read_settings(image.path)[1]["provenance.not_signed"]
    assert said in capsys.readouterr().out
