"""The desk: from a pressed button to an agent in the student's session.

Pure: values and ``now`` in, events out. Nothing here imports another part of this repository, reads a
clock or does input and output. Start with :mod:`model` (the words), then :mod:`commands` (what may be
asked), :mod:`events` (what happened, and how it changes an aggregate), :mod:`state` (:class:`Desk`, an
excerpt of aggregates) and :mod:`decide` (the rules). :mod:`routing`, :mod:`board`, :mod:`estimate` and
:mod:`audience` answer questions and change nothing.
"""
