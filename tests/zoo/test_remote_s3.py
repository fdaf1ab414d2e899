"""A zoo in S3, served on this machine by moto, read through s3fs."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from remote_zoo import publish, tensors

import vitzoo
from vitzoo.errors import InputError, IntegrityError, VitzooError
from vitzoo.zoo import Zoo

ADDRESS = "s3://zoos/some/where"
KEYS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret"}


class Bucket:
    """A bucket with a zoo in it, and a log of what was asked for."""

    def __init__(self, endpoint: str, client) -> None:
        self.endpoint, self.client = endpoint, client
        self.log: pytest.LogCaptureFixture | None = None

    def put(self, root: Path, prefix: str = "some/where") -> None:
        for path in root.rglob("*"):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(root).as_posix()}"
                self.client.put_object(Bucket="zoos", Key=key, Body=path.read_bytes())

    def take(self) -> list[str]:
        """Return the requests since the last call, as the server logged them."""
        assert self.log is not None
        found = [record.getMessage() for record in self.log.records if record.name == "werkzeug"]
        self.log.clear()
        return found


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("published") / "zoo").path


@pytest.fixture(scope="module")
def server(published: Path) -> Iterator[Bucket]:
    import boto3

    moto = pytest.importorskip("moto.server")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    endpoint = "http://{}:{}".format(*running.get_host_and_port())
    keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    found = Bucket(endpoint, boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys))
    found.client.create_bucket(Bucket="zoos")
    found.put(published)
    yield found
    running.stop()


@pytest.fixture
def bucket(server: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Bucket:
    monkeypatch.setenv("VITZOO_CACHE", str(tmp_path / "cache"))
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": server.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    server.log = caplog
    caplog.set_level(logging.INFO, logger="werkzeug")
    return server


def test_a_bucket_holds_the_same_zoo(bucket: Bucket, published: Path) -> None:
    local, remote = Zoo.open(published), vitzoo.open(f"{ADDRESS}/")
    assert remote.place == ADDRESS and remote.rows() == local.rows()
    for one, other in zip(remote.members(), local.members(), strict=True):
        assert one.config == other.config and one.curve() == other.curve() and one.status == other.status
    found = remote.checkpoint("ft-b", 0)
    assert all((found.tensors()[name] == value).all() for name, value in tensors(20).items())
    found.check()


def test_one_tensor_comes_by_range_and_once(bucket: Bucket) -> None:
    checkpoint = vitzoo.open(ADDRESS).checkpoint("ft-a", 1)
    bucket.take()
    assert (checkpoint.tensors(["tall.weight"])["tall.weight"] == tensors(11)["tall.weight"]).all()
    asked = bucket.take()
    assert len(asked) == 3 and all("206" in line for line in asked)
    assert sum("model.safetensors" in line for line in asked) == 2
    vitzoo.open(ADDRESS).checkpoint("ft-a", 1).tensors(["tall.weight"])
    assert all('"HEAD' in line for line in bucket.take())  # opening asks for versions


def test_a_zoo_that_was_published_anew_is_read_anew(bucket: Bucket, published: Path) -> None:
    bucket.put(published, "anew")
    before = vitzoo.open("s3://zoos/anew")
    bucket.client.put_object(Bucket="zoos", Key="anew/zoo.json", Body=b" " + (published / "zoo.json").read_bytes())
    assert vitzoo.open("s3://zoos/anew").path != before.path


def test_what_is_not_there_is_said_so(bucket: Bucket) -> None:
    for address in ("s3://zoos/some", "s3://zoos", "s3://nobody-has-this/zoo"):
        with pytest.raises(InputError, match="is not a zoo that can be read from afar"):
            vitzoo.open(address)


def test_a_file_that_is_gone_or_cut_off_is_not_kept(bucket: Bucket, published: Path) -> None:
    bucket.put(published, "damaged")
    checkpoint = vitzoo.open("s3://zoos/damaged").checkpoint("pre", 0)
    place = "pretraining/pre/checkpoint_000000/model.safetensors"
    for size in (100_000, 20_000):  # the tensor is cut off, or lies behind the end
        body = (published / place).read_bytes()[:size]
        bucket.client.put_object(Bucket="zoos", Key=f"damaged/{place}", Body=body)
        with pytest.raises(IntegrityError, match="too early"):
            checkpoint.tensors(["tall.weight"])
    bucket.client.delete_object(Bucket="zoos", Key=f"damaged/{place}")
    with pytest.raises(IntegrityError, match=rf"s3://zoos/damaged/{place} is missing"):
        checkpoint.tensors(["tall.weight"])


def test_credentials_that_are_missing_are_asked_for(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(InputError, match=r"may not be read .no credentials were found; .*FSSPEC_S3_ANON=true"):
        vitzoo.open(ADDRESS)


def test_a_server_that_is_gone_is_said_so(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    from s3fs import S3FileSystem

    monkeypatch.setattr(S3FileSystem, "retries", 1)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(VitzooError, match="Could not connect to the endpoint") as error:
        vitzoo.open(ADDRESS)
    assert type(error.value) is VitzooError


def test_copying_is_explained(bucket: Bucket) -> None:
    with pytest.raises(InputError, match=f"aws s3 sync {ADDRESS} DIR"):
        vitzoo.open(ADDRESS).sweep()
