"""Debian's own kernel for the test machines, unpacked and never installed.

The package is the one that linux-image-amd64 depends on today; it is fetched once and kept under build/vm (or
TG_VM_CACHE). Booted is the ELF file inside vmlinuz: a machine under software emulation would spend two seconds of
its start on xz otherwise.
"""

import lzma
import os
import re
import shutil
import subprocess
import tempfile

META_PACKAGE = "linux-image-amd64"
XZ_MAGIC = b"\xfd7zXZ\x00"

# What a machine needs, in the order in which it must be loaded (virtio_ring before virtio).
VSOCK_LOOPBACK = ["vsock", "vmw_vsock_virtio_transport_common", "vsock_loopback"]
VIRTIO_PCI = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"]
VSOCK_GUEST = ["vsock", "vmw_vsock_virtio_transport_common", *VIRTIO_PCI, "vmw_vsock_virtio_transport"]
VSOCK_HOST = ["vsock", "vmw_vsock_virtio_transport_common", "vhost_iotlb", "vhost", "vhost_vsock"]


class KernelError(Exception):
    """The kernel cannot be had; the message says what to do."""


def _run(command, **kwargs):
    result = subprocess.run(command, capture_output=True, text=True, **kwargs)
    if result.returncode != 0:
        said = (result.stderr or result.stdout).strip()
        raise KernelError(f"{' '.join(command)} failed:\n{said}\nHave the package lists been fetched (apt-get update)?")
    return result.stdout


def cache_folder(source_root):
    return os.environ.get("TG_VM_CACHE") or os.path.join(source_root, "build", "vm")


class Kernel:
    def __init__(self, folder):
        self.folder = folder
        self.release = os.path.basename(folder)
        self.image = os.path.join(folder, "vmlinux")
        self._by_name = None

    def module(self, name):
        """The path of a module by its name, as the kernel spells it (underscores)."""
        if self._by_name is None:
            self._by_name = {}
            for where, _, files in os.walk(os.path.join(self.folder, "modules")):
                for file in files:
                    if file.endswith(".ko"):
                        self._by_name[file[:-3].replace("-", "_")] = os.path.join(where, file)
        if name not in self._by_name:
            raise KernelError(f"{self.release} has no module {name}")
        return self._by_name[name]


def find_kernel(source_root, refresh=False):
    """The cached kernel; fetched first where there is none, or a newer one where REFRESH is asked for."""
    cache = cache_folder(source_root)
    pointer = os.path.join(cache, "kernel")
    if not refresh and os.path.exists(os.path.join(pointer, "vmlinux")):
        return Kernel(os.path.realpath(pointer))
    depends = _run(["apt-cache", "depends", META_PACKAGE], env={**os.environ, "LC_ALL": "C"})
    match = re.search(r"Depends: (linux-image-(\S+))", depends)
    if match is None:
        raise KernelError(f"{META_PACKAGE} depends on no kernel: is this Debian 12 for amd64, with its package lists?")
    package, release = match.groups()
    folder = os.path.join(cache, release)
    os.makedirs(cache, exist_ok=True)
    if not os.path.exists(os.path.join(folder, "vmlinux")):
        with tempfile.TemporaryDirectory(dir=cache) as work:
            _run(["apt-get", "download", "-qq", package], cwd=work)
            (deb,) = [file for file in os.listdir(work) if file.endswith(".deb")]
            _run(["dpkg", "-x", deb, "x"], cwd=work)
            _unpack(os.path.join(work, "x"), release, folder)
    if os.path.islink(pointer):
        os.unlink(pointer)
    os.symlink(release, pointer)
    return Kernel(folder)


def _unpack(root, release, folder):
    with open(os.path.join(root, "boot", f"vmlinuz-{release}"), "rb") as file:
        packed = file.read()
    start = packed.find(XZ_MAGIC)
    image = lzma.LZMADecompressor().decompress(packed[start:]) if start >= 0 else b""
    if not image.startswith(b"\x7fELF"):
        raise KernelError(f"vmlinuz-{release} holds no ELF kernel packed with xz")
    partial = folder + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    kernel_modules = os.path.join(root, "lib", "modules", release, "kernel")
    for part in ("drivers/virtio", "drivers/vhost", "net/vmw_vsock", "drivers/char/hw_random"):
        shutil.copytree(os.path.join(kernel_modules, part), os.path.join(partial, "modules", part))
    with open(os.path.join(partial, "vmlinux"), "wb") as file:
        file.write(image)
    os.rename(partial, folder)
