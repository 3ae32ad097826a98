"""The media core: a selective forwarding unit that never decodes."""
