"""The Gradio page: layout, handlers, uploads, and what the browser gets."""
