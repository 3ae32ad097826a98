"""Session descriptions (RFC 8866) as WebRTC uses them: parse, write, negotiate. Pure: no IO, no clock.

`description` holds the values, `parser` and `writer` turn text into them and back, `codecs` decides which
codecs are forwarded, `negotiate` answers offers, makes offers and applies answers, `negotiated` is what came
of it.
"""
