"""Draws pictures, as a program of its own: what decodes the bytes of strangers may crash, hang or eat memory alone.

    python -I pixels.py < request > answer

Request and answer are one line of JSON, which names the sizes of what follows, and then just that. `pictures.py` starts
it. It takes no file, opens no connection, and has so much memory and time as `LIMITS` says. Whatever is in a file
beside its pixels (where it was taken, by what, a second file hidden behind the first) ends here: only pixels go on.
"""

import io
import json
import resource
import sys
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image, ImageCms, ImageDraw, ImageFont, ImageOps

MEMORY_BYTES_MAX = 3 * 1024 * 1024 * 1024
"""Of addresses; the pixels of the largest picture are 150 MB, and decoding and turning hold them a few times."""
CPU_SECONDS_MAX = 30
LIMITS = (
    (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
    (resource.RLIMIT_CPU, CPU_SECONDS_MAX),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_CORE, 0),
)

PIXELS_MAX = 50_000_000
"""What the largest sensors of telephones give as one picture; a bomb has billions."""
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/heic": "HEIF"}
LONG_SIDE_PX_MAX = 4096
LONG_SIDE_PX_ENOUGH = 4000
"""A picture that has at least this length after a whole division is divided, in a fraction of the time that resampling
takes, and of a JPEG the rest is never decoded. The largest sensors give 8,064 to 8,192 pixels."""
DIVISIBLE = ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr")
"""Modes of which pixels have a mean, unlike numbers of a palette."""
THUMBNAIL_PX = 480
JPEG_QUALITY = 90

COMPARISON_HEIGHT_PX_MAX = 1600
GAP_PX = 12
INK, PAPER = (32, 34, 38), (255, 255, 255)


class Refused(Exception):
    """The picture is not taken; the word says why."""


def main() -> None:
    """Answer one request."""
    for kind, most in LIMITS:
        # Past the first bound of time the system says what ended it (SIGXCPU), past the second it only kills.
        resource.setrlimit(kind, (most, most + 1 if kind == resource.RLIMIT_CPU else most))
    head = json.loads(sys.stdin.buffer.readline())
    files = [sys.stdin.buffer.read(size) for size in head.pop("sizes")]
    try:
        verb: Callable[..., tuple[dict[str, Any], list[bytes]]] = {"draw": drawn, "compare": compared}[head.pop("verb")]
        answer, made = verb(files, **head)
    except Refused as error:
        answer, made = {"refusal": str(error)}, []
    except MemoryError:
        answer, made = {"refusal": "too_many_pixels"}, []
    sys.stdout.buffer.write(json.dumps({**answer, "sizes": [len(each) for each in made]}).encode() + b"\n")
    sys.stdout.buffer.writelines(made)


def drawn(files: Sequence[bytes], content_type: str) -> tuple[dict[str, Any], list[bytes]]:
    """Draw a picture anew, upright, in sRGB and no larger than it need be, and small beside."""
    picture = upright(files[0], content_type)
    picture.thumbnail((LONG_SIDE_PX_MAX, LONG_SIDE_PX_MAX), Image.Resampling.LANCZOS)
    small = picture.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    return {"width_px": picture.width, "height_px": picture.height}, [jpeg(picture), jpeg(small)]


def compared(files: Sequence[bytes], labels: Sequence[str]) -> tuple[dict[str, Any], list[bytes]]:
    """Put pictures side by side, of one height, each with its label beneath."""
    pictures = [upright(each, "image/jpeg") for each in files]
    height = min(COMPARISON_HEIGHT_PX_MAX, *(each.height for each in pictures))
    pictures = [each.resize((max(1, round(each.width * height / each.height)), height)) for each in pictures]
    letters = max(16, height // 30)
    font = ImageFont.load_default(size=letters)
    sheet = Image.new(
        "RGB", (sum(each.width for each in pictures) + GAP_PX * (len(pictures) - 1), height + 2 * letters), PAPER
    )
    draw = ImageDraw.Draw(sheet)
    left = 0
    for picture, label in zip(pictures, labels, strict=True):
        sheet.paste(picture, (left, 0))
        draw.text((left + picture.width / 2, height + letters), label, fill=INK, font=font, anchor="mm")
        left += picture.width + GAP_PX
    return {"width_px": sheet.width, "height_px": sheet.height}, [jpeg(sheet)]


def upright(content: bytes, content_type: str) -> Image.Image:
    """Decode a picture. Raises Refused."""
    if content_type == "image/heic":
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    try:
        return decoded(Image.open(io.BytesIO(content), formats=[FORMATS[content_type]]))
    except (Refused, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise Refused("too_many_pixels") from error
    except Exception as error:  # Whatever a decoder trips over, the bytes of a stranger made it.
        raise Refused("not_a_picture") from error


def decoded(picture: Image.Image) -> Image.Image:
    """Give the pixels of a picture that is open, which is asked for its size before; no more of them than are kept."""
    if picture.width * picture.height > PIXELS_MAX:
        raise Refused("too_many_pixels")
    if (parts := max(picture.size) // LONG_SIDE_PX_ENOUGH) > 1:
        picture.draft("RGB", (max(1, picture.width // parts), max(1, picture.height // parts)))
    picture.load()
    parts = max(picture.size) // LONG_SIDE_PX_ENOUGH
    if parts > 1 and picture.mode in DIVISIBLE:
        picture = picture.reduce(parts)
    ImageOps.exif_transpose(picture, in_place=True)
    return in_srgb(picture)


def in_srgb(picture: Image.Image) -> Image.Image:
    """Give the picture in the colours that every screen shows, on white where it is see-through."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = "RGBA" if picture.mode == "RGBA" else "RGB"
            picture = (
                ImageCms.profileToProfile(picture, own, ImageCms.createProfile("sRGB"), outputMode=mode) or picture
            )
        except (ImageCms.PyCMSError, OSError):
            pass  # A profile that is none: the numbers are taken as they are.
    if picture.has_transparency_data:
        layers = picture.convert("RGBA")
        paper = Image.new("RGBA", layers.size, (*PAPER, 255))
        picture = Image.alpha_composite(paper, layers)
    if picture.mode.startswith("I"):  # Grey of 16 bits, of which a plain conversion makes white.
        picture = picture.convert("I").point(lambda shade: shade / 257).convert("L")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def jpeg(picture: Image.Image) -> bytes:
    """Write the pixels, and nothing beside them."""
    clean = Image.new("RGB", picture.size)
    clean.paste(picture)
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
