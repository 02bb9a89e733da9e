"""What ``train_accelerate.py`` is made of besides its loop; nothing else needs it."""
