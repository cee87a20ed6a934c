"""Many hosts on all processors, and the keys and serial numbers that no two hosts may share."""
