"""Start to listening, and idle memory, of the real program.

    python bench/start.py [--times N]

Starts `adapter serve` on a new folder N times, waits until /health/ready answers, and reads the resident memory of
the process two seconds later. The baseline of the same run is a bare `python -c "import fastapi, sqlmodel"`.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PORTS = ("12571", "18071")


def started(folder: str) -> tuple[float, float]:
    """Seconds until ready, and MB of memory when idle."""
    command = [sys.executable, "-m", "adapter", "serve", "--data", folder]
    command += ["--mllp", f"127.0.0.1:{PORTS[0]}", "--http", f"127.0.0.1:{PORTS[1]}"]
    begun = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[1]}/health/ready", timeout=1):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.005)
        seconds = time.perf_counter() - begun
        time.sleep(2)
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.terminate()
    return seconds, int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--times", type=int, default=5)
    times = options.parse_args().times
    runs: list[tuple[float, float]] = []
    imports: list[float] = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(started(folder))
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import fastapi, sqlmodel"], check=True)
        imports.append(time.perf_counter() - begun)
    best, bare = min(seconds for seconds, _ in runs), min(imports)
    print(f"start to ready        best {best:.2f} s, worst {max(seconds for seconds, _ in runs):.2f} s")
    print(f"baseline: the imports {bare:.2f} s; ratio {best / bare:.1f} x")
    print(f"idle memory           {max(memory for _, memory in runs):.0f} MB")


if __name__ == "__main__":
    main()
