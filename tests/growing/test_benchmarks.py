"""The peers do what they say, the arithmetic of the comparison, and the commands end to end at toy sizes."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from vitzoo.blueprint import expand, load
from vitzoo.compat import ensure_torchvision
from vitzoo.model.shapes import parameter_shapes, parameters

ensure_torchvision()

from peers import launch, memory, needs, precision, released, timm_loop, vmap  # noqa: E402
from peers.models import create  # noqa: E402
from peers.ours import blueprint  # noqa: E402
from peers.pictures import loaders, training_transform  # noqa: E402
from peers.summary import Process, Run, measured, quantity, ratio  # noqa: E402
from peers.systems import Machine, plan  # noqa: E402
from peers.table import by_members, table  # noqa: E402
from peers.workload import ARCHITECTURES, Task, Workload  # noqa: E402

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
TOY = ("--arch", "toy", "--images", "64", "--batch", "32", "--rounds", "1", "--members", "2")


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers are tested alike on every machine."""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: False)


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    """A toy little zoo of three members on noise."""
    rng, path = np.random.default_rng(0), tmp_path / "images.npz"
    x, y = rng.integers(0, 256, (68, 16, 16, 3), np.uint8), rng.integers(0, 10, 68)
    np.savez(path, x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    return Workload("toy", 3, 2, 68, 32, "cpu", str(path))


def task_of(workload: Workload, folder: Path, members: tuple[int, ...] = (0, 1)) -> Task:
    task = Task(workload, members, str(folder / "process"), None, 0)
    task.write()
    return task


def processes(workload: Workload, name: str, folder: Path, cores: int) -> tuple[list[Task], int]:
    return plan(name, workload, folder, Machine(cores))


class TestPeers:
    """Each trains what it is asked to and leaves a zoo's worth of files."""

    @pytest.mark.parametrize(
        ("main", "checkpoint", "log"),
        [
            (released.main, "trial_1/checkpoint_000002/checkpoints", "trial_1/result.json"),
            (lambda task: timm_loop.main(task, compiled=False), "member_1/epoch_002.pt", "member_1/log.jsonl"),
            (vmap.main, "member_1/epoch_002.pt", "member_1/log.jsonl"),
        ],
        ids=["released", "timm_loop", "vmap"],
    )
    def test_checkpoints_metrics_and_notes(self, main, checkpoint: str, log: str, workload: Workload, tmp_path: Path):
        task = task_of(workload, tmp_path)
        main(task)
        state = torch.load(Path(task.folder) / checkpoint, weights_only=True)
        shapes = parameter_shapes(ARCHITECTURES["toy"].shape)
        assert {name: tuple(tensor.shape) for name, tensor in state.items()} == shapes
        lines = [json.loads(line) for line in (Path(task.folder) / log).read_text().splitlines()]
        assert len(lines) == 3
        assert all(math.isfinite(lines[-1][name]) for name in ("train_loss", "test_loss"))
        # The loss of a model that knows nothing of ten classes, before training and after so little of it.
        assert all(line["test_loss"] == pytest.approx(math.log(10), abs=0.5) for line in lines)
        report = Process.read(task.report, time.time())
        images = {epoch: sum(e["images"] for e in report.entries if e["epoch"] == epoch) for epoch in range(3)}
        assert images == {0: 0, 1: 2 * 64, 2: 2 * 64}  # 68 images are two batches of 32

    def test_the_peers_learn(self, tmp_path: Path):
        """Two classes, black and white: a loop with a sign or a label wrong would not get there."""
        path, y = tmp_path / "images.npz", np.arange(96) % 2
        x = np.broadcast_to(np.where(y, 255, 0).astype(np.uint8)[:, None, None, None], (96, 16, 16, 3))
        np.savez(path, x_train=x, y_train=y, x_test=x[:32], y_test=y[:32])
        w = Workload("toy", 1, 6, 96, 16, "cpu", str(path))
        for name, main in (("p0", released.main), ("p1", lambda t: timm_loop.main(t, False)), ("p5", vmap.main)):
            task = task_of(w, tmp_path / name, (0,))
            main(task)
            log = next(Path(task.folder).glob("*/*.json*"))
            assert json.loads(log.read_text().splitlines()[-1])["test_acc"] == 1.0, name

    def test_a_step_of_the_stack_is_a_step_of_each_model(self, workload: Workload, tmp_path: Path, monkeypatch):
        monkeypatch.setattr("peers.models.DROP_PATH", 0.0)
        stack = vmap.Stack(task_of(workload, tmp_path, (0, 1, 2)))
        images, targets = torch.randn(8, 3, 16, 16), torch.rand(8, 10).softmax(1)
        for _ in range(2):
            stack.step(images, targets)
        for member, state in stack.states():
            torch.manual_seed(member)
            model = create(ARCHITECTURES["toy"])
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0)
            for _ in range(2):
                timm_loop.step(model, optimizer, workload, images, targets)
            for name, parameter in model.named_parameters():
                torch.testing.assert_close(state[name], parameter.detach(), atol=2e-4, rtol=1e-3)

    @pytest.mark.parametrize("name", ["toy", "small"])
    def test_the_model_has_the_size_of_ours(self, name: str):
        found = sum(parameter.numel() for parameter in create(ARCHITECTURES[name]).parameters())
        assert found == parameters(ARCHITECTURES[name].shape)

    def test_stochastic_depth_reaches_the_last_block(self):
        assert create(ARCHITECTURES["toy"]).blocks[-1].drop_path1.drop_prob == pytest.approx(0.1)

    def test_images_are_augmented_in_training_only(self, workload: Workload, tmp_path: Path):
        train, test = loaders(task_of(workload, tmp_path), erasing=True)
        images, labels = next(iter(train))
        assert images.shape == (32, 3, 16, 16) and images.dtype == torch.float32 and labels.dtype == torch.int64
        assert torch.equal(next(iter(test))[0], next(iter(test))[0])
        assert not torch.equal(train.dataset[0][0], train.dataset[0][0])
        names = [type(step).__name__ for step in training_transform(ARCHITECTURES["vit-s"], erasing=False).transforms]
        assert names == ["RandomCrop", "RandomHorizontalFlip", "ToTensor", "Normalize"]

    def test_our_blueprint_asks_for_the_same(self, workload: Workload, tmp_path: Path):
        path = tmp_path / "blueprint.yaml"
        path.write_text(blueprint(workload))
        (recipes,) = [stage for stage in expand(load(path)) if stage]
        first, h = recipes[0], recipes[0].hyperparameters
        assert len(recipes) == workload.members == len({recipe.hyperparameters.lr for recipe in recipes})
        assert (h.epochs, h.batch_size, h.mixup, h.cutmix) == (2, 32, 0.8, 1.0)
        assert (h.label_smoothing, h.random_erasing, h.stochastic_depth) == (0.1, 0.25, 0.1)
        assert first.augmentation.crop is not None and first.augmentation.crop.padding == 2
        assert (first.augmentation.flip, first.augmentation.rotation) == (0.5, 10)
        assert parameters(first.architecture) == parameters(workload.architecture.shape)


class TestPlans:
    """How systems use a machine."""

    def test_every_member_is_trained_once(self, workload: Workload, tmp_path: Path):
        for name in ("ours", "p0", "p1", "p2", "p5", "p5-split"):
            tasks, _ = processes(workload, name, tmp_path, 2)
            assert sorted(member for task in tasks for member in task.members) == [0, 1, 2], name

    def test_a_process_a_model_and_as_many_as_cores(self, workload: Workload, tmp_path: Path):
        tasks, at_once = processes(workload, "p1", tmp_path, 2)
        assert (len(tasks), at_once, {task.threads for task in tasks}) == (3, 2, {1})

    def test_a_stack_has_all_cores(self, workload: Workload, tmp_path: Path):
        tasks, at_once = plan("p5", workload, tmp_path, Machine(4, k=2))
        assert ([task.members for task in tasks], at_once, tasks[0].threads) == ([(0, 2), (1,)], 1, None)


def diary(seconds: float, evaluation: float | None = 1.0) -> list[dict]:
    return [
        {"epoch": epoch, "images": 100 * (epoch > 0), "seconds": seconds * (epoch > 0), "evaluation": evaluation}
        for epoch in range(3)
    ]


class TestArithmetic:
    """Closed forms."""

    def test_two_processes_at_once_have_twice_the_rate(self):
        alone = measured([Process(0, 1, 1, diary(2.0))], 1, 9.0, 0.0, None)
        together = measured([Process(0, 1, 1, diary(2.0))] * 2, 2, 9.0, 0.0, None)
        assert (alone.rate, together.rate, together.warm_up) == (50.0, 100.0, 0.0)

    def test_one_process_of_two_workers_counts_as_two(self):
        entries = diary(2.0, None) + diary(2.0, None)
        run = measured([Process(0, 1, 2, entries)], 1, 9.0, 5.0, 7.0)
        assert run == Run(rate=100.0, zoo=9.0, start=1.0, warm_up=0.0, memory=5.0, gpu_memory=7.0)

    def test_ratios_are_taken_round_by_round(self):
        rounds = [{"a": {"rate": 10.0}, "b": {"rate": 5.0}}, {"a": {"rate": 1.0}, "b": {"rate": 1.0}}]
        assert ratio([*rounds, {"a": {"rate": 9.0}, "b": {"error": "broken"}}], "a", "b") == (1.5, 1.0, 2.0)
        assert ratio(rounds, "a", "c") is None
        assert quantity(rounds, "a", "rate") == (5.5, 1.0, 10.0)


def results(rounds: list[dict], gpu: str | None = None, **workload) -> dict:
    size = {"arch": "vit-s", "members": 1, "epochs": 2, "images": 64, "batch": 32} | workload
    hardware = {"cpu": "a processor", "gpu": gpu}
    versions = {"torch": "2", "timm": "1"}
    return {"workload": size, "hardware": hardware, "versions": versions, "cold": {}, "rounds": rounds}


def run_of(rate: float) -> dict:
    return {"rate": rate, "zoo": 1.0, "start": 1.0, "warm_up": 0.0, "memory": 1.0, "gpu_memory": None}


class TestTable:
    """What is printed."""

    def test_losses_and_failures_are_shown(self):
        text = table(results([{"ours": run_of(10), "p1": run_of(20), "p2": {"error": "no compiler"}}]))
        assert "| P1: PyTorch and timm | 20 (20–20) | 0.50× (0.50–0.50) |" in text
        assert "failed: no compiler" in text

    def test_of_the_two_layouts_of_p5_the_better_is_shown(self):
        text = table(results([{"ours": run_of(10), "p5": run_of(4), "p5-split": run_of(5)}]))
        assert "a process a core" in text and "one process" not in text

    def test_mfu_of_vit_s(self):
        """8,000 images/s of 27.59 GFLOP are 22.3 % of 989 TFLOP/s."""
        text = table(results([{"ours": run_of(8000.0)}], gpu="NVIDIA H200"))
        assert "MFU" in text and "| 22.32 |" in text

    def test_a_line_for_each_size(self):
        files = [
            results([{"ours": run_of(10), "p1": run_of(5), "p5": run_of(4)}], members=1),
            results([{"ours": run_of(80), "p5": run_of(8)}], members=8),
        ]
        assert by_members(files).splitlines()[-2:] == [
            "| 1 | 10 | 5 | 4 | 2.00× | 2.50× |",
            "| 8 | 80 | – | 8 | 16.00× | 10.00× |",
        ]


class TestRunning:
    """Processes are measured, and ended."""

    def test_memory_of_a_tree_of_processes(self):
        hold = "import sys; held = b'x' * 100_000_000; print('held', flush=True); sys.stdin.read()"
        command = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
        with subprocess.Popen([sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tree:
            assert tree.stdout and tree.stdin
            tree.stdout.readline()
            found = memory.pss_mb(memory.descendants(tree.pid))
            tree.stdin.close()
        assert 100 < found < 200

    def test_what_is_not_done_in_time_is_ended_and_a_failure(self, workload: Workload, tmp_path: Path):
        before = set(memory.descendants(os.getpid()))  # other tests may have left something at work
        with pytest.raises(launch.Failed, match="not done in time"):
            launch.run("p1", workload, tmp_path / "run", Machine(1), limit=0.1)
        assert set(memory.descendants(os.getpid())) <= before

    def test_a_failure_says_why(self, workload: Workload, tmp_path: Path):
        lost = Workload(**{**vars(workload), "data": str(tmp_path / "missing.npz")})
        with pytest.raises(launch.Failed, match=r"ended with code 1: FileNotFoundError.*missing\.npz"):
            launch.run("p1", lost, tmp_path / "run", Machine(1), limit=60)

    def test_missing_packages_are_named_as_packages(self):
        assert needs.missing(["json", "no_such_module"]) == ["no_such_module"]
        assert needs.missing(needs.OURS + needs.PEERS) == []


def benchmark(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "populations.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_command_from_end_to_end(tmp_path: Path):
    out = tmp_path / "deep" / "populations.json"
    printed = benchmark(*TOY, "--systems", "ours,p1", "--no-cold", "--out", str(out)).stdout
    found = json.loads(out.read_text())
    (measured_round,) = found["rounds"]
    assert all(run["rate"] > 0 and run["memory"] > 50 for run in measured_round.values())
    assert found["versions"]["torch"] == torch.__version__
    assert printed == benchmark("--table", str(out)).stdout
    assert [line.split("|")[1].strip() for line in printed.splitlines()[4:]] == ["vitzoo grow", "P1: PyTorch and timm"]


def test_what_makes_no_sense_is_refused():
    assert "there is no system p9" in benchmark("--systems", "ours,p9", code=2).stderr
    assert "2 epochs or more" in benchmark("--epochs", "1", code=2).stderr


@pytest.mark.slow
def test_the_gpu_script_at_toy_sizes_on_a_cpu(tmp_path: Path):
    environment = os.environ | {"PYTHON": sys.executable, "OUT": str(tmp_path)}
    script = str(BENCHMARKS / "gpu.sh")
    done = subprocess.run(
        ["bash", script, "--toy", "--device", "cpu"], capture_output=True, text=True, timeout=600, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("vit-s", "population-1", "population-2", "whole-zoo"):
        assert (tmp_path / f"{part}.json").exists(), done.stdout
    assert json.loads((tmp_path / "whole-zoo.json").read_text())["grown"]["finished"] == 130
    assert "failed" not in done.stdout
