"""The Gradio page, which is a Space as it stands.

``python app.py`` serves it on Gradio's usual port; programs call the endpoint ``/enhance``.
A photo goes in as a file and comes out as a file: metadata, bit depth and transparency, which
Gradio's own picture types drop on the way, are the photo's.
"""

# ruff: noqa: E402
from dslr_gan.cli.interrupts import end_quietly

if __name__ == "__main__":
    end_quietly()  # not in a traceback of the imports below, nor of a server that is closing

from dslr_gan.page.layout import launch

if __name__ == "__main__":
    launch()
