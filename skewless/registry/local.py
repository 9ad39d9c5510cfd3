"""The object store in a local folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skewless.errors import StoreUnreachable, UsageError
from skewless.registry.store import AlreadyThere, Moved, Stored, checked_object_name

#: Own files begin with a dot, which no object's name may.
_STAGING = ".staging"
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Objects as files below a folder, on a file system with hard links and `flock`.

    Attributes:
        root: The folder; it is made by the first write.
    """

    root: Path

    def read(self, name: str) -> Stored | None:
        """The object of that name; None when there is none."""
        with _explained("read", name):
            return _read(self._path(name))

    def create(self, name: str, body: bytes) -> str:
        """Create an object and return its etag.

        Raises:
            AlreadyThere: An object of that name exists.
        """
        path = self._path(name)
        with _explained("create", name), self._staged(body) as staged:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(staged, path)  # whole or not at all, and never over another one
            except FileExistsError:
                raise AlreadyThere(name) from None
            self._settle(path.parent)
        return _etag(body)

    def swap(self, name: str, body: bytes, *, expected_etag: str) -> str:
        """Replace an object that is still what it was, and return the new etag.

        Raises:
            Moved: It is another one by now, or gone.
        """
        path = self._path(name)
        with _explained("replace", name), self._staged(body) as staged, self._locked():
            standing = _read(path)
            if standing is None or standing.etag != expected_etag:
                raise Moved(name)
            staged.replace(path)
            self._settle(path.parent)
        return _etag(body)

    def list(self, prefix: str) -> tuple[str, ...]:
        """The names that begin with `prefix`, sorted."""
        with _explained("list", prefix):
            files = (path for path in self.root.rglob("*") if path.is_file())
            names = (path.relative_to(self.root).as_posix() for path in files)
            return tuple(sorted(name for name in names if name.startswith(prefix) and not name.startswith(".")))

    def delete(self, name: str) -> None:
        """Remove an object; nothing happens when there is none."""
        path = self._path(name)
        if self.read(name) is None:
            return
        with _explained("delete", name), self._locked():
            path.unlink(missing_ok=True)
            self._settle(path.parent)

    def _path(self, name: str) -> Path:
        path = self.root / checked_object_name(name)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise UsageError(f"'{name}' leads out of {self.root} through a link. Remove the link.")
        return path

    @contextmanager
    def _staged(self, body: bytes) -> Iterator[Path]:
        folder = self.root / _STAGING
        folder.mkdir(parents=True, exist_ok=True)
        staged = folder / secrets.token_hex(16)
        try:
            with staged.open("xb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            yield staged
        finally:
            staged.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.root / _LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # per open file: threads of one process exclude each other, too
            yield

    def _settle(self, folder: Path) -> None:
        """Make new directory entries outlive a power cut, from the object's folder up to the root."""
        for one in (folder, *folder.parents):
            descriptor = os.open(one, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if one == self.root:
                return


def _etag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _read(path: Path) -> Stored | None:
    with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
        body = path.read_bytes()
        return Stored(body, _etag(body))
    return None


@contextmanager
def _explained(what: str, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"Could not {what} '{name}' in the registry: {error}. Check the disk and its permissions; then again."
        raise StoreUnreachable(message) from error
