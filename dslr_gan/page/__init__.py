"""The Gradio page: layout, handlers, uploads, and what the browser gets."""

import os

# For PyTorch, which is loaded after this. Its threads wait for each other after every layer, by
# default in a busy loop of milliseconds. A page has other work for its cores: with one other
# program beside it a picture of 1280x960 took 0.5 to 3.2 s on two cores, and 0.65 s with this.
# Alone it took 0.27 s both ways.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
