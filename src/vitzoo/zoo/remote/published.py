"""What a published zoo says, checked before it is believed or kept: the catalogue, and small files against it."""

from pathlib import Path, PurePath

from vitzoo.errors import IntegrityError
from vitzoo.zoo import catalogue_file, results
from vitzoo.zoo.catalogue import Catalogue
from vitzoo.zoo.checkpoint import check_manifest
from vitzoo.zoo.files import Listed
from vitzoo.zoo.layout import CONFIG, FINETUNING, MANIFEST, RESULT, WEIGHTS, epoch_of
from vitzoo.zoo.member import check_config
from vitzoo.zoo.remote.listing import MEMBERS, Listing, listing
from vitzoo.zoo.remote.place import AGAIN
from vitzoo.zoo.strict_json import MAX_BYTES, parse

#: Files that a zoo may lack.
OPTIONAL = frozenset({RESULT, "README.md", "LICENSE", "CITATION.cff"})


def load(file: Path, where: str) -> tuple[Catalogue, Listing]:
    """Read a published catalogue, and whom it lists; IntegrityError names ``where`` if no zoo could have it."""
    found = catalogue_file.decode(file)
    if found is None:
        raise IntegrityError(
            f"{where} is not a catalogue that this version of vitzoo writes. Where the zoo lies, `vitzoo ls` writes "
            "one; then publish it again."
        )
    catalogue = Catalogue(*found, [])
    return catalogue, listing(catalogue.connection.execute(MEMBERS).fetchall(), where)


def limit(name: str) -> int:
    """Return how many bytes a small file of this name may have."""
    return results.MAX_FILE if name == RESULT else MAX_BYTES


def check(path: PurePath, data: bytes, known: Listing, where: str) -> None:
    """Check a small file, by its place in the tree, against its form and the catalogue; IntegrityError names it."""
    member = next((place for place in path.parents if place.as_posix() in known), None)
    if path.name == RESULT:
        results.check(data, where)
    elif path.name == CONFIG and member is not None:  # a checkpoint's is a copy of the member's
        _check_config(member, data, known[member.as_posix()], where)
    elif path.name == MANIFEST and member is not None:
        _check_manifest(path.parent, data, known[member.as_posix()], where)


def _check_config(member: PurePath, data: bytes, listed: Listed, where: str) -> None:
    config = check_config(parse(data, where), where)
    stage, *above, name = member.parts
    parent = config["parent"]["member"] if config["parent"] else None
    said = (config["stage"], parent, config["name"], config["id"])
    if said != (stage, above[0] if stage == FINETUNING else None, name, listed.id):
        raise IntegrityError(f"{where} belongs to another member than the catalogue speaks of. {AGAIN}.")


def _check_manifest(checkpoint: PurePath, data: bytes, listed: Listed, where: str) -> None:
    epoch = epoch_of(checkpoint.name)
    if epoch is None or epoch not in listed.digests:
        raise IntegrityError(f"{where} is no manifest of a checkpoint that the catalogue speaks of. {AGAIN}.")
    manifest = check_manifest(parse(data, where), where, checkpoint.parent.name, epoch)
    if manifest["files"][WEIGHTS]["sha256"] != listed.digests[epoch]:
        raise IntegrityError(f"{where} speaks of other weights than the catalogue. {AGAIN}.")
