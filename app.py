"""The Gradio page, which is a Space as it stands.

``python app.py`` serves it on Gradio's usual port; programs call the endpoint ``/enhance``.
A photo goes in as a file and comes out as a file: metadata, bit depth and transparency, which
Gradio's own picture types drop on the way, are the photo's.
"""

from dslr_gan.page.layout import launch

if __name__ == "__main__":
    launch()
