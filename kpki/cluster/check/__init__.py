"""What is wrong with a workspace, a host, a folder or a file, and the commands that mend it."""
