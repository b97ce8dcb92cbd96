import json

from kernels import build


def test_a_kernelspec_points_at_its_own_python(tmp_path):
    build.write_kernelspec(build.HERE / "pytorch", tmp_path / "env", tmp_path / "jupyter")
    spec = json.loads((tmp_path / "jupyter/kernels/pytorch/kernel.json").read_text())
    assert spec["argv"][0] == str(tmp_path / "env/bin/python")
    assert "{connection_file}" in spec["argv"] and spec["display_name"] == "PyTorch"


def test_the_fingerprint_follows_content_and_names_and_not_caches(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("1")
    before = build.fingerprint(package)
    (package / "__pycache__").mkdir()
    (package / "__pycache__/a.pyc").write_text("x")
    assert build.fingerprint(package) == before
    (package / "a.py").write_text("2")
    changed = build.fingerprint(package)
    (package / "a.py").rename(package / "b.py")
    assert len({before, changed, build.fingerprint(package)}) == 3


def test_every_kernel_is_locked_with_hashes():
    assert build.names() == ["pytorch"]
    for name in build.names():
        lock = (build.HERE / name / "requirements.lock").read_text()
        assert "--hash=sha256:" in lock and "ipykernel==" in lock
