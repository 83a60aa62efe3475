"""A copy of the tree with changes, compiled once, and runs of its tests: for `tests/faults/run` and `tests/mutants/run`."""
import json, os, re, resource, signal, subprocess, threading
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]


def read_tree():
    """The files of the project, tracked and new ones."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP,
                            capture_output=True, check=True).stdout.decode().split("\0")
    return {name: (TOP / name).read_bytes() for name in listed if name and (TOP / name).is_file()}


def write(path, text):
    """Leaves a file that has this text already, so that cargo compiles no more than necessary."""
    if path.is_symlink() or not path.exists() or path.read_bytes() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def write_tree(tree, files):
    if tree.exists():
        for path in tree.rglob("*"):
            if path.is_file() and str(path.relative_to(tree)) not in files:
                path.unlink()
    for name, text in files.items():
        write(tree / name, text)


def cargo(tree, target, cfg, arguments, log):
    """Runs cargo with JSON messages; returns its exit status and the messages."""
    env = dict(os.environ, CARGO_TARGET_DIR=str(target), RUSTFLAGS=cfg, CARGO_INCREMENTAL="1")
    with log.open("w") as to:
        done = subprocess.run(["cargo", *arguments], cwd=tree, env=env, stdout=subprocess.PIPE, stderr=to, text=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def executables(messages):
    """The compiled tests by target, without the libraries of other packages."""
    built = [message for message in messages if message.get("executable") and message["profile"]["test"]]
    return {message["target"]["name"]: message["executable"] for message in built if message["target"]["name"] in ("memdex", "it")}


@dataclass
class Run:
    text: str
    # None after the timeout.
    status: int | None
    failed: list
    passed: list


def run_tests(tree, executable, arguments, env, timeout, stop_early, memory=None):
    """Runs tests, until the first one fails if `stop_early`. `memory` bounds the address space, in bytes."""
    env = dict(os.environ, PROPTEST_MAX_SHRINK_ITERS="0", RUST_BACKTRACE="0", **env)
    env.setdefault("CARGO_MANIFEST_DIR", str(tree))
    limit = (lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory))) if memory else None
    process = subprocess.Popen([executable, *arguments], cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True, preexec_fn=limit)
    late = []

    def kill():
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(timeout, lambda: (late.append(True), kill()))
    timer.start()
    printed, failed, passed = [], [], []
    for line in process.stdout:
        printed.append(line)
        if match := re.match(r"test (.*?)(?: - should panic)? \.\.\. (?:.*FAILED|(ok))", line):
            (passed if match[2] else failed).append(match[1])
            if stop_early and failed:
                kill()
    status = process.wait()
    timer.cancel()
    return Run("".join(printed), None if late and not failed else status, failed, passed)
