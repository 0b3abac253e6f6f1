#!/usr/bin/env python3
"""Calculon's search beside danlu's, and the best plan of each in the model of the other.

    CALCULON=CHECKOUT tests/bench/calculon.py DANLU CASE [--keep FOLDER]

CHECKOUT is one of github.com/calculon-ai/calculon (the figures in the documents are of caa4b11), which
needs numpy, pandas and psutil. Without it nothing is compared, which is said. Cases:

    64-plain     GPT-3 175B on 64 A100, batch 64, nothing hidden: minutes
    64           the same with overlaps: twenty minutes
    512-plain    GPT-3 175B on 512 A100, batch 512, nothing hidden: minutes

Calculon's `llm-optimal-execution` runs in one process with its own models/ and systems/, its search made
smaller by what it offers for that alone: a second memory of 0 GiB in the system (danlu's search does not
vary offloading), `--mbs-break`, and where nothing is hidden `--no-tp-overlap --no-dp-overlap`. With
`--fused_activation false` the input of the GeLU is kept, as in its own validation files and in danlu.
danlu's choices are those of tests/bench/calculon/. Both times are processor time of the whole command.

    plans of Calculon    executions that it looked at, most of which it refuses early
    plans of danlu       plans that can run, most of which are left out by memory or bound

Each of Calculon's best becomes a scenario, danlu's best an execution, memory made so large that no model
refuses the other's plan; whether it fits stands beside it. What has no counterpart:

    Calculon                      danlu
    tensor_par_overlap: ring      overlap.tensor: full, in that of 2, 4 and 8 pieces that is fastest
    tensor_par_overlap: pipe      the same
    seq_par_ag_redo: false        gathers again, as Megatron-LM does
    none                          overlap.tensor: backward
    networks of the groups        tensor ranks, then data, then pipeline, from the node on upwards;
                                  of danlu's plan Calculon's fastest networks are taken
    tensor_par_comm_type: ar      sequence: false; p2p_rs_ag, which only Calculon's search has: scatter_gather
                                  as well
"""

import argparse
import itertools
import json
import os
import pathlib
import re
import resource
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
GIB = 2.0**30
SHOWN = 100  # best executions that Calculon gives
PIECES = (2, 4, 8)

PLAIN = ["parallelism.overlap.tensor=none", "search.parallelism.overlap.tensor=none",
         "search.parallelism.overlap.data=false"]
NOTHING_HIDDEN = ["--no-tp-overlap", "--no-dp-overlap"]
# Scenario, what is set over it, GPUs, batch, options of Calculon; the best step by danlu, by Calculon.
CASES = {
    "64-plain": ("gpt3-175b-a100.yaml", PLAIN, 64, 64, NOTHING_HIDDEN, 13.082, 11.411),
    "64": ("gpt3-175b-a100.yaml", [], 64, 64, [], 12.722, 9.891),
    "512-plain": ("gpt3-175b-a100.yaml",
                  [*PLAIN, "cluster.gpus=512", "training.global_batch=512"], 512, 512,
                  NOTHING_HIDDEN, 13.353, 11.827),
}
RECOMPUTE = {"full": "full", "attn_only": "selective", "none": "none"}
EXECUTION = {  # what no plan says
    "datatype": "float16", "fused_activation": False, "attention_type": "multihead",
    "weight_offload": False, "activations_offload": False, "optimizer_offload": False,
    "training": True}


def processor_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command, **options):
    """What it printed, and its processor time, that of its children included."""
    before = processor_time()
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr, done.stdout, processor_time() - before


class Calculon:
    def __init__(self, checkout, folder):
        self.checkout = checkout
        self.folder = folder
        self.model = checkout / "models/gpt3-175B.json"
        system = json.loads((checkout / "systems/a100_80g.json").read_text())
        system["mem2"]["GiB"] = 0
        self.system = self.written("system.json", system)
        self.capacity = system["mem1"]["GiB"]
        system["mem1"]["GiB"] = 1 << 20
        self.without_limit = self.written("without_limit.json", system)
        self.networks = range(len(system["networks"]))

    def written(self, name, value):
        path = self.folder / name
        path.write_text(json.dumps(value))
        return path

    def command(self, *arguments):
        return ["/usr/bin/env", f"PYTHONPATH={self.checkout}", sys.executable,
                str(self.checkout / "bin/calculon"), *map(str, arguments)]

    def search(self, gpus, batch, options):
        """Its best executions, how many it looked at, processor time."""
        out = self.folder / "calculon.json"
        said, _, time = timed(self.command(
            "llm-optimal-execution", self.model, gpus, batch, "float16", self.system, out,
            "--cpus", 1, "--mbs-break", "--fused_activation", "false", "--top-n", SHOWN, *options))
        looked_at = int(re.search(r"Total executions: (\d+)", said)[1])
        return list(json.loads(out.read_text()).values()), looked_at, time

    def says(self, execution):
        """Step and memory; none where a network cannot carry it."""
        out = self.folder / "stats.json"
        out.unlink(missing_ok=True)
        subprocess.run(
            self.command("llm", self.model, self.written("execution.json", execution),
                         self.without_limit, out), capture_output=True, text=True)
        if not out.exists():
            return None
        stats = json.loads(out.read_text())
        return stats["total_time"], stats["proc_mem_tier1_cap_req"] / GIB


class Danlu:
    def __init__(self, program, scenario, overrides):
        self.program = program
        self.scenario = HERE / "calculon" / scenario
        self.overrides = overrides

    def command(self, what, settings, *arguments):
        sets = itertools.chain.from_iterable(("--set", one) for one in settings)
        return [str(self.program), what, str(self.scenario), *arguments, *sets]

    def search(self):
        """Settings of the best plan, how many can run, processor time."""
        _, found, time = timed(self.command("search", self.overrides, "--json"), cwd=ROOT)
        search = json.loads(found)
        settings = shlex.split(search["best"][0]["options"])[1::2]
        return settings, search["plans"]["can_run"], time

    def says(self, settings):
        """Step, memory, and what is free of it beside the reserve."""
        done = subprocess.run(self.command("run", settings, "--json", "--no-advice"),
                              capture_output=True, text=True, cwd=ROOT)
        if done.returncode not in (0, 1) or not done.stdout:
            return None
        run = json.loads(done.stdout)
        memory = run["memory"]
        free = memory["capacity_bytes"] - memory["reserve_bytes"] - memory["peak_bytes"]
        return run["step"]["time_s"], memory["peak_bytes"] / GIB, free >= 0

    def keys(self, settings):
        """Every key of the scenario with its value, as danlu show has them, derived ones commented."""
        _, shown, _ = timed(self.command("show", settings), cwd=ROOT)
        keys, path = {}, []
        for line in shown.splitlines():
            if found := re.match(r"(?:# )?( *)(\w+): *([^#]*)", line):
                depth = len(found[1]) // 2
                path = [*path[:depth], found[2]]
                keys[".".join(path)] = found[3].strip()
        return keys


def on_best_pieces(danlu, execution):
    settings = settings_of(execution, danlu.overrides)
    if execution["tensor_par_overlap"] == "none":
        return danlu.says(settings)
    said = [danlu.says([*settings, f"parallelism.overlap.chunks={pieces}"]) for pieces in PIECES]
    return min((one for one in said if one), default=None)


def settings_of(execution, overrides):
    """Calculon's plan for danlu."""
    tensor = execution["tensor_par"]
    kind = execution["tensor_par_comm_type"]
    hides = execution["tensor_par_overlap"] != "none"
    say = {
        "parallelism.tensor": tensor,
        "parallelism.pipeline": execution["pipeline_par"],
        "parallelism.data": execution["data_par"],
        "parallelism.sequence": kind == "rs_ag" and tensor > 1,
        "parallelism.scatter_gather": kind == "p2p_rs_ag" and tensor > 1,
        "parallelism.zero": int(execution["optimizer_sharding"]),
        "parallelism.overlap.tensor": "full" if hides else "none",
        "parallelism.overlap.data": execution["data_par_overlap"],
        "training.micro_batch": execution["microbatch_size"],
        "training.recompute": RECOMPUTE[execution["activation_recompute"]],
        "training.schedule.chunks": execution["pipeline_interleaving"],
    }
    kept = [one for one in overrides
            if not one.startswith("search.") and one.split("=")[0] not in say]
    return kept + [f"{key}={str(value).lower()}" for key, value in say.items()]


def execution_of(keys):
    """danlu's plan for Calculon, networks left out."""
    number = {key: int(keys[key]) for key in (
        "cluster.gpus", "parallelism.tensor", "parallelism.pipeline", "parallelism.zero",
        "training.global_batch", "training.micro_batch", "training.schedule.chunks")}
    tensor = number["parallelism.tensor"]
    data = int(keys["parallelism.data"])
    recompute = {danlu: calculon for calculon, danlu in RECOMPUTE.items()}[keys["training.recompute"]]
    sequence = keys["parallelism.sequence"] == "true"
    scatters = keys["parallelism.scatter_gather"] == "true"
    return {
        **EXECUTION,
        "num_procs": number["cluster.gpus"],
        "tensor_par": tensor,
        "pipeline_par": number["parallelism.pipeline"],
        "data_par": data,
        "batch_size": number["training.global_batch"],
        "microbatch_size": number["training.micro_batch"],
        "activation_recompute": recompute,
        "pipeline_interleaving": number["training.schedule.chunks"],
        "optimizer_sharding": number["parallelism.zero"] > 0 and data > 1,
        "tensor_par_comm_type": "rs_ag" if sequence else "p2p_rs_ag" if scatters else "ar",
        "tensor_par_overlap":
            "ring" if keys["parallelism.overlap.tensor"] == "full" and tensor > 1 else "none",
        "seq_par_ag_redo": sequence and recompute != "full",
        "data_par_overlap": keys["parallelism.overlap.data"] == "true" and data > 1,
    }


def on_fastest_networks(calculon, execution):
    best = None
    for nets in itertools.product(calculon.networks, repeat=3):
        tried = {**execution, **dict(zip(
            ("tensor_par_net", "pipeline_par_net", "data_par_net"), nets))}
        said = calculon.says(tried)
        best = min((said, best) if said and best else (said or best,), default=None)
    return best


def name_of(execution):
    words = [f"{key[0]}{execution[key]}" for key in ("tensor_par", "pipeline_par", "data_par")]
    words.append(f"microbatch {execution['microbatch_size']}")
    words.append(f"{execution['pipeline_interleaving']} chunks")
    words.append(f"recompute {RECOMPUTE[execution['activation_recompute']]}")
    words += ["sharded"] if execution["optimizer_sharding"] else []
    words += ["tensor hidden"] if execution["tensor_par_overlap"] != "none" else []
    words += ["data hidden"] if execution["data_par_overlap"] else []
    return " ".join(words)


def cells(step, memory, fits):
    return f"{step:7.3f} s {memory:6.1f} GiB{'' if fits else ' no fit':7}"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("danlu", type=pathlib.Path)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER",
                        help="where the inputs and results of Calculon stay")
    arguments = parser.parse_args()
    checkout = os.environ.get("CALCULON")
    if not checkout:
        print("Calculon: skipped, CALCULON names no checkout")
        return 0
    checkout = pathlib.Path(checkout).resolve()
    if not (checkout / "bin/calculon").is_file():
        print(f"Calculon: {checkout} has no bin/calculon", file=sys.stderr)
        return 2
    scenario, overrides, gpus, batch, options, expected, calculons = CASES[arguments.case]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or pathlib.Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        calculon = Calculon(checkout, folder)
        danlu = Danlu(arguments.danlu.resolve(), scenario, overrides)
        own, can_run, own_time = danlu.search()
        theirs, looked_at, their_time = calculon.search(gpus, batch, options)

        print(f"{arguments.case}: GPT-3 175B on {gpus} A100, batch {batch}\n")
        print(f"{'search':10}{'plans':>10}{'processor':>12}{'plans/s':>10}")
        for name, plans, time in (("danlu", can_run, own_time), ("Calculon", looked_at, their_time)):
            print(f"{name:10}{plans:10,}{time:10.1f} s{plans / time:10,.0f}")
        print(f"\n{'':4}{'by danlu':28}{'by Calculon':28}")

        own_says = danlu.says(own)
        execution = execution_of(danlu.keys(own))
        their_word = on_fastest_networks(calculon, execution)
        rows = [("danlu's best", own_says, their_word, name_of(execution))]
        fits_too = None
        for place, best in enumerate(theirs, 1):
            said = on_best_pieces(danlu, best["execution"])
            word = calculon.says(best["execution"])
            if place == 1:
                rows.append(("Calculon's best", said, word, name_of(best["execution"])))
            if said and said[2]:
                fits_too = place
                if place > 1:
                    rows.append((f"Calculon's {place}., the first that danlu fits too", said, word,
                                 name_of(best["execution"])))
                break
        for name, ours, word, plan in rows:
            print(f"{name}: {plan}")
            print(f"{'':4}{cells(*ours) if ours else 'cannot run':28}"
                  f"{cells(*word, word[1] <= calculon.capacity) if word else 'cannot run':28}")
        if fits_too is None:
            print(f"None of Calculon's {len(theirs)} best fits by danlu.")

        failed = 0
        for name, found, wanted in (("danlu", own_says[0], expected),
                                    ("Calculon", theirs[0]["stats"]["total_time"], calculons)):
            if wanted is not None and abs(found / wanted - 1) > 1e-3:
                print(f"WRONG: expected a best step of {wanted} s by {name}, found {found:.4f}")
                failed = 1
        return failed


if __name__ == "__main__":
    sys.exit(main())
