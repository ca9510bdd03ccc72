#!/usr/bin/env python3
"""Makes a service with `gantry new service` in a copy of the sources, compiles it as the build compiles the tracker, runs its test, and
holds the copy against the structure checks. run.py GANTRY BUILD_DIR"""
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
NAME = "sample"


def copy_sources(to):
    listed = subprocess.run(["git", "-C", SOURCE, "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        paths = listed.stdout.splitlines()
    else:  # an unpacked archive
        skipped = {"build", "build-asan", "build-tsan", "node_modules", "data", ".git"}
        paths = [str(p.relative_to(SOURCE)) for p in SOURCE.rglob("*") if p.is_file() and not skipped & set(p.relative_to(SOURCE).parts)]
    for path in paths:
        if (SOURCE / path).is_file():
            (to / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SOURCE / path, to / path)


def run(command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))[:2000]}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def compile_like(build, model, tree, source, out):
    """Compiles a file of the copy with the flags of one of the build's files."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if pathlib.Path(entry["file"]) == SOURCE / model:
            flags = shlex.split(entry["command"])
            break
    else:
        raise SystemExit(f"{model} is not in the build")
    kept, skip = [], False
    for flag in flags:
        if skip:
            skip = False
        elif flag in ("-o", "-c", "-MT", "-MF"):
            skip = True
        elif flag != "-MD":
            kept.append(f"-I{tree}" if flag == f"-I{SOURCE}" else flag)
    run(kept + ["-c", tree / source, "-o", out], cwd=entry["directory"])
    return out


def link_like(build, model, objects, out):
    """Links objects in place of the model's own, with the libraries of the model's test."""
    last = run(["ninja", "-C", build, "-t", "commands", f"service_{model}_test"]).splitlines()[-1]
    parts = [p for p in shlex.split(last) if p not in (":", "&&")]
    own = f"services/{model}/"
    kept, skip = [], False
    for part in parts:
        if skip:
            skip = False
        elif part == "-o":
            skip = True
        elif not part.startswith(own) or not part.endswith((".o", ".a")):
            kept.append(part)
    run(kept[:1] + [str(o) for o in objects] + kept[1:] + ["-o", str(out)], cwd=build)


def main():
    gantry, build = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory(prefix="gantry-new-") as place:
        tree = pathlib.Path(place) / "tree"
        copy_sources(tree)
        said = run([gantry, "new", "service", NAME], cwd=tree / "docs")
        assert f"made     services/{NAME}/{NAME}.cpp" in said, said
        again = subprocess.run([gantry, "new", "service", NAME], cwd=tree, capture_output=True, text=True)
        assert again.returncode == 1 and "is there already" in again.stderr, again
        run([sys.executable, tree / "tools/tidy.py", "--root", tree, "--update"])  # its error codes join the list
        print(run([sys.executable, tree / "tools/tidy.py", "--root", tree]).strip())
        folder = f"services/{NAME}"
        objects = [compile_like(build, "services/tracker/tracker.cpp", tree, f"{folder}/{NAME}.cpp", f"{place}/{NAME}.o"),
                   compile_like(build, "services/tracker/runs_test.cpp", tree, f"{folder}/{NAME}_test.cpp", f"{place}/{NAME}_test.o")]
        compile_like(build, "app/services.cpp", tree, "app/services.cpp", f"{place}/services.o")
        link_like(build, "tracker", objects, f"{place}/{NAME}_test")
        print(run([f"{place}/{NAME}_test"]).splitlines()[-1])


if __name__ == "__main__":
    main()
