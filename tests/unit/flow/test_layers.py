from __future__ import annotations

from mediaserver.flow.layers import LayerSelector, LayerState, Quality

NOW = 100.0
SIZES = [(320, 180), (640, 360), (1280, 720)]


def _layers(*ages: float | None) -> list[LayerState]:
    return [
        LayerState(None if age is None else NOW - age, *size) for age, size in zip(ages, SIZES, strict=False)
    ]


def test_quality_names_a_layer() -> None:
    selector = LayerSelector()
    live = _layers(0, 0, 0)
    for quality, layer in ((Quality.LOW, 0), (Quality.MEDIUM, 1), (Quality.HIGH, 2), (Quality.OFF, None)):
        selector.quality = quality
        assert selector.select(NOW, live) == layer
    selector.quality = Quality.MEDIUM
    assert selector.select(NOW, live[:1]) == 0


def test_invisible_is_nothing() -> None:
    selector = LayerSelector()
    selector.visible = False
    assert selector.select(NOW, _layers(0, 0, 0)) is None
    selector.visible = True
    assert selector.select(NOW, []) is None


def test_the_smallest_sufficient_layer_serves_a_size() -> None:
    selector = LayerSelector()
    for size, layer in (((100, 50), 0), ((320, 180), 0), ((330, 185), 0), ((400, 225), 1), ((2000, 2000), 2)):
        selector.request_size(*size)
        assert selector.select(NOW, _layers(0, 0, 0)) == layer, size
    selector.request_size(360, 640)
    assert selector.select(NOW, _layers(0, 0, 0)) == 1
    selector.quality = Quality.LOW
    assert selector.select(NOW, _layers(0, 0, 0)) == 0


def test_a_limit_from_elsewhere_holds() -> None:
    selector = LayerSelector()
    selector.max_layer = 1
    assert selector.select(NOW, _layers(0, 0, 0)) == 1


def test_a_dead_layer_is_left_for_the_next_lower_and_found_again() -> None:
    selector = LayerSelector()
    assert selector.select(NOW, _layers(0.1, 0.1, 0.9)) == 2
    assert selector.select(NOW, _layers(0.1, 0.1, 1.1)) == 1
    assert selector.select(NOW, _layers(0.1, 2.0, None)) == 0
    assert selector.select(NOW, _layers(0.1, 0.1, 0.0)) == 2
    selector.quality = Quality.LOW
    assert selector.select(NOW, _layers(3.0, 0.1, 0.0)) == 1


def test_silence_of_all_layers_changes_nothing() -> None:
    selector = LayerSelector()
    assert selector.select(NOW, _layers(5.0, 4.0, 3.0)) == 2
    assert selector.select(NOW, _layers(0.1, 0.1, 1.5)) == 1
    assert selector.select(NOW, _layers(5.0, 5.0, 6.5)) == 1
    assert selector.select(NOW, _layers(None, None, None)) == 2
