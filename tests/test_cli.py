"""The command line: what each command prints, writes and returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

import etude
from etude.framework import weights
from etude.framework.cli import main
from etude.framework.data.mirror import Broken
from etude.framework.training import Callback, Step, Trainer

Run = Callable[..., tuple[int, str, str]]
MLP = ("mlp", "--epochs", "1", "--batch-size", "16")


@pytest.fixture(autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Products this small gain nothing from threads, and wait long for busy ones."""
    with threadpool_limits(1):
        yield


# help and info ----------------------------------------------------------------------------------
COMMANDS = ("compare", "train", "eval", "show", "info", "summary", "profile")


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_help_lists_the_commands(etude_command: Run, args: tuple[str, ...]) -> None:
    code, out, err = etude_command(*args)
    assert (code, err) == (0, "")
    assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_help(etude_command: Run, command: str) -> None:
    code, out, _ = etude_command(command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: etude {command}")
    options = out.partition("Options:\n")[2].splitlines()
    assert all(len(line.split("  ")) > 1 for line in options)
    assert max(map(len, out.splitlines())) <= 80


def test_version(etude_command: Run) -> None:
    assert etude_command("--version") == (0, f"etude {etude.__version__}\n", "")


def test_info_says_what_is_here(etude_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"numpy": None, "cuda": "no CUDA driver"}
    monkeypatch.setattr("etude.backends.registry.available", lambda: states)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    code, out, _ = etude_command("info")
    assert code == 0
    for words in (etude.__version__, "Python", "CPU", "BLAS", "OMP_NUM_THREADS=3", "scikit-learn"):
        assert words in out
    assert "numpy     works, the default" in out
    assert "cuda      off: no CUDA driver" in out


def test_info_says_that_the_environment_names_no_backend(
    etude_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETUDE_BACKEND", "pyton")
    code, out, _ = etude_command("info")
    assert code == 0
    assert "got 'pyton'; did you mean 'python'?" in out
    assert "numpy     works\n" in out


def test_light_commands_load_no_heavy_library() -> None:
    code = (
        "import sys; from etude.framework.cli.app import run\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'safetensors'}\n"
        "assert run(['summary', 'lenet5']) == run(['train', '--help']) == 0\n"
        "loaded = (heavy | {'numba', 'scipy'}) & set(sys.modules)\n"
        "assert run(['info']) == 0\n"  # which starts every backend
        "print('LOADED', *sorted(loaded | heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED"


# summary ----------------------------------------------------------------------------------------
def test_summary_lists_layers(etude_command: Run) -> None:
    code, out, _ = etude_command("summary", "lenet5")
    assert code == 0
    assert "lenet5: input (N, 1, 32, 32)" in out
    assert "conv2    Conv2d     (N, 16, 10, 10)       2,416   480 k   6.4 k" in out
    assert "61,706 parameters (61,706 trainable), 0.25 MB" in out
    assert "846 kFLOPs forward" in out


def test_summary_of_another_input(etude_command: Run) -> None:
    code, out, _ = etude_command("summary", "resnet20", "--input", "3x64x64")
    assert code == 0
    assert "(N, 64, 16, 16)" in out


SUMMARIES = [
    ("siamese", "siamese: 2 inputs (N, 1, 105, 105)", "38,951,745 parameters"),
    ("transformer", "transformer: input (N, 1024)", "124,439,808 parameters"),
    ("vgg19", "vgg19: input (N, 3, 224, 224)", "19.6 G multiply-adds in convolutions"),
]


@pytest.mark.parametrize("model, heading, total", SUMMARIES)
def test_summary_of_models_too_large_to_build(
    etude_command: Run, model: str, heading: str, total: str
) -> None:
    code, out, _ = etude_command("summary", model)
    assert code == 0
    assert heading in out
    assert total in out


def threads_after(*args: str, **environment: str) -> str:
    """The BLAS threads that a fresh process is left with by `limit_threads`."""
    code = (
        "import os; from etude.framework.cli.threads import limit_threads\n"
        f"limit_threads({', '.join(args) or None})\n"
        "print(os.environ.get('OPENBLAS_NUM_THREADS'))"
    )
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**clean, **environment}
    )
    return done.stdout.strip()


def test_threads_are_one_unless_someone_says_otherwise() -> None:
    assert threads_after() == "1"
    assert threads_after("3") == "3"
    assert threads_after(OMP_NUM_THREADS="2") == "None"
    assert threads_after("3", OPENBLAS_NUM_THREADS="2") == "3"


# compare ----------------------------------------------------------------------------------------
def compared(folder: str) -> dict[str, dict[str, object]]:
    content = json.loads(Path(folder, "compare.json").read_text())
    return {row["backend"]: row for row in content["results"]}


@pytest.mark.usefixtures("few_digits")
def test_compare_runs_every_backend_from_one_seed(etude_command: Run) -> None:
    code, out, err = etude_command(
        "compare", "mlp", "--epochs", "2", "--batch-size", "8", "--budget", "0.5", "--out", "c"
    )
    assert (code, err) == (0, "")
    assert "python stopped after" in out
    assert "the time budget of 0.5 s" in out
    found = compared("c")
    assert found.keys() == {n for n, why in etude.backends.available().items() if why is None}
    assert found["numpy"]["steps"] == found["numpy"]["steps_planned"] == 2 * 34
    assert found["numpy"]["test_accuracy"] > 0.5  # type: ignore[operator]
    assert 1 <= found["python"]["steps"] < 68  # type: ignore[operator]
    assert found["python"]["deviation"] < 1e-5  # type: ignore[operator]
    assert found["python"]["test_accuracy"] is None
    content = json.loads(Path("c/compare.json").read_text())
    assert len(content["curves"]["numpy"]["losses"]) == 68
    assert content["input"] == "8x8 enlarged bilinearly to 28x28"
    assert content["machine"]["blas"]
    assert Path("c/compare.png").read_bytes().startswith(b"\x89PNG")
    assert etude_command("eval", "c")[0] == 0


@pytest.mark.usefixtures("few_digits")
def test_compare_takes_a_choice_of_backends(etude_command: Run) -> None:
    code, out, _ = etude_command("compare", *MLP, "--backends", "numpy", "--out", "c")
    assert code == 0
    assert list(compared("c")) == ["numpy"]
    assert "python" not in out


class InterruptAt(Callback):
    """Ctrl-C after a step, in place of the progress display."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Trainer, step: Step) -> None:
        if step.step == self.step:
            raise KeyboardInterrupt


@pytest.mark.usefixtures("few_digits")
def test_ctrl_c_keeps_a_comparison(etude_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def display(_: object, label: str, __: object) -> Callback:
        return InterruptAt(2) if label == "python" else Callback()

    monkeypatch.setattr("etude.framework.cli.compare.progress", display)
    code, out, _ = etude_command("compare", *MLP, "--out", "c")
    assert code == 130
    assert "python stopped after 2 of 17 steps, and is compared over those: Ctrl-C" in out
    assert compared("c")["numpy"]["steps"] == 17
    assert compared("c")["python"]["deviation"] < 1e-5  # type: ignore[operator]


def test_ctrl_c_before_the_first_step(etude_command: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("etude.framework.cli.compare.run", interrupt)
    assert etude_command("compare", *MLP, "--out", "c")[0] == 130
    assert compared("c") == {}


@pytest.mark.usefixtures("few_digits")
def test_a_diverging_comparison_is_saved(etude_command: Run) -> None:
    code, out, err = etude_command("compare", *MLP, "--lr", "1e30", "--out", "c")
    assert code == 1
    assert "numpy stopped after" in out
    assert "[fit] the loss became" in err
    assert compared("c")["numpy"]["steps_planned"] == 17


@pytest.mark.usefixtures("few_digits")
def test_a_backend_that_is_off_is_named(
    etude_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"numpy": None, "cuda": "no CUDA driver"}
    monkeypatch.setattr("etude.backends.registry.available", lambda: states)
    code, out, _ = etude_command("compare", *MLP, "--out", "c")
    assert code == 0
    assert "left out: cuda, no CUDA driver" in out


@pytest.mark.usefixtures("few_digits")
def test_without_matplotlib_the_rest_is_still_done(
    etude_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out, _ = etude_command("compare", *MLP, "--backends", "numpy", "--out", "c")
    assert code == 0
    assert "no picture: [visualize] needs matplotlib" in out
    assert "pip install 'etude[plots]'" in out
    assert not Path("c/compare.png").exists()


# what is refused --------------------------------------------------------------------------------
REFUSED = [
    (["trian"], "no command is called 'trian'; did you mean 'train'?"),
    (["train"], "Missing argument 'MODEL'"),
    (["train", "lenet"], "no model is called 'lenet'; did you mean 'lenet5'?"),
    (["train", "mlp", "--data", "digit"], "no data set is called 'digit'; did you mean 'digits'?"),
    (["train", "mlp", "--data", "mnist"], "connect to the network, or put a file with that name"),
    (["train", "mlp", "--backend", "nunpy"], "got 'nunpy'; did you mean 'numpy'?"),
    (["train", "mlp", "--optimizer", "adan"], "did you mean 'adam'?"),
    (["train", "mlp", "--schedule", "cosin"], "did you mean 'cosine'?"),
    (["train", "mlp", "--split", "orderd"], "did you mean 'ordered'?"),
    (["train", "mlp", "--epochs", "-3"], "'--epochs': expected a whole number >= 1, got -3"),
    (["train", "mlp", "--epochs", "many"], "expected a whole number >= 1, got many"),
    (["train", "mlp", "--batch-size", "0"], "'--batch-size': expected a whole number >= 1, got 0"),
    (["train", "mlp", "--lr", "-1"], "'--lr': expected a number above 0, got -1"),
    (["train", "mlp", "--lr", "nan"], "expected a number above 0, got nan"),
    (["train", "mlp", "--lr", "fast"], "'fast' is not a number"),
    (["train", "mlp", "--seed", "-1"], "'--seed': expected a whole number >= 0, got -1"),
    (["train", "mlp", "--validation", "1"], "expected a number in [0, 1), got 1"),
    (["train", "mlp", "--validation", "most"], "expected a number in [0, 1), got most"),
    (["train", "mlp", "--validation", "1e-9"], "leaves 270 images to learn and 0 to watch"),
    (["train", "mlp", "--out", "file/runs"], "cannot write file/runs: Not a directory"),
    (["train", "mlp", "--epoch", "3"], "No such option"),
    (["train", "mlp", "lenet5"], "unexpected extra argument"),
    (["compare", "lenet6"], "did you mean 'lenet5'?"),
    (["compare", "--backends", "numpy,pyton"], "no backend is called 'pyton'; did you mean"),
    (["compare", "--backends", ","], "no backend is called ''; choose from"),
    (["compare", "--budget", "0"], "expected a number above 0, got 0"),
    (["eval"], "Missing argument 'RUN'"),
    (["eval", "nowhere"], "there is no file nowhere"),
    (["eval", "file"], "file is not a whole safetensors file"),
    (["train", "fcn8s"], "expected a model that makes logits of an image, got 'fcn8s'"),
    (["profile", "siamese"], "expected a model that makes logits of an image, got 'siamese'"),
    (["summary", "resnet_20"], "did you mean 'resnet20'?"),
    (["summary", "lenet5", "--input", "1,0,3"], "expected sizes above 0 such as 3,32,32"),
    (["summary", "lenet5", "--input", "3,32,32"], "[conv2d]"),
]


def off_line(*parts: object) -> None:
    raise Broken("Network is unreachable")


@pytest.mark.parametrize("args, message", REFUSED, ids=[" ".join(r[0]) for r in REFUSED])
@pytest.mark.usefixtures("few_digits")
def test_a_wrong_value_gets_one_line_and_exit_code_2(
    etude_command: Run, args: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETUDE_DATA", "nothing-here")
    monkeypatch.setattr("etude.framework.data.mirror._ask", off_line)
    Path("file").write_text("")
    code, _, err = etude_command(*args)
    assert code == 2
    assert err.startswith("etude: ")
    assert message in err
    assert err.count("\n") == 1
    assert not Path("runs").exists()


def test_weights_of_something_else_are_refused(etude_command: Run) -> None:
    weights.save({"w": etude.zeros(3)}, "w.safetensors")
    code, _, err = etude_command("eval", "w.safetensors")
    assert code == 2
    assert "does not say which model it holds" in err


def test_a_backend_that_is_off_is_refused(
    etude_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(etude.backends.registry.PATHS, "gone", "etude.no_such_module:Backend")
    for command in (["train", "mlp", "--backend", "gone"], ["compare", "--backends", "gone"]):
        code, _, err = etude_command(*command)
        assert code == 2
        assert "'gone' is not available here" in err


def test_without_click_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "click", None)
    assert main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "pip install 'etude[cli]'" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [["-m", "etude"], ["-c", "import etude.__main__"]])
def test_python_runs_the_command_line(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command, "summary", "lenet"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "did you mean 'lenet5'?" in done.stderr


def test_a_closed_pipe_is_no_crash() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "etude", "summary", "resnet20"], stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert b"Traceback" not in done.stderr
