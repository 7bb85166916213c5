"""The container image and its compose file: read for what must stand in them, built where an engine runs.

That the install and start steps of the image work is shown by test_wheel.py, which takes the same steps.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter.settings import Settings, load_settings, variable

PROJECT = Path(__file__).resolve().parents[2]
DOCKER = PROJECT / "docker"


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage: (name, rest), with continued lines joined."""
    text = re.sub(r"\\\n", " ", (DOCKER / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[tuple[str, str]]] = []
    for line in lines:
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, " ".join(rest.split())))
    return found


BUILD, IMAGE = stages()


def every(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == name]


def compose() -> dict[str, Any]:
    return yaml.safe_load((DOCKER / "compose.yaml").read_text())


def environment_of_image() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in every(IMAGE, "ENV")[0].split())


def test_the_image_is_made_from_the_wheel_and_the_lock_file() -> None:
    assert any("uv build --wheel" in line and "uv export --frozen --no-dev" in line for line in every(BUILD, "RUN"))
    [install] = [line for line in every(IMAGE, "RUN") if "pip install" in line]
    assert "--require-hashes --requirement /dist/requirements.txt" in install
    assert "--no-deps /dist/*.whl" in install
    assert every(IMAGE, "COPY") == [], "the checkout itself stays out of the image"


def test_everything_that_is_copied_exists_and_passes_the_ignore_file() -> None:
    allowed = {
        line[1:] for line in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = {name for line in every(BUILD, "COPY") for name in line.split()[:-1]}
    assert copied == allowed
    assert [name for name in copied if not (PROJECT / name).exists()] == []


def test_the_program_runs_as_an_unprivileged_user_that_owns_its_data() -> None:
    [user] = every(IMAGE, "USER")
    assert int(user) >= 1000
    assert any(f"--uid {user} " in line and "--owner=adapter /data" in line for line in every(IMAGE, "RUN"))
    names = [name for name, _ in IMAGE]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert every(IMAGE, "VOLUME") == [environment_of_image()["ADAPTER_DATA"]]


def test_the_health_check_asks_the_port_that_the_image_serves() -> None:
    port = environment_of_image()["ADAPTER_HTTP"].rpartition(":")[2]
    [check] = every(IMAGE, "HEALTHCHECK")
    assert f"http://127.0.0.1:{port}/health/ready" in check
    assert set(every(IMAGE, "EXPOSE")[0].split()) == {port, environment_of_image()["ADAPTER_MLLP"].rpartition(":")[2]}


def test_image_and_compose_set_only_settings_that_exist_and_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    given = environment_of_image() | {
        k: interpolated(v) for k, v in compose()["services"]["adapter"]["environment"].items()
    }
    ours = {name: value for name, value in given.items() if name.startswith("ADAPTER_")}
    assert set(ours) <= {variable(name) for name in Settings.model_fields}
    for name, value in ours.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()

    assert settings.database == "postgresql+psycopg://adapter:from-env@database:5432/adapter"


def interpolated(value: str) -> str:
    """What compose makes of `${NAME:-default}` and `${NAME:?message}`."""
    return re.sub(r"\$\{\w+:(?:-([^}]*)|\?[^}]*)\}", lambda found: found[1] or "from-env", value)


def test_compose_runs_the_adapter_with_a_database_that_is_ready() -> None:
    services = compose()["services"]
    adapter, database = services["adapter"], services["database"]
    assert (DOCKER / adapter["build"]["context"] / adapter["build"]["dockerfile"]).samefile(DOCKER / "Dockerfile")
    assert database["image"].startswith("postgres:")
    assert adapter["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert "pg_isready" in " ".join(database["healthcheck"]["test"])
    assert database["environment"]["POSTGRES_USER"] == database["environment"]["POSTGRES_DB"] == "adapter"


def test_what_must_last_is_on_named_volumes() -> None:
    services = compose()["services"]
    assert services["adapter"]["volumes"] == ["adapter-data:/data"]
    assert services["database"]["volumes"] == ["database:/var/lib/postgresql/data"]
    assert set(compose()["volumes"]) == {"adapter-data", "database"}


def test_only_hospitals_reach_the_adapter_from_outside() -> None:
    services = compose()["services"]
    assert "ports" not in services["database"]
    assert [port for port in services["adapter"]["ports"] if port.startswith("127.0.0.1:")] == ["127.0.0.1:8080:8080"]


def test_no_secret_stands_in_the_files_and_each_is_asked_for_in_the_example() -> None:
    text = (DOCKER / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    assert asked == {"POSTGRES_PASSWORD"}
    example = dict(
        line.split("=", 1) for line in (PROJECT / ".env.example").read_text().splitlines() if re.match(r"\w+=", line)
    )
    assert {name: example.get(name) for name in asked} == dict.fromkeys(asked, "")


def engine_answer() -> str:
    """Empty where a container engine answers, else why it does not."""
    if not shutil.which("docker"):
        return "docker is not installed"
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False, timeout=30)
    return "" if asked.returncode == 0 else f"no docker engine answers: {(asked.stderr or asked.stdout).strip()[-120:]}"


@pytest.mark.timeout(1200)
def test_the_image_builds_and_its_program_answers() -> None:
    if reason := engine_answer():
        pytest.skip(reason)
    tag = "hl7v2-fhir-adapter:test"
    subprocess.run(["docker", "build", "--quiet", "-f", DOCKER / "Dockerfile", "-t", tag, PROJECT], check=True)
    checked = subprocess.run(["docker", "run", "--rm", "--read-only", tag, "check"], check=False, capture_output=True)
    assert checked.returncode == 0, checked.stderr
