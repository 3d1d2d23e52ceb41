"""Places where a run is kept: local paths (NFS too), and URIs of pyarrow's file systems.

A local place is a `Path`, and stays with the system's own calls. A URI such as `s3://bucket/run`
is a `RemotePath`, which has the few of its methods that a run needs: objects are written whole,
never in part and never appended to. Credentials come from the environment, and never stand in a
URI, which is noted in journals and shown in logs.
"""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, TypeVar, final
from urllib.parse import urlsplit

from search_spaces import InputError
from search_spaces.secrets import without_secrets

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds for which a write or read is tried again while a storage does not answer."""
POLL_SECONDS = 2.0
SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# What no second try mends, by words of AWS and of Google.
_FINAL = re.compile("NO_SUCH_BUCKET|ACCESS_DENIED|INVALID_|SIGNATURE_|PermissionDenied|HTTP 40")
_WORDS = {
    "NO_SUCH_BUCKET": "there is no such bucket",
    "ACCESS_DENIED": "access is denied",
    "NETWORK_CONNECTION": "there is no connection to it",
    "INVALID_ACCESS_KEY_ID": "the access key is not known there",
    "SIGNATURE_DOES_NOT_MATCH": "the secret key is not the right one",
}


class StorageError(OSError):
    """A storage that did not do what it was asked; `filename` is the place."""


@final
@dataclass(frozen=True)
class RemotePath:
    """A place at a URI, with the methods of `pathlib.Path` that a run needs.

    Made by `place`. Errors of the storage are `StorageError`, what is not there
    `FileNotFoundError`.

    Attributes:
        scheme, host: such as `s3` and the bucket.
        path: within the bucket, without a slash at either end.
        query: options of pyarrow's file system, such as `endpoint_override=…`.
    """

    scheme: str
    host: str
    path: str
    query: str = ""

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{self.host}/{self.path}{query}"

    def __truediv__(self, name: str) -> RemotePath:
        parts = [part for part in (*self.path.split("/"), *name.split("/")) if part]
        if ".." in parts:
            raise InputError(f"{self}: '{name}' leads out of it.")
        return replace(self, path="/".join(parts))

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> RemotePath:
        """The place that this one is in."""
        return replace(self, path=self.path.rpartition("/")[0])

    def _ask(self, what: Callable[[Any, str], T], patient: bool = False) -> T:
        """Asks the file system something about this place, again if it does not answer."""
        given_up = time.monotonic() + (PATIENCE if patient else 0.0)
        while True:
            try:
                system, root = _file_system(self.scheme, self.host, self.query)
                return what(system, f"{root}/{self.path}".rstrip("/"))
            except FileNotFoundError as error:
                raise FileNotFoundError(errno.ENOENT, "it is not there", str(self)) from error
            except OSError as error:
                if time.monotonic() >= given_up or _FINAL.search(str(error)):
                    raise StorageError(errno.EIO, _one_line(error), str(self)) from error
                time.sleep(1.0)

    def exists(self) -> bool:
        """True if there is an object of this name, or are some in a folder of this name."""
        return self._ask(lambda system, path: bool(system.get_file_info(path).type))

    def is_file(self) -> bool:
        """True if there is an object of this name."""
        return self._ask(lambda system, path: bool(system.get_file_info(path).is_file))

    def read_bytes(self) -> bytes:
        """The object's content."""

        def read(system: Any, path: str) -> bytes:
            with system.open_input_stream(path) as stream:
                content: bytes = stream.read()
                return content

        return self._ask(read, patient=True)

    def read_text(self, encoding: str = "utf-8") -> str:
        """The object's content as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, content: bytes | memoryview, patient: bool = True) -> None:
        """Writes the object whole; it is there when this returns."""

        def write(system: Any, path: str) -> None:
            with system.open_output_stream(path) as stream:
                stream.write(content)

        self._ask(write, patient)

    def touch(self) -> None:
        """Makes an empty object, or fails at once."""
        self.write_bytes(b"", patient=False)

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes the object."""
        try:
            self._ask(lambda system, path: system.delete_file(path))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def entries(self, recursive: bool = False, patient: bool = True) -> list[Any]:
        """What pyarrow says of each object and folder in this one; none if it is not there."""
        from pyarrow.fs import FileSelector

        def listed(system: Any, path: str) -> list[Any]:
            selector = FileSelector(path, allow_not_found=True, recursive=recursive)
            found: list[Any] = system.get_file_info(selector)
            return found

        return self._ask(listed, patient)


Place = Path | RemotePath


def is_uri(text: str) -> bool:
    """True if a text names a place by scheme, as against a path."""
    return _URI.match(text) is not None


def place(given: str | Path | RemotePath, where: str = "") -> Place:
    """The place that a text names.

    Args:
        given: a path or a URI.
        where: the flag it was given as, for messages.

    Raises:
        InputError: for a URI of a scheme that pyarrow has no file system for, without a bucket,
            or with credentials in it.
    """
    if isinstance(given, RemotePath):
        return given
    text, said = str(given), f"{where}: " if where else ""
    if not is_uri(text):
        return Path(text)
    safe = without_secrets(text)
    if safe != text:
        raise InputError(
            f"{said}got {safe}, but a URI is written down in journals and logs, so it may hold no "
            "credentials, in its options neither: give them in the environment, such as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    try:
        parts = urlsplit(text, allow_fragments=False)
    except ValueError:  # its words repeat the text, with what it may hold
        raise InputError(f"{said}this is no URI: '{safe}'.") from None
    scheme, host = parts.scheme, parts.netloc.rpartition("@")[2]
    if scheme == "file":
        return Path(parts.path)
    if scheme not in SCHEMES:
        raise InputError(
            f"{said}got the scheme '{scheme}' in '{text}', allowed: {', '.join(SCHEMES)}, or a "
            "path."
        )
    if not host:
        raise InputError(f"{said}got '{text}', the bucket is missing: {scheme}://BUCKET/PATH.")
    return RemotePath(scheme, parts.netloc, "", parts.query) / parts.path


@lru_cache(maxsize=16)
def _file_system(scheme: str, host: str, query: str) -> tuple[Any, str]:
    """The file system of a bucket, and the bucket's path in it."""
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    options = query
    if scheme == "s3" and "allow_delayed_open" not in query:
        options += "&allow_delayed_open=true"  # small objects in one request, not three
    if scheme in ("gs", "gcs") and "retry_limit_seconds" not in query:
        options += f"&retry_limit_seconds={PATIENCE:g}"  # for ever else, nearly
    uri = f"{scheme}://{host}/" + (f"?{options.lstrip('&')}" if options else "")
    try:
        system, root = FileSystem.from_uri(uri)
    except (pa.ArrowInvalid, NotImplementedError) as error:
        raise InputError(f"'{scheme}://{host}': {_one_line(error)}.") from error
    return system, root.rstrip("/")


def _one_line(error: BaseException) -> str:
    """What went wrong, in few words: the services' own are long, and name requests."""
    text = " ".join(str(error).split())
    for code, words in _WORDS.items():
        if code in text:
            return words
    text = re.sub(r"\(Request ID: .*?\)", "", text)
    return text[:300].rstrip(" .")


# What local and remote places have in common.


def require_replaceable(target: Path) -> None:
    """Refuses to put a file in the place of what is none: a device, a pipe, a folder, a link.

    Raises:
        FileExistsError: there is such a thing; its words are for the user.
    """
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        words = "it is no regular file, and only such are written over; name another"
        raise FileExistsError(errno.EEXIST, words, str(target))


@contextmanager
def writing(target: Place, parents: bool = False) -> Iterator[IO[bytes]]:
    """A file whose content is at a place, whole and for good, once this is left without error.

    Args:
        target: the place.
        parents: whether folders that it lacks are made.

    Raises:
        FileExistsError: what is there is no regular file.
    """
    if isinstance(target, RemotePath):
        buffer = io.BytesIO()
        yield buffer
        target.write_bytes(buffer.getbuffer())
        return
    if parents:
        target.parent.mkdir(parents=True, exist_ok=True)
    require_replaceable(target)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        require_replaceable(target)
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)  # what is left of it may be what fills the disk
        raise
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Puts a folder's entries on disk, which the fsync of a file in it does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def reading(source: Place) -> Iterator[IO[bytes]]:
    """What is at a place as a file to seek in; an object is fetched whole."""
    if isinstance(source, RemotePath):
        yield io.BytesIO(source.read_bytes())
        return
    with source.open("rb") as file:
        yield file


def names(folder: Place) -> list[str]:
    """What is directly in a folder, sorted; nothing if there is no such folder."""
    if isinstance(folder, RemotePath):
        return sorted(each.base_name for each in folder.entries())
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


def remove_folder(folder: Place) -> None:
    """Removes a folder with all that is in it; one that is not there is no error."""
    if isinstance(folder, RemotePath):
        with suppress(FileNotFoundError):
            folder._ask(lambda system, path: system.delete_dir(path))
    else:
        shutil.rmtree(folder, ignore_errors=True)


def require_writable(folder: RemotePath, flag: str) -> None:
    """Writes and removes an object, so that a search does not find out later.

    Raises:
        InputError: if the storage cannot be reached, or does not let us write, read or list.
    """
    probe = folder / f".probe-{os.getpid()}"
    try:
        probe.write_bytes(b"1", patient=False)
        probe.read_bytes()
        folder.entries()
        probe.unlink()
    except OSError as error:
        raise InputError(f"{flag}: cannot write to {folder}: {error.strerror}.") from error


def stop_requested(file: str) -> Callable[[], bool]:
    """Tells whether there is a stop file, asking an object store every 2 seconds at most.

    A store that does not answer has not asked to stop; the next write will tell of it.
    """
    at = place(file)
    if isinstance(at, Path):
        return at.exists
    next_look, found = 0.0, False

    def asked() -> bool:
        nonlocal next_look, found
        if time.monotonic() >= next_look:
            with suppress(StorageError):
                found = at.exists()
            next_look = time.monotonic() + POLL_SECONDS
        return found

    return asked
