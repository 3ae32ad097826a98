"""Wire formats of RTP, RTCP, header extensions and payloads, as pure functions and values.

Every parser takes untrusted bytes, raises nothing but :class:`ValueError` (naming the field), and bounds
every loop by the length of its input or by a constant.
"""
