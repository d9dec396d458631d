"""Archives and restores images through boto3, and prints one line per case."""

import json
import time

import boto3

from harness import ACCOUNT, CONFIG, INDEX, MANIFEST, PREFIX, case, digest, fails, run

ecr = boto3.client("ecr", config=CONFIG)


def repository(suffix):
    name = f"{PREFIX}/{suffix}"
    ecr.create_repository(repositoryName=name)
    return name


def upload(name, data):
    started = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.upload_layer_part(
        repositoryName=name, uploadId=started, partFirstByte=0, partLastByte=len(data) - 1, layerPartBlob=data
    )
    ecr.complete_layer_upload(repositoryName=name, uploadId=started, layerDigests=[digest(data)])


def manifest(name, seed):
    config, layer = f'{{"seed":"{seed}"}}'.encode(), f"layer of {seed}".encode()
    upload(name, config)
    upload(name, layer)
    blob = lambda kind, data: {"mediaType": kind, "digest": digest(data), "size": len(data)}
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": blob("application/vnd.oci.image.config.v1+json", config),
            "layers": [blob("application/vnd.oci.image.layer.v1.tar", layer)],
        }
    )


def put(name, text, **members):
    put = ecr.put_image(repositoryName=name, imageManifest=text, **members)
    return put["image"]["imageId"]["imageDigest"]


def update(name, image, storage):
    return ecr.update_image_storage_class(
        repositoryName=name, imageId={"imageDigest": image}, targetStorageClass=storage
    )


def detail(name, image):
    described = ecr.describe_images(
        repositoryName=name, imageIds=[{"imageDigest": image}], filter={"imageStatus": "ANY"}
    )
    return described["imageDetails"][0]


@case
def goes_through_all_states():
    name = repository("states")
    image = put(name, manifest(name, "one"), imageTag="v1")
    updated = update(name, image, "ARCHIVE")
    assert updated["imageStatus"] == "ARCHIVED" and updated["registryId"] == ACCOUNT, updated
    assert detail(name, image)["lastArchivedAt"].tzinfo, detail(name, image)
    assert update(name, image, "STANDARD")["imageStatus"] == "ACTIVATING"
    for _ in range(240):
        if detail(name, image)["imageStatus"] == "ACTIVE":
            break
        time.sleep(0.25)
    active = detail(name, image)
    assert active["imageStatus"] == "ACTIVE" and active["lastActivatedAt"] >= active["lastArchivedAt"], active


@case
def tells_archived_layers():
    name = repository("layers")
    image = put(name, manifest(name, "two"))
    layer = digest(b"layer of two")
    check = lambda: ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[layer])["layers"][0]
    assert check()["layerAvailability"] == "AVAILABLE", check()
    update(name, image, "ARCHIVE")
    assert check()["layerAvailability"] == "ARCHIVED", check()
    fails("LayerInaccessibleException", ecr.get_download_url_for_layer, repositoryName=name, layerDigest=layer)


@case
def refuses_what_is_not_supported():
    name = repository("refused")
    text = manifest(name, "child")
    child = put(name, text)
    entry = {"mediaType": MANIFEST, "digest": child, "size": len(text)}
    index = put(name, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
    unsupported = "ImageStorageClassUpdateNotSupportedException"
    fails(unsupported, update, name=name, image=child, storage="ARCHIVE")
    fails(unsupported, update, name=name, image=child, storage="STANDARD")
    update(name, index, "ARCHIVE")
    update(name, child, "ARCHIVE")
    fails(unsupported, update, name=name, image=child, storage="ARCHIVE")
    fails("ImageNotFoundException", update, name=name, image=digest(b"absent"), storage="ARCHIVE")
    fails("InvalidParameterException", update, name=name, image=child, storage="GLACIER")
    fails("InvalidParameterException", update, name=name, image="nonsense", storage="ARCHIVE")
    fails("RepositoryNotFoundException", update, name=f"{name}/absent", image=child, storage="ARCHIVE")


@case
def lists_by_status_and_deletes():
    name = repository("lists")
    images = [put(name, manifest(name, f"image {n}"), imageTag=f"v{n}") for n in range(5)]
    for image in images[:3]:
        update(name, image, "ARCHIVE")
    def listed(status):
        pages = ecr.get_paginator("list_images").paginate(
            repositoryName=name, filter={"imageStatus": status}, PaginationConfig={"PageSize": 2}
        )
        return sorted(entry["imageTag"] for page in pages for entry in page["imageIds"])
    assert listed("ACTIVE") == ["v3", "v4"], listed("ACTIVE")
    assert listed("ARCHIVED") == ["v0", "v1", "v2"], listed("ARCHIVED")
    assert len(listed("ANY")) == 5, listed("ANY")
    deleted = ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": images[0]}])
    assert not deleted["failures"], deleted
    assert listed("ARCHIVED") == ["v1", "v2"], listed("ARCHIVED")


run()
