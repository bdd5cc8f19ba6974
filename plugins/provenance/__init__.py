"""Says in the file that a model made the picture: IPTC's DigitalSourceType in XMP, as Krita writes it, and C2PA."""

import logging
import re
import struct
import zlib
from pathlib import Path
from xml.sax.saxutils import escape

from toolkit.plugins.api import Command, Text, hookimpl

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 Iptc4xmpExt:DigitalSourceType="{source}" xmp:CreatorTool="Limner">{credit}</rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
CREDIT = "<dc:creator><rdf:Seq><rdf:li>{name}</rdf:li></rdf:Seq></dc:creator>"


def source_type(request):
    """IPTC's word: a model made all of it, or it was made from another picture."""
    start = type(getattr(request, "start", None)).__name__
    return "trainedAlgorithmicMedia" if start in ("NoneType", "FromText") else "compositeWithTrainedAlgorithmicMedia"


@hookimpl
def register_settings():
    yield Text("creator", "Creator", help="Your name or studio, written into every picture.")
    yield Text("certificate", "Certificate chain", help="A PEM file; with it and its key pictures are signed (C2PA).")
    yield Text("key", "Private key", help="A PEM file without a password, on this computer.")


@hookimpl
def register_commands():
    yield Command("provenance", "what pictures say of their making; without a picture, whether they are signed", tell)


def tell(studio, words, options):
    from . import credentials

    settings = studio.plugins.settings("provenance")
    try:
        if words:
            for word in words:
                print(f"{word}: {said(Path(word).expanduser().read_bytes())}")
        elif credentials.configured(settings):
            credentials.check(settings)
            print(f"Pictures are signed with {settings['certificate']}.")
        else:
            print("Pictures say what made them, and aren't signed: no certificate is set.")
    except credentials.NotSigned as error:
        print(error)
        return 2
    except OSError as error:
        print(f"{word} can't be read ({error.strerror or error}).")
        return 2
    return 0


def said(png):
    """What stands in a picture, in one line."""
    from . import credentials

    found = re.search(rb'DigitalSourceType="[^"]*/(\w+)"', png)
    source = found[1].decode() if found else "nothing about its source"
    manifest = credentials.statement(png)
    if manifest is None:
        return f"{source}; not signed"
    by = manifest["manifests"][manifest["active_manifest"]]["signature_info"]
    wrong = [one["code"] for one in manifest.get("validation_status", [])]
    name = by.get("common_name") or by.get("issuer")
    return f"{source}; signed by {name}" + (f" ({', '.join(wrong)})" if wrong else "")


@hookimpl
def describe_image(request, settings):
    """The source, and why a picture isn't signed although it should be."""
    from . import credentials

    facts = {"source": source_type(request)}
    if credentials.configured(settings):
        try:
            credentials.check(settings)
        except credentials.NotSigned as error:
            facts["not_signed"] = str(error)
    return facts


@hookimpl
def sign_file(path, request, settings):
    """XMP first, then C2PA: its signature covers all of the file. A picture that can't be signed keeps its XMP."""
    name = settings["creator"].strip()
    credit = CREDIT.format(name=escape(name)) if name else ""
    packet = PACKET.format(source=SOURCE + source_type(request), credit=credit).encode("utf-8")
    body = b"XML:com.adobe.xmp\0\0\0\0\0" + packet  # iTXt, not compressed, no language
    chunk = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", zlib.crc32(b"iTXt" + body))
    png = path.read_bytes()
    header = 8 + 25  # the signature and IHDR, which stands first
    png = png[:header] + chunk + png[header:]
    from . import credentials

    if credentials.configured(settings):
        try:
            png = credentials.signed(png, SOURCE + source_type(request), settings)
        except credentials.NotSigned as error:
            logging.getLogger("limner.plugins.provenance").error("%s", error)
    path.write_bytes(png)
