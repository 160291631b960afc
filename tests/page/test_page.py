"""core/page: the page is valid UTF-8, escaped, self-contained; charts and images hold their data."""

import base64
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from browser import CHROMIUM, dump_dom

WRITER = os.environ["WRITE_PAGE"]
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def decode_png(data):
    """(width, height, channels, pixels) of an unfiltered 8-bit PNG, its checksums verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        size, = struct.unpack(">I", data[at:at + 4])
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        crc, = struct.unpack(">I", data[at + 8 + size:at + 12 + size])
        assert crc == zlib.crc32(kind + body), kind
        chunks[kind] = body
        at += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8 and b"IEND" in chunks
    channels = {0: 1, 2: 3}[colour]
    rows = zlib.decompress(chunks[b"IDAT"])
    stride = 1 + width * channels
    assert len(rows) == height * stride
    lines = [rows[y * stride:(y + 1) * stride] for y in range(height)]
    assert all(line[0] == 0 for line in lines)
    return width, height, channels, b"".join(line[1:] for line in lines)


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.path = pathlib.Path(folder) / "page.html"
        subprocess.run([WRITER, str(cls.path)], check=True)
        cls.text = cls.path.read_bytes().decode("utf-8")  # strict

    def figures(self):
        return re.findall(r'<figure class="chart".*?</figure>', self.text, re.S)

    def test_text_is_escaped(self):
        self.assertIn("<title>A &quot;page&quot; &amp; &lt;more&gt;</title>", self.text)
        self.assertIn("<td>&lt;script&gt;</td>", self.text)
        self.assertNotIn("<script", self.text)
        self.assertIn(f"<td>b{REPLACEMENT}{REPLACEMENT}</td>", self.text)
        self.assertIn(f"<p>é{REPLACEMENT * 7} end</p>", self.text)

    def test_nothing_is_loaded(self):
        for attribute in re.findall(r'(?:src|href)="([^"]*)"', self.text):
            self.assertTrue(attribute.startswith("data:"), attribute[:60])
        for word in ("http:", "https:", "url(", "@import"):
            self.assertNotIn(word, self.text)

    def test_each_drawing_is_well_formed(self):
        drawings = re.findall(r"<svg.*?</svg>", self.text, re.S)
        self.assertEqual(len(drawings), 3 + 9 + 1)  # charts, and a mark an entry of a legend
        for drawing in drawings:
            xml.etree.ElementTree.fromstring(drawing)

    def test_points_without_a_place_are_left_out_and_told(self):
        marks = self.figures()[0]
        drawing = marks[:marks.index("</svg>")]
        self.assertEqual(drawing.count('class="mark"'), 9 * 3)
        self.assertEqual(drawing.count('class="ring"'), 9)
        self.assertEqual(drawing.count('class="line"'), 9)
        self.assertEqual(re.findall(r"Left out: (\d+) points", marks), ["18"])
        self.assertIn("<title>a &lt;b&gt;</title>", marks)

    def test_series_differ_in_shape_and_colour(self):
        legend = re.findall(r'<li><svg class="(c\d)".*?class="mark" d="([^"]*)"',
                            self.figures()[0], re.S)
        self.assertEqual(len(legend), 9)
        self.assertEqual(len(set(legend)), 9)
        self.assertEqual(len({shape for _, shape in legend[:7]}), 7)

    def test_places_are_in_proportion(self):
        band = self.figures()[1]
        line = re.search(r'class="line" d="M([^"]*)"', band).group(1)
        places = [tuple(map(float, p.split())) for p in line.split("L")]
        self.assertEqual(len(places), 4)  # not the NaN
        (x0, y0), (x1, _), _, (x3, y3) = places
        self.assertAlmostEqual((x1 - x0) / (x3 - x0), 9 / 999, delta=1e-3)
        self.assertGreater(y3, y0)  # 0 is below 1: y grows downwards
        self.assertEqual(re.findall(r"caption Left out: (\d) point ", band), ["1"])

    def test_ticks(self):
        ticks = re.findall(r'class="tick end"[^>]*>([^<]*)<', self.figures()[0])
        self.assertIn("10⁻⁶", ticks)
        self.assertIn("1", ticks)
        ticks = re.findall(r'class="tick middle"[^>]*>([^<]*)<', self.figures()[1])
        self.assertEqual(ticks, ["0", "500", "1000"])

    def test_columns_of_numbers_are_set_right(self):
        self.assertIn('<td class="n">1.5</td>', self.text)
        self.assertIn('<tr class="marked"><td>b', self.text)

    def test_images(self):
        sources = re.findall(r'src="data:image/png;base64,([^"]*)"', self.text)
        grey, colour = (decode_png(base64.b64decode(s, validate=True)) for s in sources)
        self.assertEqual(grey, (3, 2, 1, bytes([0, 128, 255, 64, 32, 16])))
        self.assertEqual(colour, (200, 200, 3, bytes(i * 7 % 251 for i in range(200 * 200 * 3))))
        self.assertIn('alt="three by two" width="96" height="64"', self.text)

    @unittest.skipUnless(CHROMIUM, "chromium is not installed")
    def test_in_a_browser(self):
        dom = dump_dom(self.path)
        self.assertEqual(dom.count('<figure class="chart"'), 3)
        self.assertEqual(dom.count("<img "), 2)
        self.assertEqual(re.findall(r"Left out: (\d+) points", dom), ["18"])


if __name__ == "__main__":
    unittest.main()
