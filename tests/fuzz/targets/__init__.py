"""One module for each parser to fuzz; every module here is found by itself."""
