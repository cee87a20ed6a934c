"""The files of a host → the workspace that describes them."""
