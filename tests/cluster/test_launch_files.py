"""The launch files: valid by Ray's own check where there is one, closed, without secrets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainables.trials.cloud import cloud_here

ROOT = Path(__file__).parents[2]
LAUNCH = ROOT / "cluster" / "launch"
VMS = ("aws.yaml", "gcp.yaml")
PODS = ("raycluster.yaml", "rayjob.yaml")
FILES = sorted(path.name for path in LAUNCH.iterdir())

# Fields that KubeRay's API reference names (docs/reference/api.md and apis/ray/v1 of
# ray-project/kuberay; authOptions from the reference of 1.6 at docs.ray.io), those of pods apart.
# Not the CRD itself, which is not at hand here.
CLUSTER = {
    "authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions",
    "headGroupSpec", "headServiceAnnotations", "managedBy", "rayVersion", "suspend",
    "workerGroupSpecs",
}  # fmt: skip
HEAD = {"enableIngress", "headService", "rayStartParams", "serviceType", "template"}
WORKERS = {
    "groupName", "maxReplicas", "minReplicas", "numOfHosts",
    "rayStartParams", "replicas", "scaleStrategy", "template",
}  # fmt: skip
JOB = {
    "activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint",
    "entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "jobId", "managedBy",
    "metadata", "rayClusterSpec", "runtimeEnvYAML", "shutdownAfterJobFinishes", "submissionMode",
    "submitterConfig", "submitterPodTemplate", "suspend", "ttlSecondsAfterFinished",
}  # fmt: skip


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((LAUNCH / name).read_text()))


def cluster_spec(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = documents(name)[-1]["spec"]
    return spec.get("rayClusterSpec", spec)


def test_all_are_there() -> None:
    assert FILES == sorted([*VMS, *PODS, "slurm.sh", "Dockerfile"])


@pytest.mark.parametrize("name", VMS)
def test_rays_autoscaler_takes_it(name: str) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    ready = prepare_config(documents(name)[0])
    validate_config(ready)
    workers = ready["available_node_types"]["gpu_spot"]
    assert ready["available_node_types"]["head"]["resources"] == {"CPU": 0}
    assert workers["resources"]["GPU"] == 1
    # A search counts its slots when it begins, and refuses a cluster that has none.
    assert workers["min_workers"] == workers["max_workers"] == ready["max_workers"] > 0


def test_workers_are_spot_nodes() -> None:
    aws, gcp = (documents(name)[0]["available_node_types"]["gpu_spot"] for name in VMS)
    assert aws["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert {"preemptible": True} in gcp["node_config"]["scheduling"]


@pytest.mark.parametrize("name", VMS)
def test_spot_nodes_ask_their_own_cloud_whether_they_are_taken_away(name: str) -> None:
    started = " ".join(documents(name)[0]["worker_start_ray_commands"])
    cloud = cloud_here(dict(re.findall(r"export (AUTOML_CL_SPOT)=(\w+)", started)))
    assert cloud is not None
    assert cloud.part_name() == Path(name).stem
    assert "AUTOML_CL_SPOT" not in " ".join(documents(name)[0]["head_start_ray_commands"])


@pytest.mark.parametrize("name", VMS)
def test_nodes_ask_for_the_token_and_the_dashboard_is_on_loopback(name: str) -> None:
    config = documents(name)[0]
    for which in ("head_start_ray_commands", "worker_start_ray_commands"):
        started = [line for line in config[which] if "ray start" in line]
        assert started and all("export RAY_AUTH_MODE=token;" in line for line in started)
    assert "--dashboard-host=127.0.0.1" in config["head_start_ray_commands"][-1]
    assert config["file_mounts"]["/home/ray/.ray/auth_token"] == "~/.ray/auth_token"


@pytest.mark.parametrize("name", PODS)
def test_kuberay_knows_every_field(name: str) -> None:
    last = documents(name)[-1]
    assert last["apiVersion"] == "ray.io/v1"
    assert last["kind"] == {"raycluster.yaml": "RayCluster", "rayjob.yaml": "RayJob"}[name]
    assert set(last["spec"]) <= (JOB if last["kind"] == "RayJob" else CLUSTER)
    spec = cluster_spec(name)
    assert set(spec) <= CLUSTER
    assert set(spec["headGroupSpec"]) <= HEAD
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for group in spec["workerGroupSpecs"]:
        assert set(group) <= WORKERS
        assert group["minReplicas"] == group["replicas"] == group["maxReplicas"] > 0
    for group in groups:
        # The CRD takes strings only: 0 or true would be refused.
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            assert container["resources"]["requests"] == container["resources"]["limits"]


@pytest.mark.parametrize("name", PODS)
def test_kuberay_clusters_ask_for_the_token(name: str) -> None:
    assert cluster_spec(name)["authOptions"] == {"mode": "token"}


def test_the_dashboard_of_a_kuberay_cluster_is_on_loopback() -> None:
    head = cluster_spec("raycluster.yaml")["headGroupSpec"]
    assert head["rayStartParams"]["dashboard-host"] == "127.0.0.1"
    exposed = [port["containerPort"] for port in ports(head)]
    assert 8265 not in exposed and "serviceType" not in head and "enableIngress" not in head


def ports(group: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = group["template"]["spec"]["containers"][0]["ports"]
    return found


def test_the_jobs_command_is_one_that_the_command_line_takes() -> None:
    from typer.main import get_command

    from automl_cl.command.cli import app

    words = documents("rayjob.yaml")[-1]["spec"]["entrypoint"].split()
    assert words[:4] == ["python", "-m", "automl_cl", "search"]
    command = get_command(app).commands["search"]  # type: ignore[attr-defined]
    parsed = command.make_context("search", words[4:]).params
    assert parsed["from_file"] == Path("/search/search.yaml")
    assert (parsed["address"], parsed["output"]) == ("auto", "/runs/automl-cl-search")


def test_the_image_has_what_it_needs_and_no_more() -> None:
    text = (LAUNCH / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(None, 1) for line in text.splitlines() if line and line[0] != "#"]
    assert {word for word, _ in lines} <= {"FROM", "ENV", "COPY", "RUN", "USER", "WORKDIR"}
    assert lines[0] == ["FROM", f"rayproject/ray:{version('ray')}-py311-gpu"]
    assert "RAY_AUTH_MODE=token" in " ".join(rest for word, rest in lines if word == "ENV")
    assert ["USER", "ray"] in lines[-2:]
    copied = [rest.split()[1:-1] for word, rest in lines if word == "COPY"]
    sources = [source for each in copied for source in each]
    assert all((ROOT / source).exists() for source in sources) and "." not in sources
    configured = (ROOT / "pyproject.toml").read_text()
    packages = re.search(r"^include = \[(.*)\]$", configured, re.M)
    assert packages is not None
    assert set(re.findall(r'"(\w+)\*"', packages[1])) <= set(sources)


@pytest.mark.parametrize("name", [*VMS, *PODS])
def test_rays_version_is_the_one_that_is_installed(name: str) -> None:
    found = re.findall(r"(?:rayproject/ray:|rayVersion: )(\d+\.\d+\.\d+)", text_of(name))
    assert found and set(found) == {version("ray")}


def test_the_slurm_script_is_right_bash() -> None:
    script = LAUNCH / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", script], check=True)
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert "RAY_AUTH_MODE=token" in text and "--dashboard-host=127.0.0.1" in text


FAKES = {
    "scontrol": "printf 'n1\\nn2\\n'",
    "srun": 'while [[ $1 == --* ]]; do shift; done\nexec "$@"',
    "hostname": "echo 10.0.0.1",
    "sleep": "exit 0",
    "ray": 'echo "ray $* mode=$RAY_AUTH_MODE" >> "$LOG"',
    "python": 'if [[ $1 == -c ]]; then echo secret-token; exit; fi\necho "python $*" >> "$LOG"\n'
    'stat -c "token %a" "$RAY_AUTH_TOKEN_PATH" >> "$LOG"\nexit 7',
}


def run_slurm(tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    """The script with a Slurm, a Ray and a Python that only say what they were called with."""
    tools, log = tmp_path / "bin", tmp_path / "log"
    tools.mkdir()
    for name, body in FAKES.items():
        (tools / name).write_text(f"#!/bin/bash\n{body}\n")
        (tools / name).chmod(0o755)
    environment = {
        "PATH": f"{tools}:/usr/bin:/bin",
        "LOG": str(log),
        "SLURM_JOB_ID": "4242",
        "SLURM_JOB_NODELIST": "n[1-2]",
        "SLURM_CPUS_PER_TASK": "8",
        "SLURM_GPUS_ON_NODE": "1",
    }
    command = ["bash", str(LAUNCH / "slurm.sh"), *arguments]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30
    )
    return ended.returncode, log.read_text() if log.exists() else "", ended.stdout + ended.stderr


def test_the_slurm_script_starts_a_node_each_and_the_search(tmp_path: Path) -> None:
    (tmp_path / "search.yaml").write_text("scenario: curriculum\n")
    code, log, said = run_slurm(tmp_path, "search.yaml", "--trials", "9")
    assert code == 7, "the job ends as the search does"
    assert "ray start --head --node-ip-address=10.0.0.1 --port=24242 --num-cpus=8" in log
    assert "ray start --address=10.0.0.1:24242 --num-cpus=8 --num-gpus=1" in log
    assert "mode=token" in log and "mode=\n" not in log
    assert "search --from search.yaml --address 10.0.0.1:24242" in log
    assert "--output runs/slurm-4242 --trials 9" in log
    assert "token 600" in log, "nobody else may read the token"
    assert not list(tmp_path.glob(".automl-cl-token*")), "the token goes with the job"
    assert "secret-token" not in log + said


def test_the_slurm_script_refuses_a_search_that_is_not_there(tmp_path: Path) -> None:
    code, log, said = run_slurm(tmp_path, "nowhere.yaml")
    assert (code, log) == (2, "") and said.startswith("usage:")


@pytest.mark.parametrize("name", FILES)
def test_no_secret_and_the_command_on_top(name: str) -> None:
    text = text_of(name)
    assert not re.search(r"\b[0-9a-f]{32,}\b|AKIA[0-9A-Z]{16}|BEGIN [A-Z ]*PRIVATE KEY", text)
    assert not re.search(r"(?i)(RAY_AUTH_TOKEN|password|secret_key)\s*[:=]\s*['\"]?\w", text)
    header = text[: text.index("\n\n") if name in ("Dockerfile", "slurm.sh") else 1500]
    assert f"cluster/launch/{name}" in header


@pytest.mark.parametrize("name", FILES)
def test_the_docs_have_its_command(name: str) -> None:
    commands = re.findall(r"^#   (\S.*)$", text_of(name), re.M)
    assert len(commands) == 1
    assert commands[0] in (ROOT / "docs" / "cluster.md").read_text()


def test_the_files_are_shipped_with_the_package() -> None:
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        data = tomllib.load(file)["tool"]["setuptools"]["package-data"]["*"]
    assert "launch/*" in data, json.dumps(data)


def text_of(name: str) -> str:
    return (LAUNCH / name).read_text()
