"""Whether a JPEG is all there. libjpeg fills the rest of a file that was cut short with grey, and says nothing."""

START, END, SCAN = b"\xff\xd8", b"\xff\xd9", b"\xda"


def cut_short(content: bytes) -> bool:
    """Whether this is the beginning of a JPEG, its end marker missing."""
    return content.startswith(START) and END not in content[_pixels(content) :]


def _pixels(jpeg: bytes) -> int:
    """Where the pixels begin: behind the segments, one of which may hold a thumbnail with an end of its own."""
    at = len(START)
    while jpeg[at : at + 1] == b"\xff" and jpeg[at + 1 : at + 2] != SCAN:
        # A marker may be preceded by any number of filling bytes; all others before the pixels have a length.
        at += 1 if jpeg[at + 1 : at + 2] == b"\xff" else 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return at
