"""The XMP is in the file, is well-formed, and no pixel has changed."""

from pathlib import Path
from xml.etree import ElementTree

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
