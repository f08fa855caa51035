"""deploy/: what no engine runs here is read and held against the sources; what can run, runs."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time

import pytest
import yaml

from conftest import BUILD, SOURCE, patience

DEPLOY = SOURCE / "deploy"
sys.path.insert(0, str(DEPLOY / "rootfs"))

from archive import RootfsError, Tree, libraries_of, read_cpio  # noqa: E402

PROGRAMS = {"teegate", "teegate-enclave", "teegate-proxy"}
SIDECAR_SETTINGS = {"LISTEN_PORT", "ENCLAVE_CID", "ENCLAVE_PORT", "MAIN_APP_ADDR", "LOG_LEVEL"}
PEER = BUILD / "tests" / "vm" / "tg-vm-peer"


# --- the root file system ---


def small_tree():
    tree = Tree()
    tree.add_bytes("/etc/teegate/environment", b"LOG_LEVEL=debug\n")
    tree.add_bytes("/usr/bin/program", b"\x7fELF", 0o755)
    tree.add_link("/init", "usr/bin/program")
    tree.add_device("/dev/console", "c", 5, 1, 0o600)
    return tree


def test_archive_reads_back_as_what_went_in():
    tree = small_tree()
    assert read_cpio(tree.cpio(1234)) == tree.entries
    assert len(tree.cpio()) % 512 == 0


def test_archive_is_what_cpio_reads():
    listed = subprocess.run(["busybox", "cpio", "-t"], input=small_tree().cpio(), capture_output=True, check=True)
    assert listed.stdout.decode().split() == [path[1:] for path in small_tree().paths()]


def test_archive_puts_folders_before_what_is_in_them():
    paths = small_tree().paths()
    for path in paths:
        parent = os.path.dirname(path)
        assert parent == "/" or paths.index(parent) < paths.index(path)


@pytest.mark.parametrize("path", ["relative", "/a/../b", "//a", "/a/.."])
def test_archive_refuses_a_path_that_is_not_plain(path):
    with pytest.raises(RootfsError):
        Tree().add_bytes(path, b"")


def test_archive_refuses_two_contents_under_one_path():
    tree = small_tree()
    tree.add_link("/init", "usr/bin/program")
    with pytest.raises(RootfsError, match="/init: added twice"):
        tree.add_link("/init", "bin/sh")


def test_archive_follows_links_of_its_sources(tmp_path):
    (tmp_path / "library.so.1.2").write_bytes(b"library")
    (tmp_path / "library.so.1").symlink_to("library.so.1.2")
    tree = Tree()
    tree.add_file("/lib/library.so.1", tmp_path / "library.so.1")
    assert stat.S_ISREG(tree.entries["/lib/library.so.1"].mode)
    assert tree.entries["/lib/library.so.1"].data == b"library"


def test_libraries_of_a_dynamic_and_a_static_program():
    assert any(path.endswith("/libc.so.6") for path in libraries_of("/bin/ls"))
    assert any("/ld-linux" in path for path in libraries_of("/bin/ls"))
    assert libraries_of(str(PEER)) == []


def build_rootfs(*arguments, epoch=None):
    environment = dict(os.environ, **({"SOURCE_DATE_EPOCH": epoch} if epoch else {}))
    return subprocess.run([DEPLOY / "rootfs" / "build", *map(str, arguments)], capture_output=True, text=True,
                          env=environment, timeout=60)  # fmt: skip


def test_rootfs_same_inputs_give_the_same_bytes(tmp_path):
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    for name in ("b.yaml", "a.yaml"):
        (schemas / name).write_text(name)
    archives = []
    for number in (1, 2):
        output = tmp_path / f"{number}.cpio"
        done = build_rootfs("--program", PEER, "--schemas", schemas, "--config", DEPLOY / "nitro/enclave.json",
                            "--output", output, epoch="1700000000")  # fmt: skip
        assert done.returncode == 0, done.stderr
        archives.append(output.read_bytes())
        os.utime(schemas / "a.yaml", (number * 1000, number * 1000))
    assert archives[0] == archives[1]
    entries = read_cpio(archives[0])
    assert entries["/init"].data == b"usr/bin/teegate-enclave"
    assert entries["/etc/teegate/schemas/a.yaml"].data == b"a.yaml"
    assert entries["/etc/teegate/enclave.json"].data == (DEPLOY / "nitro/enclave.json").read_bytes()
    assert entries["/etc/ssl/certs/ca-certificates.crt"].data.count(b"BEGIN CERTIFICATE") > 100
    assert {"/dev", "/proc", "/sys", "/run", "/tmp", "/opt/enclave/certs"} <= entries.keys()
    assert not any(stat.S_IMODE(entry.mode) & 0o6022 for path, entry in entries.items()
                   if not stat.S_ISLNK(entry.mode) and path != "/dev/null")  # fmt: skip


def test_rootfs_manifest_names_every_file(tmp_path):
    output = tmp_path / "rootfs.cpio"
    done = build_rootfs("--program", PEER, "--output", output)
    assert done.returncode == 0, done.stderr
    named = {line.split()[2] for line in (tmp_path / "rootfs.cpio.manifest").read_text().splitlines()}
    entries = read_cpio(output.read_bytes())
    assert named == {path for path, entry in entries.items() if stat.S_ISREG(entry.mode)}


def test_rootfs_folder_holds_what_the_archive_holds(tmp_path):
    assert build_rootfs("--program", PEER, "--output", tmp_path / "a.cpio").returncode == 0
    done = build_rootfs("--program", PEER, "--folder", tmp_path / "rootfs")
    assert done.returncode == 0, done.stderr
    for path, entry in read_cpio((tmp_path / "a.cpio").read_bytes()).items():
        written = tmp_path / "rootfs" / path[1:]
        if stat.S_ISREG(entry.mode):
            assert written.read_bytes() == entry.data
        if not stat.S_ISCHR(entry.mode):
            assert written.lstat().st_mode == entry.mode
    again = build_rootfs("--program", PEER, "--folder", tmp_path / "rootfs")
    assert again.returncode != 0 and "is not empty" in again.stderr


def test_rootfs_refuses_a_library_that_the_list_does_not_have(tmp_path):
    done = build_rootfs("--program", "/usr/bin/curl", "--output", tmp_path / "a.cpio")
    assert done.returncode != 0
    assert "libraries.txt does not list" in done.stderr and "libcurl" in done.stderr
    assert not (tmp_path / "a.cpio").exists()


@pytest.mark.parametrize("epoch", ["soon", "-1", "4294967296", "1.5"])
def test_rootfs_refuses_an_epoch_that_is_no_time(tmp_path, epoch):
    done = build_rootfs("--program", PEER, "--output", tmp_path / "a.cpio", epoch=epoch)
    assert done.returncode != 0 and "SOURCE_DATE_EPOCH" in done.stderr


# --- the launcher of the enclave, with a nitro-cli of the test ---

FAKE_NITRO_CLI = """#!/bin/sh
echo "$@" >>"$STATE/calls"
case $1 in
run-enclave) [ -z "${FAIL_RUN:-}" ] || exit 39; touch "$STATE/running" ;;
terminate-enclave) rm -f "$STATE/running" ;;
describe-enclaves)
    state=TERMINATING
    [ -e "$STATE/running" ] && state=RUNNING
    printf '[\\n  {"EnclaveName": "other", "EnclaveCID": 4, "CPUIDs": [1, 3], "State": "RUNNING", "Flags": "NONE"},\\n'
    printf '  {"EnclaveName": "teegate-16", "EnclaveCID": 16, "CPUIDs": [5, 7], "State": "%s", "Flags": "NONE"}\\n]\\n' $state ;;
esac
"""


@pytest.fixture
def launcher(tmp_path):
    tool = tmp_path / "nitro-cli"
    tool.write_text(FAKE_NITRO_CLI)
    tool.chmod(0o755)
    (tmp_path / "image.eif").touch()
    started = []

    def start(**extra):
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "STATE": str(tmp_path), "EIF_PATH": str(tmp_path / "image.eif"),
                       "POLL_SECONDS": "0.1", "TEST_WITHOUT_DEVICE": "1", **extra}  # fmt: skip
        started.append(subprocess.Popen([DEPLOY / "nitro" / "launch"], env=environment, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start, tmp_path
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + patience(seconds)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_launch_terminates_the_enclave_when_told_to(launcher):
    start, folder = launcher
    process = start(ENCLAVE_MEMORY_MIB="2048")
    wait_for((folder / "running").exists)
    wait_for(lambda: "describe-enclaves" in (folder / "calls").read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(patience(10)) == 0
    assert not (folder / "running").exists()
    calls = (folder / "calls").read_text().splitlines()
    assert calls[0].startswith("run-enclave ") and "--enclave-cid 16" in calls[0] and "--memory 2048" in calls[0]


def test_launch_fails_when_the_enclave_ends_by_itself(launcher):
    start, folder = launcher
    process = start()
    wait_for((folder / "running").exists)
    (folder / "running").unlink()
    assert process.wait(patience(10)) == 1
    assert "CID 16 is no longer running" in process.stderr.read()


def test_launch_fails_when_the_enclave_does_not_start(launcher):
    start, _ = launcher
    assert start(FAIL_RUN="1").wait(patience(10)) == 39
    missing = start(EIF_PATH="/nonexistent.eif")
    assert missing.wait(patience(10)) == 1 and "cannot read /nonexistent.eif" in missing.stderr.read()


# --- container files ---

CONTAINERFILES = sorted(DEPLOY.glob("containers/*.Containerfile")) + [DEPLOY / "nitro/launcher.Containerfile"]


def instructions(path):
    """(instruction, argument) of each line, continued lines joined; comments and blank lines left out."""
    text = re.sub(r"\\\n\s*", "", path.read_text())
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def stages(path):
    found = []
    for instruction, argument in instructions(path):
        if instruction == "FROM":
            found.append((argument, []))
        else:
            assert found, f"{path.name}: {instruction} before FROM"
            found[-1][1].append((instruction, argument))
    return found


def test_containers_one_for_each_program():
    assert {path.stem for path in DEPLOY.glob("containers/*.Containerfile")} == PROGRAMS


@pytest.mark.parametrize("path", CONTAINERFILES, ids=lambda path: path.stem)
def test_containerfile_is_well_formed(path):
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENTRYPOINT", "ARG", "STOPSIGNAL"}
    assert {instruction for instruction, _ in instructions(path)} <= known
    names = []
    for origin, body in stages(path):
        image, _, name = origin.partition(" AS ")
        assert image in ("debian:bookworm-slim", "scratch", "public.ecr.aws/amazonlinux/amazonlinux:2023")
        for _, argument in (line for line in body if line[0] == "COPY"):
            *sources, _ = argument.split()
            if sources[0].startswith("--from="):
                assert sources.pop(0)[len("--from=") :] in names
            else:
                for source in sources:
                    assert source.endswith(".eif") or (SOURCE / source).exists(), source
        names.append(name)
    *_, (_, last) = stages(path)
    (entrypoint,) = [argument for instruction, argument in last if instruction == "ENTRYPOINT"]
    assert len(json.loads(entrypoint)) == 1


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_containerfile_builds_production_and_runs_unprivileged(name):
    path = DEPLOY / "containers" / f"{name}.Containerfile"
    first, *_, (image, last) = stages(path)
    assert any("cmake --preset production" in argument and f"--target {name} " in argument + " " for _, argument in first[1])
    assert ("ENTRYPOINT", f'["/usr/bin/{name}"]') in last
    if image != "scratch":
        assert ("USER", "65532:65532") in last


def test_containerfile_has_the_libraries_of_its_program():
    package_of = {"libc.so.6": None, "libcrypto.so.3": "libssl3", "libgcrypt.so.20": "libgcrypt20",
                  "libgpg-error.so.0": "libgcrypt20", "libjansson.so.4": "libjansson4", "libpcre2-8.so.0": "libpcre2-8-0",
                  "libssl.so.3": "libssl3", "libuv.so.1": "libuv1", "libyaml-0.so.2": "libyaml-0-2"}  # fmt: skip
    for name in ("teegate", "teegate-proxy"):
        headers = subprocess.run(["readelf", "-d", BUILD / name], capture_output=True, text=True, check=True).stdout
        needed = {library for library in re.findall(r"NEEDED.*\[(.*)\]", headers) if not re.match(r"lib[a-z]*san", library)}
        text = (DEPLOY / "containers" / f"{name}.Containerfile").read_text().split("FROM debian:bookworm-slim\n")[1]
        installed = set(re.findall(r"\blib[\w.-]+", text))
        assert {package_of[library] for library in needed - {"ld-linux-x86-64.so.2"}} - {None} <= installed, name


def test_containerfile_runtime_packages_are_those_of_the_build():
    packages = (SOURCE / "script/packages.txt").read_text()
    built_with = set(re.findall(r"^(lib\S+)-dev\s+build", packages, re.MULTILINE))
    runtime = {"libgcrypt20": "libgcrypt20", "libjansson4": "libjansson", "libpcre2-8-0": "libpcre2", "libssl3": "libssl",
               "libuv1": "libuv1", "libyaml-0-2": "libyaml"}  # fmt: skip
    assert set(runtime.values()) <= built_with
    for name in ("teegate", "teegate-proxy"):
        text = (DEPLOY / "containers" / f"{name}.Containerfile").read_text()
        named = set(re.findall(r"\blib[\w.-]+", text.split("FROM debian:bookworm-slim\n")[1]))
        assert named <= runtime.keys()


# --- Kubernetes and ECS ---


def settings_of(program):
    """The variables that its --help lists."""
    text = subprocess.run([BUILD / program, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  ([A-Z][A-Z0-9_]+) +\[", text, re.MULTILINE)) | set(re.findall(r"\b[A-Z_]+_KMS_KEY\b", text))


def kubernetes(name):
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))


def environment_of(container):
    for variable in container["env"]:
        assert isinstance(variable["value"], str), f"{variable['name']}: the API takes text only"
    return {variable["name"]: variable["value"] for variable in container["env"]}


def container_named(pod_spec, name):
    (found,) = [container for container in pod_spec["containers"] if container["name"] == name]
    return found


def pod_specs():
    (pod,) = kubernetes("pod-with-sidecar.yaml")
    (daemon_set,) = kubernetes("enclave-daemonset.yaml")
    return {"pod": pod["spec"], "daemonset": daemon_set["spec"]["template"]["spec"]}


def test_kubernetes_kustomization_names_files_that_exist():
    (kustomization,) = kubernetes("kustomization.yaml")
    files = kustomization["resources"] + [f for g in kustomization["configMapGenerator"] for f in g["files"]]
    for file in files:
        assert (DEPLOY / "kubernetes" / file).exists(), file
    generated = {generator["name"] for generator in kustomization["configMapGenerator"]}
    used = {volume["configMap"]["name"] for volume in pod_specs()["daemonset"]["volumes"] if "configMap" in volume}
    assert used == generated


def test_kubernetes_daemonset_selects_its_own_pods():
    (daemon_set,) = kubernetes("enclave-daemonset.yaml")
    assert daemon_set["spec"]["selector"]["matchLabels"] == daemon_set["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize("name", ["pod", "daemonset"])
def test_kubernetes_pods_are_confined(name):
    spec = pod_specs()[name]
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    for container in spec["containers"] + spec.get("initContainers", []):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"]["drop"] == ["ALL"]
        assert set(context["capabilities"].get("add", [])) <= {"NET_BIND_SERVICE"}
        assert "privileged" not in context
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes
        if container["image"].startswith("teegate-proxy"):
            assert context["readOnlyRootFilesystem"] is True
            assert context["seccompProfile"] == {"type": "Localhost", "localhostProfile": "teegate/teegate-proxy.json"}


def test_kubernetes_profile_is_put_where_pods_look_for_it():
    (init,) = pod_specs()["daemonset"]["initContainers"]
    *_, source, target = init["command"]
    mounts = {mount["mountPath"]: mount["name"] for mount in init["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod_specs()["daemonset"]["volumes"]}
    assert volumes[mounts["/kubelet-seccomp"]]["hostPath"]["path"] == "/var/lib/kubelet/seccomp"
    assert target == "/kubelet-seccomp/teegate/teegate-proxy.json"
    assert os.path.basename(source) == "teegate-proxy.json" and os.path.dirname(source) in mounts


def test_kubernetes_sidecar_ports_probes_and_settings_agree():
    sidecar = container_named(pod_specs()["pod"], "teegate-sidecar")
    environment = environment_of(sidecar)
    assert environment.keys() == SIDECAR_SETTINGS <= settings_of("teegate-proxy")
    ports = {port["name"]: port["containerPort"] for port in sidecar["ports"]}
    assert ports["enclave"] == int(environment["LISTEN_PORT"]) == 8443
    for probe, path in (("livenessProbe", "/live"), ("readinessProbe", "/ready")):
        assert sidecar[probe]["httpGet"] == {"scheme": "HTTPS", "port": "enclave", "path": path}
    application = container_named(pod_specs()["pod"], "app")
    assert environment["MAIN_APP_ADDR"] == f"tcp:127.0.0.1:{application['ports'][0]['containerPort']}"


def test_kubernetes_cid_is_the_same_everywhere():
    cids = {
        environment_of(container_named(pod_specs()["pod"], "teegate-sidecar"))["ENCLAVE_CID"],
        environment_of(container_named(pod_specs()["daemonset"], "launcher"))["ENCLAVE_CID"],
    }
    config = json.loads((DEPLOY / "kubernetes/proxy-config.json").read_text())
    cids |= {str(domain["cid"]) for domain in config["domains"].values()}
    assert cids == {"16"}


def test_kubernetes_proxy_reads_the_mounted_config_and_opens_its_ports():
    proxy = container_named(pod_specs()["daemonset"], "proxy")
    environment = environment_of(proxy)
    assert environment.keys() <= settings_of("teegate-proxy")
    folder, file = os.path.split(environment["PROXY_CONFIG"])
    assert any(mount["mountPath"] == folder for mount in proxy["volumeMounts"])
    config = json.loads((DEPLOY / "kubernetes" / file).read_text())
    assert {port["containerPort"] for port in proxy["ports"]} == {config["ports"]["http"], config["ports"]["https"]}


def test_kubernetes_proxy_is_probed_at_its_admin_address():
    proxy = container_named(pod_specs()["daemonset"], "proxy")
    config = json.loads((DEPLOY / "kubernetes/proxy-config.json").read_text())
    assert pod_specs()["daemonset"]["hostNetwork"] is True
    for probe, path in (("livenessProbe", "/live"), ("readinessProbe", "/ready")):
        asked = proxy[probe]["httpGet"]
        assert config["admin"] == f"tcp:{asked['host']}:{asked['port']}" and asked["path"] == path


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("proxy-config.json")), ids=lambda path: path.parent.name)
def test_proxy_configurations_are_good(path):
    done = subprocess.run(
        [BUILD / "teegate-proxy", "--check-config"], env={"PROXY_CONFIG": str(path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_kubernetes_launcher_settings_are_those_of_the_script():
    launcher = container_named(pod_specs()["daemonset"], "launcher")
    documented = set(re.findall(r"^#   ([A-Z_]+) ", (DEPLOY / "nitro/launch").read_text(), re.MULTILINE))
    assert environment_of(launcher).keys() <= documented


def test_ecs_sidecar_is_the_pods_sidecar():
    task = json.loads((DEPLOY / "ecs/task-definition.json").read_text())
    (sidecar,) = [c for c in task["containerDefinitions"] if c["name"] == "teegate-sidecar"]
    in_pod = container_named(pod_specs()["pod"], "teegate-sidecar")
    assert environment_of({"env": sidecar["environment"]}) == environment_of(in_pod)
    assert [port["containerPort"] for port in sidecar["portMappings"]] == [8443]
    assert sidecar["readonlyRootFilesystem"] is True and sidecar["privileged"] is False
    names = {container["name"] for container in task["containerDefinitions"]}
    for container in task["containerDefinitions"]:
        assert {link["containerName"] for link in container.get("dependsOn", [])} <= names


def test_nitro_config_holds_settings_of_the_enclave():
    settings = json.loads((DEPLOY / "nitro/enclave.json").read_text())
    table = (SOURCE / "src/enclave/enclave_settings.c").read_text()
    for name in settings:
        assert f'{{"{name}"' in table, f"{name} is no setting"


# --- the seccomp profile ---


def seccomp_profile():
    return json.loads((DEPLOY / "kubernetes/seccomp/teegate-proxy.json").read_text())


def test_seccomp_profile_refuses_by_default_and_lists_calls_once():
    profile = seccomp_profile()
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    names = [name for rule in profile["syscalls"] for name in rule["names"] if name != "socket"]
    assert len(names) == len(set(names))
    assert all(rule["action"] == "SCMP_ACT_ALLOW" for rule in profile["syscalls"])
    never = {"ptrace", "mount", "bpf", "kexec_load", "init_module", "finit_module", "process_vm_readv", "userfaultfd",
             "perf_event_open", "keyctl", "unshare", "setns", "pivot_root", "chroot", "io_uring_setup"}  # fmt: skip
    assert not never & set(names)


def test_seccomp_profile_families_are_those_of_our_addresses():
    families = {rule["args"][0]["value"] for rule in seccomp_profile()["syscalls"] if rule["names"] == ["socket"]}
    assert families == {1, 2, 10, 16, 40}  # unix, IPv4, IPv6, netlink, vsock
    for rule in seccomp_profile()["syscalls"]:
        if rule["names"] == ["socket"]:
            assert all(condition["op"] == "SCMP_CMP_EQ" for condition in rule["args"])
