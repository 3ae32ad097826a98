"""UDP front, ICE-lite, ICE-TCP, DTLS-SRTP and data channels: shells around sans-IO pieces."""
