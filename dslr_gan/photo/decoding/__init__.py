"""What Pillow's decoders leave to be done, or do wrongly, or say in words that nobody knows."""
