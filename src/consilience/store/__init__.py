"""Under all of it: files written whole, arrays without pickle, content-addressed blobs, the SQLite catalogue."""
