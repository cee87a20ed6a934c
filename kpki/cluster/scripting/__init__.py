"""What the script is made of: texts for sh, the CAs that sign, what is kept, and the steps of one host."""
