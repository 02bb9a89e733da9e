"""What is found beside the pixels of a photo's file."""

from dataclasses import dataclass, field

CARRIED = "dslr_gan_carried"
"""The key of an image's ``info`` with its :class:`Carried`, if any."""

VIDEO = "Its motion video was left out; the result is the still photo."
GAIN_MAP = "Its gain map for HDR screens was left out; the result is the photo for all screens."
DEPTH = "Its depth map was left out."
SIGNED = "Its Content Credentials (C2PA) were left out: they vouch for the picture as it was."
BEHIND = "What follows its picture in the file was left out."
UNKNOWN_MATRIX = (
    "How its file codes colours (the number of its matrix) is not known here; it was taken for the "
    "usual way."
)
DAMAGED_PART = "A part of the file beside its pixels is damaged and was left out."
DAMAGED_XMP = "Its XMP is damaged and was left out."
DAMAGED_SECOND_XMP = "The second part of its XMP is damaged and was left out."
DAMAGED_EXIF = "Its EXIF is damaged and was left out."
DAMAGED_IPTC = "Its IPTC is damaged and was left out."
DAMAGED_PROFILE = "Its colour profile is damaged and was left out."


def printable(name: bytes) -> str:
    """A name out of a file as it can be shown: short, on one line, without control letters."""
    letters = name.decode("latin-1")[:79]
    return "".join(letter if letter.isprintable() else " " for letter in letters)


Chunk = tuple[bytes, bytes]
"""Name and content of a chunk of a PNG."""


@dataclass(frozen=True)
class Carried:
    """What stays true of a photo's result and has no place in Pillow's ``info``."""

    text: tuple[Chunk, ...] = ()
    """The chunks of a PNG with texts, such as a caption or a generator's prompt."""
    comments: tuple[bytes, ...] = ()
    """Of a JPEG or GIF."""
    iptc: bytes = b""
    """IPTC's records (IIM), without what encloses them."""
    colours: tuple[Chunk, ...] = ()
    """The chunks of a PNG that name its colours, where these are not an ICC profile."""
    profile: bytes = b""
    """The ICC profile that means what these chunks say; empty where that is sRGB."""


@dataclass
class Found:
    """What a file has beside its pixels."""

    carried: Carried = field(default_factory=Carried)
    notes: list[str] = field(default_factory=list)
    """Sentences on what the result will not have."""
    exif: bytes = b""
    icc: bytes = b""
    xmp: bytes = b""
    extended_xmp: bytes = b""
    """The rest of a JPEG's XMP that is too long for one segment."""
    coding: tuple[int, int] | None = None
    """Primaries and transfer function by their numbers in ITU-T H.273."""
    gamma: float = 0.0
    """Of a PNG: exponent of the file's values, as its gAMA chunk has it; 0 where it has none."""
    chromaticities: tuple[float, ...] = ()
    """Of a PNG: x and y of white, red, green and blue."""
    says_srgb: bool = False
    """Whether a PNG says that its colours are sRGB."""

    def note(self, sentence: str) -> None:
        """Add a sentence, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)
