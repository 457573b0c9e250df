"""The recipes as the programs that they are for see them, as far as those can be had."""

import re
import subprocess
from pathlib import Path

import click
import kubernetes_validate
import pytest
import yaml

from sr_keras.cli import main

RECIPES = Path(__file__).parents[2] / "recipes"
TEXTS = {path: path.read_text() for path in RECIPES.rglob("*.*")}


def test_the_job_for_kubernetes_follows_its_api():
    job = yaml.safe_load(TEXTS[RECIPES / "kubernetes" / "cohort.yaml"])
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    assert job["spec"]["completionMode"] == "Indexed"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert f'/{job["spec"]["completions"]}"' in container["args"][0]
    # The validator does look: a misspelt field is refused.
    job["spec"]["completionmode"] = job["spec"].pop("completionMode")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)


def test_the_shell_of_the_pod_makes_parts_from_indices():
    job = yaml.safe_load(TEXTS[RECIPES / "kubernetes" / "cohort.yaml"])
    (script,) = job["spec"]["template"]["spec"]["containers"][0]["args"]
    shown = script.replace("exec sr-keras", "echo")
    run = subprocess.run(["/bin/sh", "-c", shown], env={"JOB_COMPLETION_INDEX": "15"}, capture_output=True, text=True)
    assert " --part 16/16 " in run.stdout


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_recipes_use_options_that_there_are(path):
    known = {option for parameter in main.commands["bids"].params for option in parameter.opts}
    known |= {option for parameter in main.params for option in parameter.opts}
    assert isinstance(main.commands["bids"], click.Command)
    (command, *_) = re.findall(
        r"sr-keras bids [^\n]*participant.*?(?:\"\$\{@|resources:|\"\"\")", TEXTS[path], re.DOTALL
    )
    used = re.findall(r"(?<=\s)--[a-z-]+", command)
    assert "--part" in used
    assert set(used) <= known


def test_the_shell_of_the_slurm_recipe_is_well_formed():
    subprocess.run(["bash", "-n", str(RECIPES / "slurm" / "cohort.sbatch")], check=True)


def test_a_parser_of_nextflow_reads_its_recipe(tmp_path):
    reftrace = pytest.importorskip("reftrace", reason="it has no wheel for this system")
    text = TEXTS[RECIPES / "nextflow" / "main.nf"]
    recipe = reftrace.Module.from_file(str(RECIPES / "nextflow" / "main.nf"))
    assert recipe.dsl_version == 2
    assert [each.name for each in recipe.params] == re.findall(r"(?<=\nparams\.)[a-z]+", text)
    one, group = recipe.processes
    assert (one.name, group.name) == ("SUPER_RESOLVE", "GROUP")
    assert one.first_cpus.num == 4
    assert one.first_memory.memory_gb == 8
    assert (one.first_error_strategy.strategy, one.first_max_retries.num) == ("retry", 3)
    assert one.unknowns == group.unknowns == []
    # The parser does look: an unknown directive is told, and a bracket that is missing refused.
    (tmp_path / "misspelt.nf").write_text(text.replace("cpus 4", "cpu 4"))
    assert len(reftrace.Module.from_file(str(tmp_path / "misspelt.nf")).processes[0].unknowns) == 1
    (tmp_path / "torn.nf").write_text(text.replace("workflow {", "workflow"))
    assert isinstance(reftrace.Module.from_file(str(tmp_path / "torn.nf")), reftrace.ParseError)
