"""COCO JSON: one image per frame, one annotation per object and frame.

The format knows no objects that go on from frame to frame. As other programs do, we add "track_id", the object's id, to
each annotation, and "frame_index", "time" and "video" to each image.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from limpet.core.errors import MaskError
from limpet.core.files import atomic_path
from limpet.core.limits import limits
from limpet.exchange.coco_rle import label_counts
from limpet.exchange.label_painter import LabelPainter
from limpet.exchange.mask_sequence import MaskFrame, MaskSequence, positive_rate, time_of
from limpet.exchange.options import ConversionOptions, chosen
from limpet.exchange.segmentation import (
    SegmentationWriter,
    category_ids,
    category_names,
    category_of,
    document_head,
    list_of_objects,
    own_facts,
    paint_segmentation,
)
from limpet.exchange.untrusted import check_counts, check_frame_size, object_number, read_json, whole_number
from limpet.video.image_reader import natural_sort


def write(sequence: MaskSequence, out: Path, options: ConversionOptions) -> None:
    """Write one JSON file, frame by frame. Raises OutputError."""
    categories = category_ids(sequence.names)
    segments = SegmentationWriter(sequence.size, options.polygons)
    indices, times = array("q"), array("d")
    height, width = sequence.size
    number = 0
    with atomic_path(out) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{document_head(categories)}, "annotations": [')
        for frame in sequence:
            indices.append(frame.index)
            times.append(frame.time)
            for track, counts in label_counts(frame.labels).items():
                category = categories[sequence.names[track] or "object"]
                facts = {"id": (number := number + 1), "image_id": frame.index + 1, "category_id": category}
                facts |= {"track_id": track, "iscrowd": 0, **segments.fields(counts)}
                file.write(",\n" * (number > 1) + json.dumps(facts))
        file.write('], "images": [')
        for place, (index, time) in enumerate(zip(indices, times, strict=True)):
            image = {
                "id": index + 1,
                "file_name": f"{sequence.title}/{index:05d}.jpg",
                "width": width,
                "height": height,
            }
            image |= {"frame_index": index, "time": time, "video": sequence.name}
            file.write(",\n" * (place > 0) + json.dumps(image))
        tracks = [{"id": i, "name": name} for i, name in sequence.names.items()]
        own = {"tracks": tracks, "frame_rate": sequence.rate_text, "frames": sequence.frame_count}
        file.write(f'], "limpet": {json.dumps(own)}}}\n')
    segments.tell(sequence)


def read(path: Path, choice: str | None = None) -> MaskSequence:
    """The masks of the images of one folder (``choice``: its name), in the order of their names.

    Raises:
        MaskError: the file is damaged; images differ in size; or it has images of several folders and none is chosen.
    """
    content, where = read_json(path), str(path)
    folders: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for image in list_of_objects(content, "images", where):
        folders[_folder_of(image)].append(image)
    folder = chosen(list(folders), choice, where, "folders of images")
    images = _in_order(folders[folder], where)
    size = check_frame_size(images[0].get("height"), images[0].get("width"), where)
    for image in images:
        if (image.get("height"), image.get("width")) != size:
            raise MaskError(
                f"{image.get('file_name')} in {where} has another size than {images[0].get('file_name')}"
            )
    by_image: dict[Any, list[dict[str, Any]]] = {image.get("id"): [] for image in images}
    listed = {image.get("id") for each in folders.values() for image in each}
    for annotation in list_of_objects(content, "annotations", where):
        if annotation.get("image_id") not in listed:
            raise MaskError(
                f"annotation {annotation.get('id')} of {where} is of the image {annotation.get('image_id')!r}, which "
                f"is not among its images; export it again"
            )
        by_image.get(annotation.get("image_id"), []).append(annotation)
    extra = own_facts(content)
    names, tracked = _objects(by_image.values(), category_names(content, where), extra, where)
    check_counts(len(names), len(images), where)
    rate = positive_rate(extra.get("frame_rate"), where)

    def frames() -> Iterator[MaskFrame]:
        painter = LabelPainter(size, max(names, default=0))
        for index, image in enumerate(images):
            for order, annotation in enumerate(by_image[image.get("id")], start=1):
                track = object_number(annotation["track_id"], where) if tracked else order
                label = f"annotation {annotation.get('id')} of {where}"
                paint_segmentation(painter, track, annotation.get("segmentation"), label)
            index = int(image.get("frame_index", index))
            time = (
                float(image["time"]) if isinstance(image.get("time"), (int, float)) else time_of(index, rate)
            )
            yield MaskFrame(index, time, painter.finish())
        for notice in painter.notice():
            sequence.note(notice)

    count = extra.get("frames", int(images[-1].get("frame_index", len(images) - 1)) + 1)
    sequence = MaskSequence(folder or path.stem, size, names, frames, count, rate)
    sequence.timed = rate is not None or all("time" in image for image in images)
    if not tracked:
        sequence.note(
            f"{path.name} has no track_id, so that objects are numbered within each image: 1 is its first one"
        )
    return sequence


def _folder_of(image: dict[str, Any]) -> str:
    return str(image.get("video") or str(image.get("file_name", "")).rpartition("/")[0])


def _in_order(images: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    """By frame index where all have one, or else by the names of the files."""
    if all("frame_index" in image for image in images):
        for image in images:
            whole_number(image["frame_index"], f"a frame_index in {where}", limits().frames)
        if len({image["frame_index"] for image in images}) < len(images):
            raise MaskError(f"{where} has two images of one frame_index")
        return sorted(images, key=lambda image: int(image["frame_index"]))
    for image in images:
        image.pop("frame_index", None)
    names = {str(image.get("file_name", image.get("id"))): image for image in images}
    if len(names) < len(images):
        raise MaskError(f"{where} has two images of one file name")
    return [names[str(path)] for path in natural_sort(Path(name) for name in names)]


def _objects(
    images: Iterable[list[dict[str, Any]]],
    categories: Mapping[int, str],
    extra: Mapping[str, Any],
    where: str,
) -> tuple[dict[int, str], bool]:
    """Names by id, and whether the annotations have a track_id that goes on from image to image."""
    groups = list(images)
    tracked = all("track_id" in annotation for group in groups for annotation in group)
    if not tracked:
        return {i + 1: "" for i in range(max(map(len, groups), default=0))}, False
    names = {
        object_number(annotation["track_id"], where): category_of(annotation, categories)
        for group in groups
        for annotation in group
    }
    for track in list_of_objects(extra, "tracks", where):
        names[object_number(track.get("id"), where)] = str(track.get("name", ""))
    return dict(sorted(names.items())), True
