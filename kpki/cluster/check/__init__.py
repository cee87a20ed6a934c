"""The faults of a workspace, a host, a folder or a file, and the commands that repair them."""
