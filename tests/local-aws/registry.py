"""ECR: push events, and DescribeImages as the registry answers it."""

import json

import clock
from events import emit
from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr
from patching import wrap

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@wrap(ecr, "_put_image")
def _put_image(original, data):
    """Announces a push: one event per PutImage and so per tag; a push by digest alone has the empty tag."""
    manifest = _parsed(data.get("imageManifest"))
    data.setdefault("imageManifestMediaType", manifest.get("mediaType", _MANIFEST))
    status, headers, body = response = original(data)
    if status == 200:
        image = json.loads(body)["image"]
        stored = ecr._find_image(image["repositoryName"], {"imageDigest": image["imageId"]["imageDigest"]})
        # MiniStack keeps whole seconds, in which two pushes have no order.
        if isinstance(stored["imagePushedAt"], int):
            stored["imagePushedAt"] = round(clock.now(), 3)
        emit("aws.ecr", "ECR Image Action", {
            "result": "SUCCESS",
            "repository-name": image["repositoryName"],
            "image-digest": image["imageId"]["imageDigest"],
            "action-type": "PUSH",
            "image-tag": data.get("imageTag", ""),
            "manifest-media-type": data["imageManifestMediaType"],
            **_artifact("artifact-media-type", manifest),
        })
    return response


@wrap(ecr, "_describe_images")
def _describe_images(original, data):
    """Adds what MiniStack leaves out: pages, the tag filter, an error for a missing image, true media types."""
    name = data.get("repositoryName", "")
    if name not in ecr._repositories:
        return original(data)
    images = ecr._images.get(name, [])
    if data.get("imageIds"):
        images = [ecr._find_image(name, image_id) for image_id in data["imageIds"]]
        if None in images:
            missing = data["imageIds"][images.index(None)]
            return error_response_json(
                "ImageNotFoundException",
                f"The image with imageId {missing} does not exist within the repository with name '{name}'", 400)
    tag_status = data.get("filter", {}).get("tagStatus", "ANY")
    images = [it for it in images if tag_status == "ANY" or bool(it["imageTags"]) == (tag_status == "TAGGED")]
    start, size = int(data.get("nextToken", 0)), data.get("maxResults", 100)
    page = {"imageDetails": [_details(it) for it in images[start:start + size]]}
    if start + size < len(images):
        page["nextToken"] = str(start + size)
    return json_response(page)


def _details(image):
    manifest = _parsed(image["imageManifest"])
    parts = [manifest.get("config", {}), *manifest.get("layers", []), *manifest.get("manifests", [])]
    return {
        "registryId": image["registryId"],
        "repositoryName": image["repositoryName"],
        "imageDigest": image["imageDigest"],
        **({"imageTags": image["imageTags"]} if image["imageTags"] else {}),
        "imageSizeInBytes": sum(part.get("size", 0) for part in parts),
        "imagePushedAt": image["imagePushedAt"],
        "imageManifestMediaType": image["imageManifestMediaType"],
        **_artifact("artifactMediaType", manifest),
        "imageStatus": "ACTIVE",
    }


def _artifact(key, manifest):
    """The kind of artifact is the media type of its config; an index has none."""
    media_type = manifest.get("config", {}).get("mediaType")
    return {key: media_type} if media_type else {}


def _parsed(manifest):
    try:
        return json.loads(manifest)
    except (TypeError, ValueError):
        return {}
