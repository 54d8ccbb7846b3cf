import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mediacore.app_options import BenchOptions, CallResult, DemoOptions, WavCallOptions
from mediacore.call.live import LiveModel
from mediacore.cli import doctor
from mediacore.cli.bench import number
from mediacore.cli.environment import cpu_model, environment
from mediacore.cli.group import COMMANDS, main
from mediacore.errors import ConfigError, MediacoreError, MissingDependencyError
from mediacore.store.records import write_record
from support.sample_call import sample_audio, sample_record, write_audio


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


@pytest.fixture
def call_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "call"
    record = sample_record()
    write_record(record, directory)
    write_audio(sample_audio(), directory)
    return directory


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """A stand-in for mediacore.app that notes what it was asked."""
    seen: list[object] = []

    def made(options: DemoOptions | WavCallOptions) -> CallResult:
        seen.append(options)
        record = sample_record()
        write_record(record, options.out)
        write_audio(sample_audio(), options.out)
        options.watch(LiveModel("c", turns=record.turns, ended=True))
        return CallResult(record, options.out)

    fake = types.ModuleType("mediacore.app")
    fake.run_demo = made
    fake.run_wav_call = made
    monkeypatch.setitem(sys.modules, "mediacore.app", fake)
    return types.SimpleNamespace(seen=seen, module=fake)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"mediacore {name}" in result.output
    assert "Example" in result.output


def test_help_lists_commands_and_exit_codes() -> None:
    result = run("--help")
    for name in COMMANDS:
        assert name in result.output
    assert "3  a package, library, model or device is missing" in result.output


def test_unknown_command_is_usage() -> None:
    assert run("dance").exit_code == 2


def test_commands_are_imported_when_used() -> None:
    code = "import sys, mediacore.cli; print({'rich', 'msgspec', 'aiohttp'} & sys.modules.keys())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


# ---------------------------------------------------------------- report


def test_report_from_directory_and_file(call_dir: Path, tmp_path: Path) -> None:
    result = run("report", call_dir)
    assert result.exit_code == 0, result.output
    assert (call_dir / "report.html").stat().st_size > 500_000
    result = run("report", call_dir / "call.json", "--out", tmp_path / "other", "--json")
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    assert figures["response_p50_ms"] == 620
    assert figures["cuts"] == 2
    assert figures["transcript"][2]["heard"].endswith("your order number,")
    assert str(tmp_path / "other" / "report.html") in figures["files"]


def test_report_without_sound(call_dir: Path) -> None:
    (call_dir / "call.wav").unlink()
    result = run("report", call_dir)
    assert result.exit_code == 0
    assert "No sound" in result.stderr
    assert "No sound" in (call_dir / "report.html").read_text()


def test_report_of_nothing_is_one_message(tmp_path: Path) -> None:
    result = run("report", tmp_path / "none")
    assert result.exit_code == 1
    assert result.stderr.startswith("mediacore: ")
    assert "does not exist" in result.stderr
    assert "Traceback" not in result.output


def test_debug_shows_the_error_itself(tmp_path: Path) -> None:
    result = run("--debug", "report", tmp_path / "none")
    assert isinstance(result.exception, MediacoreError)


def test_without_matplotlib_the_page_is_still_made(
    call_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("report", call_dir)
    assert result.exit_code == 0
    assert "timeline.png was not drawn" in result.stderr
    assert "pip install 'mediacore[demo]'" in result.stderr


# ------------------------------------------------------------- demo, call


def test_demo_writes_everything(app: types.SimpleNamespace, tmp_path: Path) -> None:
    result = run("demo", "--out", tmp_path / "d")
    assert result.exit_code == 0, result.output
    assert {"call.json", "call.wav", "report.html"} <= {p.name for p in (tmp_path / "d").iterdir()}
    assert "0:12.380  caller  yes it is four" in result.stdout, "the plain view"
    assert "Response p50 620 ms" in result.stdout


def test_demo_json_is_all_of_stdout(app: types.SimpleNamespace, tmp_path: Path) -> None:
    result = run("demo", "--out", tmp_path / "d", "--json")
    assert json.loads(result.stdout)["call_id"] == "c-20261121-0007"


def test_call_takes_many_recordings(app: types.SimpleNamespace, tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.wav" for n in range(3)]
    agent = tmp_path / "agent.yaml"
    for file in (*files, agent):
        file.write_bytes(b"")
    result = run(
        "call", "--wav", files[0], files[1], "--agent", agent, "--wav", files[2],
        "--barge-in-after", "1.5", "--out", tmp_path / "o", "--codec", "g722", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (asked,) = app.seen
    assert asked.wavs == tuple(files)
    assert (asked.agent, asked.barge_in_after_s, asked.codec) == (agent, 1.5, "G722")


@pytest.mark.parametrize(
    "args", [(), ("--wav", "no-such.wav"), ("stray.wav",), ("--barge-in-after", "-1")]
)
def test_call_usage_errors(app: types.SimpleNamespace, args: tuple[str, ...]) -> None:
    assert run("call", *args).exit_code == 2
    assert app.seen == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MissingDependencyError("model x", "pip install y"), 3),
        (ConfigError("agent.yaml: no stages"), 2),
        (MediacoreError("it broke"), 1),
    ],
)
def test_errors_have_codes(
    app: types.SimpleNamespace, tmp_path: Path, error: MediacoreError, code: int
) -> None:
    def fail(options: DemoOptions) -> CallResult:
        raise error

    app.module.run_demo = fail
    result = run("demo", "--out", tmp_path)
    assert result.exit_code == code
    assert result.stderr == f"mediacore: {error}\n"


# ----------------------------------------------------------------- bench


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(options: BenchOptions) -> dict[str, float]:
        options.progress("warming up")
        return {"ns_per_frame": 5123.4567, "late_frames": 0}

    fake = types.ModuleType("mediacore.bench.frame")
    fake.run = figures
    monkeypatch.setitem(sys.modules, "mediacore.bench.frame", fake)


@pytest.mark.usefixtures("bench")
def test_bench_table_and_file(tmp_path: Path) -> None:
    result = run("bench", "frame", "--json", tmp_path / "f.json")
    assert result.exit_code == 0, result.output
    assert "5,123" in result.stdout
    assert "warming up" in result.stderr
    written = json.loads((tmp_path / "f.json").read_text())
    assert written["bench"] == "frame"
    assert written["figures"] == {"ns_per_frame": 5123.4567, "late_frames": 0}
    for key in ("cpu", "cores", "kernel", "python", "compiler", "load_average", "packages"):
        assert key in written["environment"]


@pytest.mark.usefixtures("bench")
def test_bench_to_stdout() -> None:
    assert json.loads(run("bench", "frame", "--json", "-").stdout)["bench"] == "frame"


def test_bench_needs_a_known_name() -> None:
    assert run("bench", "speed").exit_code == 2


def test_missing_package_of_a_bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "mediacore_bench_probe.py"
    package.write_text("import no_such_package_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    from mediacore.cli.output import need

    with pytest.raises(MissingDependencyError, match=r"no_such_package_at_all.*mediacore\[bench\]"):
        need("mediacore_bench_probe", "bench")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1500, "1,500"),
        (0.0, "0"),
        (2.0, "2"),
        (0.01234567, "0.01235"),
        (12345.6, "12,346"),
        (float("inf"), "inf"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_environment_without_proc(tmp_path: Path) -> None:
    assert cpu_model(tmp_path / "none")
    assert environment()["cores_usable"] >= 1


# ---------------------------------------------------------------- doctor


def check(name: str, state: doctor.State, needed: bool = False) -> doctor.Check:
    return doctor.Check(name, state, "detail", "use", f"install {name}", needed)


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ([check("core", doctor.State.OK, True), check("x", doctor.State.MISSING)], 0),
        ([check("core", doctor.State.MISSING, True)], 3),
        ([check("core", doctor.State.OK, True)], 0),
    ],
)
def test_doctor_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, checks: list[doctor.Check], code: int
) -> None:
    monkeypatch.setattr(doctor, "all_checks", lambda: checks)
    result = run("doctor")
    assert result.exit_code == code
    for one in checks:
        assert (f"install {one.name}" in result.output) == (one.state is not doctor.State.OK)
    data = json.loads(run("doctor", "--json").stdout)
    assert data["ready"] == (code == 0)
    assert len(data["checks"]) == len(checks)


def test_doctor_checks_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "half_broken_package.py").write_text("raise OSError('no PortAudio')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert doctor.check_package("x", "no_such_module_x", "u", "f").state is doctor.State.MISSING
    assert doctor.check_package("json", "json", "u", "f").state is doctor.State.OK
    half = doctor.check_package("p", "half_broken_package", "u", "f")
    assert (half.state, half.detail) == (doctor.State.BROKEN, "OSError: no PortAudio")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (MissingDependencyError("w", "f"), doctor.State.MISSING),
        (ConfigError("wrong digest"), doctor.State.BROKEN),
        (ModuleNotFoundError("numpy", name="numpy"), doctor.State.MISSING),
    ],
)
def test_doctor_checks_models(error: Exception, state: doctor.State) -> None:
    def fail() -> str:
        raise error

    assert doctor.check_model("m", "u", fail).state is state
    assert doctor.check_model("m", "u", lambda: "fine").state is doctor.State.OK


def test_doctor_without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediacore._core", None)
    assert doctor.check_core().state is doctor.State.MISSING
    assert doctor.check_loaded("libopus", "opus_load", "", "").state is doctor.State.MISSING
    assert not doctor.ready([doctor.check_core()])


def test_interrupted_run_ends_with_130(app: types.SimpleNamespace, tmp_path: Path) -> None:
    def stop(options: DemoOptions) -> CallResult:
        raise KeyboardInterrupt

    app.module.run_demo = stop
    result = run("demo", "--out", tmp_path)
    assert result.exit_code == 130
    assert result.stderr == "mediacore: interrupted\n"
