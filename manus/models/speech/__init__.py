"""Speech out: a talker that says words in the codes of a codec, the codecs, and a recogniser that judges."""
