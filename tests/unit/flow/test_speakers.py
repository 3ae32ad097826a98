from __future__ import annotations

from mediaserver.flow.speakers import REPORT_INTERVAL_S, ActiveSpeakers


def _talk(speakers: ActiveSpeakers[str], track: str, level: int, begin: float, end: float) -> None:
    for step in range(round((end - begin) / 0.02)):
        speakers.update(track, level, begin + step * 0.02)


def test_a_voice_is_a_speaker_and_silence_is_not() -> None:
    speakers: ActiveSpeakers[str] = ActiveSpeakers()
    _talk(speakers, "loud", 20, 0.0, 0.5)
    _talk(speakers, "soft", 30, 0.0, 0.5)
    _talk(speakers, "quiet", 80, 0.0, 0.5)
    found = speakers.speakers(0.5)
    assert [speaker.track_id for speaker in found] == ["loud", "soft"]
    assert 1 >= found[0].level > found[1].level > 0


def test_a_knock_is_not_speech() -> None:
    speakers: ActiveSpeakers[str] = ActiveSpeakers()
    _talk(speakers, "a", 90, 0.0, 0.5)
    speakers.update("a", 10, 0.5)
    _talk(speakers, "a", 127, 0.52, 0.6)
    assert speakers.speakers(0.6) == []


def test_a_pause_for_breath_does_not_end_speech_but_silence_does() -> None:
    speakers: ActiveSpeakers[str] = ActiveSpeakers()
    _talk(speakers, "a", 25, 0.0, 1.0)
    _talk(speakers, "a", 127, 1.0, 1.3)
    assert len(speakers.speakers(1.3)) == 1
    _talk(speakers, "a", 127, 1.3, 4.0)
    assert speakers.speakers(4.0) == []


def test_dtx_ends_speech_too() -> None:
    speakers: ActiveSpeakers[str] = ActiveSpeakers()
    _talk(speakers, "a", 25, 0.0, 1.0)
    assert len(speakers.speakers(1.0)) == 1
    assert speakers.speakers(3.0) == []


def test_the_list_changes_no_oftener_than_the_interval() -> None:
    speakers: ActiveSpeakers[str] = ActiveSpeakers()
    assert speakers.speakers(0.0) == []
    _talk(speakers, "a", 20, 0.0, 0.28)
    assert speakers.speakers(0.28) == []
    assert len(speakers.speakers(REPORT_INTERVAL_S)) == 1
    speakers.remove("a")
    assert len(speakers.speakers(REPORT_INTERVAL_S + 0.1)) == 1
    assert speakers.speakers(2 * REPORT_INTERVAL_S) == []
