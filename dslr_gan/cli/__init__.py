"""The commands of ``python -m dslr_gan``, a module each, and what they share."""
