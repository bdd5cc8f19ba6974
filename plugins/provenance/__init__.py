"""Says in the file that a model made the picture: XMP with IPTC's DigitalSourceType, as Krita writes it."""

import struct
import zlib
from xml.sax.saxutils import escape

from toolkit.plugins.api import Text, hookimpl

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


@hookimpl
def describe_image(request):
    return {"source": source_type(request)}


@hookimpl
def sign_file(path, request, settings):
    name = settings["creator"].strip()
    credit = CREDIT.format(name=escape(name)) if name else ""
    packet = PACKET.format(source=SOURCE + source_type(request), credit=credit).encode("utf-8")
    body = b"XML:com.adobe.xmp\0\0\0\0\0" + packet  # iTXt, not compressed, no language
    chunk = struct.pack(">I", len(body)) + b"iTXt" + body + struct.pack(">I", zlib.crc32(b"iTXt" + body))
    png = path.read_bytes()
    header = 8 + 25  # the signature and IHDR, which stands first
    path.write_bytes(png[:header] + chunk + png[header:])
