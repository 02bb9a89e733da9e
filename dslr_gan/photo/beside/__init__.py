"""What a photo's file has beside its pixels, read container by container, odd parts included.

Pillow reads the pixels and most of the metadata. What it does not give, or what makes it give up
on a whole photo, is read here: text, comments, IPTC, colours that no ICC profile names, XMP in
several parts, and the marks of what a result cannot have (videos, gain maps, signatures).
"""
