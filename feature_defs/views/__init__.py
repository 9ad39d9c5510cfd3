"""The feature views, one file each."""
