"""What is printed under the bars: one number, in several forms."""

BARCODE_LENGTHS = (8, 12, 13, 14)
"""EAN-8, UPC-A, EAN-13 and GTIN-14: one number, with zeros before it."""


def forms_of(barcode: str) -> list[str]:
    """List the forms in which one number is printed.

    >>> forms_of("012345678905")
    ['012345678905', '0012345678905', '00012345678905', '12345678905']
    """
    number = barcode.lstrip("0")
    padded = [number.rjust(length, "0") for length in BARCODE_LENGTHS if length >= len(number)]
    return list(dict.fromkeys([barcode, *padded, number]))
