"""Container images without a registry: the node's, with the control plane inside, and the bases of the project's.

Every image's tag is the hash of what it is made of, so what docker has already is left alone. Kubernetes' own carry
the version, as kubeadm asks for them.
"""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind import roots
from vipa_lab.kind.engine import Engine, program
from vipa_lab.kind.places import CHECKOUT, RECIPE, cache_folder
from vipa_lab.kind.programs import CONTROL_PLANE, ON_NODES
from vipa_lab.kind.steps import logged, step

# A name of its own, so that it is never looked for in a registry.
REPOSITORY: Final = "kind.vipa.dev"
_PATH: Final = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BUILD_S: Final = 600.0


def node(engine: Engine, kubernetes: Path) -> str:
    """The node image, made if docker has not got it. ``kubernetes``: the folder with the programs."""
    image = f"{REPOSITORY}/node:{_key(kubernetes)}"
    if engine.has("image", image):
        return image
    version = _version(kubernetes / "kubeadm")
    for root in (roots.NODE, roots.PROXY):
        _import(engine, root)
    with step(f"node image, Kubernetes {version}"), _folder() as folder:
        for name in ("bin", "images"):
            (folder / name).mkdir()
        for name in ON_NODES:
            os.link(kubernetes / name, folder / "bin" / name)
        _control_plane(engine, kubernetes, version, folder / "images/control-plane.tar")
        _every_node(engine, kubernetes, version, folder / "images/node.tar")
        for file in (RECIPE / "node").iterdir():
            shutil.copy2(file, folder)
        toml = folder / "containerd.toml"
        toml.write_text(toml.read_text().replace("REPOSITORY", REPOSITORY))
        (folder / "version").write_text(version)
        argument = f"ROOT={_name(roots.NODE)}"
        logged("node-image", [program(), "build", "-t", image, "--build-arg", argument, folder], engine.environment)
    return image


def bases(engine: Engine) -> tuple[str, str]:
    """The project image's base, with Python and libnftables; and where it is built, with pip and wheels that pip takes
    instead of asking an index."""
    _import(engine, roots.BASE)
    lock = (CHECKOUT / "requirements-image.lock").read_bytes()
    build = f"{REPOSITORY}/build-base:{roots.BUILD_BASE.key}-{hashlib.sha256(lock).hexdigest()[:12]}"
    if engine.has("image", build):
        return _name(roots.BASE), build
    _import(engine, roots.BUILD_BASE)
    wheels = roots.wheels()
    with step("where the project's image is built"), _folder() as folder:
        (folder / "wheels").mkdir()
        for wheel in wheels.iterdir():
            shutil.copy2(wheel, folder / "wheels")
        (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        text = f"FROM {_name(roots.BUILD_BASE)}\nCOPY wheels /wheels\nCOPY pip.conf /etc/\n"
        (folder / "Dockerfile").write_text(text)
        logged("base-image", [program(), "build", "-t", build, folder], engine.environment)
    return _name(roots.BASE), build


def project(engine: Engine, image: str, base_images: tuple[str, str] | None = None) -> None:
    """The project's own, by its Dockerfile; ``base_images`` None is the Dockerfile's."""
    arguments: list[str] = []
    if base_images:
        arguments = ["--build-arg", f"BASE={base_images[0]}", "--build-arg", f"BUILD_BASE={base_images[1]}"]
    with step(f"image {image}, by the Dockerfile"):
        # The machine's network: a dockerd of ours has none for containers.
        words: list[str | Path] = [program(), "build", "--network", "host", "-t", image, *arguments, CHECKOUT]
        logged("project-image", words, engine.environment)


def forget_old(engine: Engine, keep: Sequence[str]) -> None:
    """Node images other than those of ``keep``, and what builds of another day left without a name."""
    for image in engine.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{REPOSITORY}/node").split():
        if image not in keep:
            engine.run("image", "rm", image)
    engine.run("image", "prune", "--force", "--filter", "until=24h", timeout_s=_BUILD_S)


def _control_plane(engine: Engine, kubernetes: Path, version: str, tar: Path) -> None:
    """One static program per image and nothing else, as static pods of kubeadm want them."""
    images = []
    for name in CONTROL_PLANE:
        image = f"{REPOSITORY}/{name}:{'1' if name == 'etcd' else version}"
        _import_tar(engine, image, [(kubernetes / name, f"usr/local/bin/{name}")])
        images.append(image)
    engine.run("save", "-o", str(tar), *images, timeout_s=_BUILD_S)


def _every_node(engine: Engine, kubernetes: Path, version: str, tar: Path) -> None:
    """kube-proxy, and the pause image below every pod."""
    pause, proxy = f"{REPOSITORY}/pause:1", f"{REPOSITORY}/kube-proxy:{version}"
    with _folder() as folder:
        os.link(kubernetes / "kube-proxy", folder / "kube-proxy")
        for image, text in (
            (pause, f'FROM {_name(roots.PROXY)}\nCMD ["sleep", "infinity"]\n'),
            (proxy, f"FROM {pause}\nCOPY kube-proxy /usr/local/bin/\n"),
        ):
            (folder / "Dockerfile").write_text(text)
            engine.run("build", "-q", "-t", image, str(folder), timeout_s=_BUILD_S)
    engine.run("save", "-o", str(tar), pause, proxy, timeout_s=_BUILD_S)


def _import(engine: Engine, root: roots.Root) -> None:
    if not engine.has("image", _name(root)):
        tar = roots.make(root)
        with step(f"image of root file system {root.name}"):
            engine.run("import", "-c", _PATH, str(tar), _name(root), timeout_s=_BUILD_S)


def _import_tar(engine: Engine, image: str, files: list[tuple[Path, str]]) -> None:
    """An image of these files: (here, in the image)."""
    with _folder() as folder:
        path = folder / "image.tar"
        with tarfile.open(path, "w") as tar:
            for here, there in files:
                info = tar.gettarinfo(here, there)
                info.uid = info.gid = 0
                info.uname = info.gname = ""
                with here.open("rb") as content:
                    tar.addfile(info, content)
        engine.run("import", "-c", _PATH, str(path), image, timeout_s=_BUILD_S)


def _name(root: roots.Root) -> str:
    return f"{REPOSITORY}/root-{root.name}:{root.key}"


def _key(kubernetes: Path) -> str:
    """Of everything that is in the node image; the programs' folder is named by what they are made of."""
    content = io.BytesIO()
    for path in sorted((RECIPE / "node").iterdir()):
        content.write(path.name.encode() + path.read_bytes())
    for text in (str(kubernetes), roots.NODE.key, roots.PROXY.key, Path(__file__).read_text()):
        content.write(text.encode())
    return hashlib.sha256(content.getvalue()).hexdigest()[:16]


def _version(kubeadm: Path) -> str:
    done = subprocess.run([kubeadm, "version", "-o", "short"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{kubeadm} does not run: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def _folder() -> Iterator[Path]:
    """For what docker is to read; beside the programs, so that they can be linked instead of copied."""
    top = cache_folder().parent / "kind-context"
    top.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=top) as folder:
        yield Path(folder)
