"""The program of an earlier commit, built beside this one."""
import shutil
import subprocess

from measure import Missing


def program(lab):
    """Of `lab.before`: built once, in BUILD/before/COMMIT."""
    if not lab.before:
        raise Missing("name a commit of before: --before COMMIT")
    commit = git(lab, "rev-parse", "--verify", "--quiet", f"{lab.before}^{{commit}}").decode().strip()
    tree = lab.build / "before" / commit[:12]
    built = tree / "build" / "gantry"
    if not built.exists():
        build(lab, commit, tree)
    return str(built)


def git(lab, *arguments):
    done = subprocess.run(["git", *arguments], cwd=lab.source, capture_output=True)
    if done.returncode != 0:
        raise Missing(f"git {arguments[0]}: {lab.before} is no commit of this repository")
    return done.stdout


def build(lab, commit, tree):
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", tree], input=git(lab, "archive", commit), check=True)
    shutil.copytree(lab.source / "console" / "node_modules", tree / "console" / "node_modules", symlinks=True)
    lab.note(f"building the program of {lab.before}")
    log = tree / "build.log"
    with open(log, "w") as out:
        for command in (["cmake", "--preset", "release", "-Wno-dev"], ["cmake", "--build", "build", "--target", "gantry"]):
            if subprocess.run(command, cwd=tree, stdout=out, stderr=out).returncode != 0:
                raise Missing(f"the program of {lab.before} doesn't build: see {log}")
