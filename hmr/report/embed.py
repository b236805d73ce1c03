"""What stands in the page itself, so that it is one file: pictures as text, and the sections that they form."""

import base64
from dataclasses import dataclass

import cv2
from jaxtyping import UInt8
from numpy import ndarray

WEBP_QUALITY = 80


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, in words for those who do not see it, and its caption."""

    uri: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Strip:
    """Pictures that belong together. `turning`: from the second one on there is a mesh of each."""

    title: str
    pictures: tuple[Picture, ...]
    turning: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Fold:
    """Strips folded away until somebody asks for them."""

    title: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Section:
    """A part of the page made of pictures."""

    key: str
    title: str
    text: str
    strips: tuple[Strip, ...]
    folds: tuple[Fold, ...] = ()


def data_uri(content: bytes, media: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


def webp(picture: UInt8[ndarray, "height width 3"]) -> str:
    """An RGB picture as a data URI."""
    quality = [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY]
    return data_uri(cv2.imencode(".webp", picture[..., ::-1], quality)[1].tobytes(), "image/webp")
