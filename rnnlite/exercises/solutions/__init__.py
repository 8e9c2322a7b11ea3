"""Solutions; a lecturer may leave this folder out."""
