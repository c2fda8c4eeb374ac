"""Arrays in, arrays out: motion magnification."""
