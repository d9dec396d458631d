"""Drives a registry through boto3 and prints one line per case."""

import base64
import concurrent.futures
import datetime
import json
import os
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError

from harness import ACCOUNT, CONFIG, INDEX, MANIFEST, MIB, PREFIX, case, digest, fails, run

ecr = boto3.client("ecr", config=CONFIG)


# Steps that the cases share


def repository(suffix, **members):
    name = f"{PREFIX}/{suffix}"
    ecr.create_repository(repositoryName=name, **members)
    return name


def upload(name, data, part=5 * MIB):
    started = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    for first in range(0, len(data), part):
        send_part(name, started, first, data[first : first + part])
    done = ecr.complete_layer_upload(repositoryName=name, uploadId=started, layerDigests=[digest(data)])
    assert done["layerDigest"] == digest(data), done


def send_part(name, upload_id, first, chunk):
    last = first + len(chunk) - 1
    return ecr.upload_layer_part(
        repositoryName=name, uploadId=upload_id, partFirstByte=first, partLastByte=last, layerPartBlob=chunk
    )


def descriptor(media_type, data):
    return {"mediaType": media_type, "digest": digest(data), "size": len(data)}


def manifest(layer, **members):
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
            **members,
        }
    )


def index_of(*children):
    manifests = [descriptor(MANIFEST, child.encode()) for child in children]
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})


def push_layers(name, *layers):
    for layer in layers:
        try:
            upload(name, layer)
        except ecr.exceptions.LayerAlreadyExistsException:
            pass


def push(name, tag, content=b"a layer", **members):
    push_layers(name, content, b"{}")
    text = manifest(content, **members)
    tagged = {"imageTag": tag} if tag else {}
    image = ecr.put_image(repositoryName=name, imageManifest=text, **tagged)["image"]
    assert image["imageId"]["imageDigest"] == digest(text.encode()), image
    return text


def no_repository(name):
    return f"The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'"


# Repositories


@case
def creates_a_repository_with_defaults():
    made = ecr.create_repository(repositoryName=f"{PREFIX}/defaults")["repository"]
    assert made["repositoryArn"] == f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{PREFIX}/defaults", made
    assert made["registryId"] == ACCOUNT, made
    assert made["imageTagMutability"] == "MUTABLE", made
    assert made["imageScanningConfiguration"] == {"scanOnPush": False}, made
    assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}, made
    assert made["repositoryUri"].endswith(f"/{PREFIX}/defaults"), made


@case
def refuses_a_second_repository_of_a_name():
    name = repository("twice")
    text = f"The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'"
    error = fails("RepositoryAlreadyExistsException", ecr.create_repository, text, repositoryName=name)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 400, error


@case
def refuses_invalid_repository_names():
    for name in ["Upper", "a", "-a", "a//b", "a" * 257, "a_-b", ""]:
        fails("InvalidParameterException", ecr.create_repository, repositoryName=name)


@case
def tells_that_a_repository_is_missing():
    name = f"{PREFIX}/absent"
    text = no_repository(name)
    blob = digest(b"x")
    calls = [
        (ecr.describe_repositories, {"repositoryNames": [name]}),
        (ecr.delete_repository, {"repositoryName": name}),
        (ecr.describe_images, {"repositoryName": name}),
        (ecr.list_images, {"repositoryName": name}),
        (ecr.batch_get_image, {"repositoryName": name, "imageIds": [{"imageTag": "a"}]}),
        (ecr.batch_delete_image, {"repositoryName": name, "imageIds": [{"imageTag": "a"}]}),
        (ecr.put_image, {"repositoryName": name, "imageManifest": manifest(b"x")}),
        (ecr.initiate_layer_upload, {"repositoryName": name}),
        (ecr.batch_check_layer_availability, {"repositoryName": name, "layerDigests": [blob]}),
        (ecr.get_download_url_for_layer, {"repositoryName": name, "layerDigest": blob}),
        (ecr.put_image_tag_mutability, {"repositoryName": name, "imageTagMutability": "IMMUTABLE"}),
    ]
    for call, arguments in calls:
        fails("RepositoryNotFoundException", call, text, **arguments)


@case
def refuses_to_delete_a_repository_with_images():
    name = repository("full")
    push(name, "v1")
    text = (
        f"The repository with name '{name}' in registry with id '{ACCOUNT}' "
        "cannot be deleted because it still contains images"
    )
    fails("RepositoryNotEmptyException", ecr.delete_repository, text, repositoryName=name)
    ecr.delete_repository(repositoryName=name, force=True)
    ecr.create_repository(repositoryName=name)
    assert ecr.list_images(repositoryName=name)["imageIds"] == []


@case
def pages_through_repositories():
    wanted = {repository(f"page/{number}") for number in range(7)}
    seen = []
    for page in ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 3}):
        assert len(page["repositories"]) <= 3, page
        seen += [found["repositoryName"] for found in page["repositories"]]
    assert len(seen) == len(set(seen)), seen
    assert wanted <= set(seen), seen


@case
def refuses_bad_page_sizes_and_tokens():
    for size in [0, -1, 1001]:
        fails("InvalidParameterException", ecr.describe_repositories, maxResults=size)
    fails("InvalidParameterException", ecr.describe_repositories, nextToken="not a token")


# Resource tags


@case
def tags_and_untags_a_repository():
    made = ecr.create_repository(repositoryName=f"{PREFIX}/tagged", tags=[{"Key": "a", "Value": "1"}])
    arn = made["repository"]["repositoryArn"]
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    tags = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("a", "2"), ("b", "")], tags
    ecr.untag_resource(resourceArn=arn, tagKeys=["a", "absent"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "b", "Value": ""}]


@case
def refuses_bad_resource_tags():
    name = repository("untaggable")
    arn = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}"
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    fails("TooManyTagsException", ecr.tag_resource, resourceArn=arn, tags=many)
    fails("InvalidTagParameterException", ecr.tag_resource, resourceArn=arn, tags=[{"Key": "aws:x", "Value": ""}])
    text = "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"
    fails("InvalidParameterException", ecr.list_tags_for_resource, text, resourceArn="not-an-arn")
    absent = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{PREFIX}/absent"
    text = no_repository(f"{PREFIX}/absent")
    fails("RepositoryNotFoundException", ecr.list_tags_for_resource, text, resourceArn=absent)


# Layers


@case
def uploads_a_layer_in_several_parts():
    name = repository("parts")
    data = os.urandom(12 * MIB)
    upload(name, data)
    [layer] = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[digest(data)])["layers"]
    assert (layer["layerAvailability"], layer["layerSize"]) == ("AVAILABLE", len(data)), layer


@case
def accepts_a_part_of_the_greatest_size():
    upload(repository("greatest-part"), os.urandom(20 * MIB), part=20 * MIB)


@case
def checks_layers_one_by_one():
    name = repository("check")
    upload(name, b"here")
    asked = [digest(b"here"), digest(b"absent"), "sha256:short", ""]
    answer = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=asked)
    found = {layer["layerDigest"]: layer["layerAvailability"] for layer in answer["layers"]}
    assert found == {digest(b"here"): "AVAILABLE", digest(b"absent"): "UNAVAILABLE"}, answer
    failures = sorted(failure["failureCode"] for failure in answer["failures"])
    assert failures == ["InvalidLayerDigest", "MissingLayerDigest"], answer


@case
def tells_the_resume_point_of_a_refused_part():
    name = repository("resume")
    started = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    send_part(name, started, 0, b"ten bytes.")
    for first in [20, 5, 0]:
        part = {"partFirstByte": first, "partLastByte": first + 2, "layerPartBlob": b"abc"}
        error = fails("InvalidLayerPartException", ecr.upload_layer_part, repositoryName=name, uploadId=started, **part)
        assert error["lastValidByteReceived"] == 9, error
        assert error["uploadId"] == started, error
    assert send_part(name, started, 10, b"abc")["lastByteReceived"] == 12


@case
def refuses_unknown_uploads():
    name, other = repository("uploads"), repository("other-uploads")
    started = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    part = {"partFirstByte": 0, "partLastByte": 2, "layerPartBlob": b"abc"}
    unknown = "6d3b2f4e-0000-4000-8000-000000000000"
    fails("UploadNotFoundException", ecr.upload_layer_part, repositoryName=name, uploadId=unknown, **part)
    fails("UploadNotFoundException", ecr.upload_layer_part, repositoryName=other, uploadId=started, **part)
    done = {"uploadId": unknown, "layerDigests": [digest(b"abc")]}
    fails("UploadNotFoundException", ecr.complete_layer_upload, repositoryName=name, **done)


@case
def refuses_an_upload_without_parts():
    name = repository("empty-upload")
    started = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    text = (
        f"The upload with id '{started}' in the repository with name '{name}' in registry with id '{ACCOUNT}' "
        "cannot be completed because it does not have any parts."
    )
    done = {"uploadId": started, "layerDigests": [digest(b"")]}
    fails("EmptyUploadException", ecr.complete_layer_upload, text, repositoryName=name, **done)


@case
def refuses_a_layer_of_another_digest():
    name = repository("wrong-digest")
    started = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    send_part(name, started, 0, b"these bytes")
    done = {"uploadId": started, "layerDigests": [digest(b"other bytes")]}
    fails("InvalidLayerException", ecr.complete_layer_upload, repositoryName=name, **done)


@case
def refuses_small_parts_before_the_last():
    name = repository("small-parts")
    started = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    send_part(name, started, 0, b"too ")
    send_part(name, started, 4, b"small")
    text = "All layer parts except the last part should be at least 5MB"
    done = {"uploadId": started, "layerDigests": [digest(b"too small")]}
    fails("LayerPartTooSmallException", ecr.complete_layer_upload, text, repositoryName=name, **done)


@case
def tells_that_a_layer_already_exists():
    name = repository("again")
    upload(name, b"once")
    fails("LayerAlreadyExistsException", lambda: upload(name, b"once"))


@case
def downloads_a_layer_from_its_url():
    name = repository("download")
    data = os.urandom(300_000)
    push(name, "v1", data)
    url = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest(data))["downloadUrl"]
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == data
    part = urllib.request.Request(url, headers={"Range": "bytes=1000-1999"})
    with urllib.request.urlopen(part) as answer:
        assert (answer.status, answer.read()) == (206, data[1000:2000])


@case
def tells_why_a_layer_has_no_url():
    name = repository("no-url")
    absent = digest(b"absent")
    text = (
        f"The layer with digest '{absent}' does not exist within the repository with name '{name}' "
        f"in the registry with id '{ACCOUNT}'"
    )
    fails("LayersNotFoundException", ecr.get_download_url_for_layer, text, repositoryName=name, layerDigest=absent)
    upload(name, b"unreferenced")
    loose = {"repositoryName": name, "layerDigest": digest(b"unreferenced")}
    fails("LayerInaccessibleException", ecr.get_download_url_for_layer, **loose)


# Images


@case
def puts_gets_and_describes_an_image():
    name = repository("image")
    text = push(name, "v1", b"some layer")
    [image] = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])["images"]
    assert image["imageManifest"] == text and image["imageManifestMediaType"] == MANIFEST, image
    assert image["imageId"] == {"imageDigest": digest(text.encode()), "imageTag": "v1"}, image
    [detail] = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert detail["imageTags"] == ["v1"] and detail["imageStatus"] == "ACTIVE", detail
    assert detail["artifactMediaType"] == "application/vnd.oci.image.config.v1+json", detail
    assert detail["imagePushedAt"].timestamp() > 1_700_000_000, detail


@case
def retags_an_image():
    name = repository("retag")
    text = push(name, "v1")
    ecr.put_image(repositoryName=name, imageManifest=text, imageTag="v2")
    [detail] = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert sorted(detail["imageTags"]) == ["v1", "v2"], detail


@case
def refuses_the_same_image_under_the_same_tag():
    name = repository("same")
    text = push(name, "v1")
    message = (
        f"Image with digest '{digest(text.encode())}' and tag 'v1' already exists in the repository with name '{name}' "
        f"in registry with id '{ACCOUNT}'"
    )
    put = {"repositoryName": name, "imageManifest": text, "imageTag": "v1"}
    fails("ImageAlreadyExistsException", ecr.put_image, message, **put)


@case
def moves_a_tag_and_keeps_the_old_image():
    name = repository("move")
    old, new = push(name, "v1", b"old"), push(name, "v1", b"new")
    details = ecr.describe_images(repositoryName=name)["imageDetails"]
    tags = {detail["imageDigest"]: detail.get("imageTags") for detail in details}
    assert tags == {digest(old.encode()): None, digest(new.encode()): ["v1"]}, tags


@case
def refuses_to_move_an_immutable_tag():
    name = repository("immutable", imageTagMutability="IMMUTABLE")
    push(name, "v1", b"first")
    push_layers(name, b"second")
    text = (
        f"The image tag 'v1' already exists in the '{name}' repository "
        "and cannot be overwritten because the repository is immutable."
    )
    put = {"repositoryName": name, "imageManifest": manifest(b"second"), "imageTag": "v1"}
    fails("ImageTagAlreadyExistsException", ecr.put_image, text, **put)


@case
def honours_mutability_exclusions():
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    for setting, movable, fixed in [
        ("IMMUTABLE_WITH_EXCLUSION", "dev-1", "v1"),
        ("MUTABLE_WITH_EXCLUSION", "v1", "dev-1"),
    ]:
        members = {"imageTagMutability": setting, "imageTagMutabilityExclusionFilters": filters}
        name = repository(setting.lower().replace("_", "-"), **members)
        push(name, movable, b"first")
        push(name, movable, b"second")
        push(name, fixed, b"first", annotations={"number": "1"})
        put = {"imageManifest": manifest(b"second", annotations={"number": "2"}), "imageTag": fixed}
        fails("ImageTagAlreadyExistsException", ecr.put_image, repositoryName=name, **put)


@case
def refuses_mutability_that_makes_no_sense():
    name = repository("senseless")
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}]
    for members in [
        {"imageTagMutability": "SOMETIMES"},
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"},
        {"imageTagMutability": "IMMUTABLE", "imageTagMutabilityExclusionFilters": filters},
    ]:
        fails("InvalidParameterException", ecr.put_image_tag_mutability, repositoryName=name, **members)


@case
def refuses_manifests_that_are_none():
    name = repository("nonsense")
    text = "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
    for nonsense in ["{", "[]", "{}", '{"schemaVersion": 2}']:
        fails("InvalidParameterException", ecr.put_image, text, repositoryName=name, imageManifest=nonsense)


@case
def refuses_an_image_whose_layers_are_missing():
    name = repository("no-layers")
    upload(name, b"{}")
    text = (
        f"Layers with digests '[{digest(b'absent')}]' required for pushing image into repository with name '{name}' "
        f"in the registry with id '{ACCOUNT}' do not exist"
    )
    fails("LayersNotFoundException", ecr.put_image, text, repositoryName=name, imageManifest=manifest(b"absent"))


@case
def refuses_an_index_whose_images_are_missing():
    name = repository("no-children")
    child = manifest(b"absent")
    text = (
        f"Images with digests '[{digest(child.encode())}]' required for pushing image into repository "
        f"with name '{name}' in the registry with id '{ACCOUNT}' do not exist"
    )
    put = {"repositoryName": name, "imageManifest": index_of(child)}
    fails("ReferencedImagesNotFoundException", ecr.put_image, text, **put)


@case
def refuses_an_image_of_another_digest():
    name = repository("other-digest")
    push_layers(name, b"{}", b"a layer")
    other = digest(b"other")
    text = (
        f"The image with digest '{other}' in repository '{name}' and registry ID '{ACCOUNT}' "
        "does not match the image digest that Amazon ECR has calculated."
    )
    put = {"repositoryName": name, "imageManifest": manifest(b"a layer"), "imageDigest": other}
    fails("ImageDigestDoesNotMatchException", ecr.put_image, text, **put)


@case
def tells_that_an_image_is_missing():
    name = repository("no-image")
    where = f"does not exist within the repository with name '{name}' in the registry with id '{ACCOUNT}'"
    absent = digest(b"absent")
    for image, told in [
        ({"imageTag": "v1"}, "{imageDigest:'null', imageTag:'v1'}"),
        ({"imageDigest": absent}, f"{{imageDigest:'{absent}', imageTag:'null'}}"),
    ]:
        text = f"The image with imageId {told} {where}"
        fails("ImageNotFoundException", ecr.describe_images, text, repositoryName=name, imageIds=[image])


@case
def tells_of_each_image_that_cannot_be_got():
    name = repository("get-failures")
    text = push(name, "v1")
    push(name, "v2", b"another")
    ids = [
        {"imageTag": "absent"},
        {"imageDigest": "short"},
        {},
        {"imageTag": "v2", "imageDigest": digest(text.encode())},
        {"imageTag": "v1"},
    ]
    answer = ecr.batch_get_image(repositoryName=name, imageIds=ids)
    assert len(answer["images"]) == 1, answer
    reasons = {failure["failureCode"]: failure["failureReason"] for failure in answer["failures"]}
    codes = ["ImageNotFound", "ImageTagDoesNotMatchDigest", "InvalidImageDigest", "MissingDigestAndTag"]
    assert sorted(reasons) == codes, answer
    assert reasons["ImageNotFound"] == "Requested image not found", reasons


@case
def deletes_by_tag_and_by_digest():
    name = repository("delete")
    text = push(name, "v1")
    ecr.put_image(repositoryName=name, imageManifest=text, imageTag="v2")
    by_tag = ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    assert by_tag["imageIds"] == [{"imageDigest": digest(text.encode()), "imageTag": "v1"}], by_tag
    ecr.put_image(repositoryName=name, imageManifest=text, imageTag="v3")
    by_digest = ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": digest(text.encode())}])
    assert sorted(image["imageTag"] for image in by_digest["imageIds"]) == ["v2", "v3"], by_digest
    assert ecr.list_images(repositoryName=name)["imageIds"] == []


@case
def tells_of_each_image_that_cannot_be_deleted():
    name = repository("delete-failures")
    child = push(name, None)
    ecr.put_image(repositoryName=name, imageManifest=index_of(child), imageTag="all")
    ids = [{"imageDigest": digest(child.encode())}, {"imageTag": "absent"}, {"imageDigest": "short"}, {}]
    failures = ecr.batch_delete_image(repositoryName=name, imageIds=ids)["failures"]
    told = {failure["failureCode"]: failure["failureReason"] for failure in failures}
    regex = "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    assert told == {
        "ImageReferencedByManifestList": "Requested image referenced by manifest list",
        "ImageNotFound": "Requested image not found",
        "InvalidImageDigest": f"Invalid request parameters: image digest should satisfy the regex {regex}",
        "MissingDigestAndTag": "Invalid request parameters: both tag and digest cannot be null",
    }, told


@case
def lists_and_filters_images_in_pages():
    name = repository("filter")
    for number in range(5):
        push(name, f"v{number}", f"layer {number}".encode())
    push(name, None, b"untagged")
    tagged = {"repositoryName": name, "filter": {"tagStatus": "TAGGED"}}
    pages = list(ecr.get_paginator("list_images").paginate(**tagged, PaginationConfig={"PageSize": 2}))
    assert sorted(image["imageTag"] for page in pages for image in page["imageIds"]) == [f"v{n}" for n in range(5)]
    untagged = ecr.list_images(repositoryName=name, filter={"tagStatus": "UNTAGGED"})["imageIds"]
    assert len(untagged) == 1 and "imageTag" not in untagged[0], untagged
    details = ecr.get_paginator("describe_images").paginate(repositoryName=name, PaginationConfig={"PageSize": 4})
    assert sum(len(page["imageDetails"]) for page in details) == 6


@case
def describes_an_index_and_a_referrer():
    name = repository("kinds")
    child = push(name, None)
    ecr.put_image(repositoryName=name, imageManifest=index_of(child), imageTag="all")
    subject = descriptor(MANIFEST, child.encode())
    kind = "application/vnd.example.signature"
    empty = descriptor("application/vnd.oci.empty.v1+json", b"{}")
    push(name, None, b"signature", artifactType=kind, config=empty, subject=subject)
    details = ecr.describe_images(repositoryName=name)["imageDetails"]
    assert INDEX in [detail["imageManifestMediaType"] for detail in details], details
    [referrer] = [detail for detail in details if "subjectManifestDigest" in detail]
    assert referrer["subjectManifestDigest"] == digest(child.encode()), referrer
    assert referrer["artifactMediaType"] == kind, referrer


# Registry


@case
def gets_an_authorization_token_for_each_registry_asked():
    [data] = ecr.get_authorization_token()["authorizationData"]
    user, password = base64.b64decode(data["authorizationToken"]).decode().split(":")
    assert user == "AWS" and password, user
    [asked] = ecr.get_authorization_token(registryIds=[ACCOUNT])["authorizationData"]
    assert asked["proxyEndpoint"].startswith(f"https://{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"), asked


@case
def describes_the_registry():
    described = ecr.describe_registry()
    assert described["registryId"] == ACCOUNT, described
    assert described["replicationConfiguration"] == {"rules": []}, described


@case
def sets_gets_and_deletes_a_repository_policy():
    name = repository("policy")
    absent = f"Repository policy does not exist for the repository with name '{name}' in the registry with id '{ACCOUNT}'"
    fails("RepositoryPolicyNotFoundException", ecr.get_repository_policy, absent, repositoryName=name)
    fails("RepositoryPolicyNotFoundException", ecr.delete_repository_policy, absent, repositoryName=name)
    for text in ["", "{", "[]", "{}", '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}']:
        fails("InvalidParameterException", ecr.set_repository_policy, repositoryName=name, policyText=text)
    statement = {"Sid": "Read", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    put = ecr.set_repository_policy(repositoryName=name, policyText=text)
    got = ecr.get_repository_policy(repositoryName=name)
    assert json.loads(got["policyText"]) == json.loads(put["policyText"]) == json.loads(text), got
    assert ecr.delete_repository_policy(repositoryName=name)["policyText"] == got["policyText"]
    fails("RepositoryPolicyNotFoundException", ecr.get_repository_policy, absent, repositoryName=name)


@case
def puts_gets_and_deletes_a_registry_policy():
    fails("RegistryPolicyNotFoundException", ecr.get_registry_policy)
    fails("RegistryPolicyNotFoundException", ecr.delete_registry_policy)
    fails("InvalidParameterException", ecr.put_registry_policy, policyText="{")
    statement = {
        "Sid": "Replicate",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": ["ecr:ReplicateImage"],
        "Resource": f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*",
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert ecr.put_registry_policy(policyText=text)["registryId"] == ACCOUNT
    assert json.loads(ecr.get_registry_policy()["policyText"]) == json.loads(text)
    ecr.delete_registry_policy()
    fails("RegistryPolicyNotFoundException", ecr.get_registry_policy)


@case
def reads_and_changes_account_settings():
    before = ecr.get_account_setting(name="BLOB_MOUNTING")
    for value in ["DISABLED", "ENABLED"]:
        assert ecr.put_account_setting(name="BLOB_MOUNTING", value=value)["value"] == value
        assert ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == value
    ecr.put_account_setting(name="BLOB_MOUNTING", value=before["value"])
    fails("InvalidParameterException", ecr.put_account_setting, name="BLOB_MOUNTING", value="PERHAPS")
    fails("InvalidParameterException", ecr.get_account_setting, name="NO_SUCH_SETTING")


@case
def lists_the_referrers_of_an_image():
    name = repository("referrers")
    subject = push(name, "v1")
    subject_id = {"imageDigest": digest(subject.encode())}
    assert ecr.list_image_referrers(repositoryName=name, subjectId=subject_id)["referrers"] == []
    told = descriptor(MANIFEST, subject.encode())
    about = [push(name, None, subject=told, artifactType=f"application/vnd.example.{n}") for n in range(3)]
    pages = []
    token = {}
    while True:
        page = ecr.list_image_referrers(repositoryName=name, subjectId=subject_id, maxResults=2, **token)
        pages.append([referrer["digest"] for referrer in page["referrers"]])
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert [len(page) for page in pages] == [2, 1], pages
    assert sorted(sum(pages, [])) == sorted(digest(text.encode()) for text in about), pages
    filtered = {"artifactTypes": ["application/vnd.example.1"]}
    one = ecr.list_image_referrers(repositoryName=name, subjectId=subject_id, filter=filtered)["referrers"]
    assert [referrer["artifactType"] for referrer in one] == ["application/vnd.example.1"], one


@case
def refuses_callers_that_it_does_not_know():
    stranger = boto3.client("ecr", aws_access_key_id="AKIDUNKNOWN", aws_secret_access_key="x")
    fails("UnrecognizedClientException", stranger.describe_registry)
    liar = boto3.client("ecr", aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong")
    fails("InvalidSignatureException", liar.describe_registry)


@case
def refuses_an_operation_that_does_not_exist():
    name = repository("unknown-operation")

    def rename(params, **_):
        params["headers"]["X-Amz-Target"] = "AmazonEC2ContainerRegistry_V20150921.PaintRepository"

    other = boto3.client("ecr")
    other.meta.events.register("before-call.ecr.ListImages", rename)
    fails("UnknownOperationException", other.list_images, repositoryName=name)


@case
def serves_many_callers_at_once():
    name = repository("crowd")

    def one(number):
        return push(name, f"v{number}", f"layer of {number}".encode())

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        pushed = list(pool.map(one, range(24)))
    pages = ecr.get_paginator("list_images").paginate(repositoryName=name)
    listed = {(image["imageTag"], image["imageDigest"]) for page in pages for image in page["imageIds"]}
    assert listed == {(f"v{n}", digest(text.encode())) for n, text in enumerate(pushed)}, listed


def identity(suffix, policy):
    """A role that a user of its own may assume; returns a session of the user and the role's ARN."""
    name = f"{PREFIX}-{suffix}".replace("/", "-")
    iam = boto3.client("iam")
    user = iam.create_user(UserName=name)["User"]["Arn"]
    key = iam.create_access_key(UserName=name)["AccessKey"]
    statement = {"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"]), role


def session_of(credentials):
    return boto3.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], aws_session_token=credentials["SessionToken"]
    )


@case
def assumes_a_role():
    name = repository("assumed")
    user, role = identity("assumed", "AmazonEC2ContainerRegistryPowerUser")
    assumed = user.client("sts").assume_role(RoleArn=role, RoleSessionName="run-1", DurationSeconds=900)
    left = assumed["Credentials"]["Expiration"] - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(0) < left <= datetime.timedelta(seconds=900), left
    session = session_of(assumed["Credentials"])
    arn = session.client("sts").get_caller_identity()["Arn"]
    assert arn == assumed["AssumedRoleUser"]["Arn"] and arn.endswith("/run-1"), arn
    assert session.client("ecr").list_images(repositoryName=name)["imageIds"] == []
    fails("AccessDeniedException", session.client("ecr").delete_repository, repositoryName=name)
    expires = session.client("ecr").get_authorization_token()["authorizationData"][0]["expiresAt"]
    # STS tells whole seconds.
    assert expires - assumed["Credentials"]["Expiration"] < datetime.timedelta(seconds=1), "a password outlives its session"


@case
def bounds_a_session_by_its_policy():
    name = repository("bounded")
    user, role = identity("bounded", "AmazonEC2ContainerRegistryPowerUser")
    statement = {"Effect": "Allow", "Action": "ecr:Describe*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assumed = user.client("sts").assume_role(RoleArn=role, RoleSessionName="run-1", Policy=policy)
    bounded = session_of(assumed["Credentials"]).client("ecr")
    bounded.describe_images(repositoryName=name)
    fails("AccessDeniedException", bounded.list_images, repositoryName=name)


@case
def excludes_a_role_from_pull_times():
    name = repository("excluded")
    push(name, "v1")
    user, role = identity("excluded", "AmazonEC2ContainerRegistryReadOnly")
    made = ecr.register_pull_time_update_exclusion(principalArn=role)
    assert made["principalArn"] == role and made["createdAt"].timestamp() > 1_700_000_000, made
    text = f"Pull time update exclusion for the principal '{role}' already exists in the registry with id '{ACCOUNT}'"
    fails("ExclusionAlreadyExistsException", ecr.register_pull_time_update_exclusion, text, principalArn=role)
    assert role in ecr.list_pull_time_update_exclusions(maxResults=1000)["pullTimeUpdateExclusions"]
    for bad in ["scanner", f"arn:aws:iam::{ACCOUNT}:root", role + "/" + "r" * 200]:
        fails("InvalidParameterException", ecr.register_pull_time_update_exclusion, principalArn=bad)
    assumed = user.client("sts").assume_role(RoleArn=role, RoleSessionName="scan")
    excluded = session_of(assumed["Credentials"]).client("ecr")
    pull = {"repositoryName": name, "imageIds": [{"imageTag": "v1"}]}
    # What is pulled before is written no later than what is pulled after it.
    assert excluded.batch_get_image(**pull)["images"]
    push(name, "v2", b"another")
    assert ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v2"}])["images"]
    for _ in range(120):
        details = ecr.describe_images(repositoryName=name)["imageDetails"]
        pulled = {detail["imageTags"][0]: detail.get("lastRecordedPullTime") for detail in details}
        if pulled["v2"]:
            break
        time.sleep(0.5)
    assert pulled["v2"] and not pulled["v1"], pulled
    assert ecr.deregister_pull_time_update_exclusion(principalArn=role)["principalArn"] == role
    text = f"Pull time update exclusion for the principal '{role}' does not exist in the registry with id '{ACCOUNT}'"
    fails("ExclusionNotFoundException", ecr.deregister_pull_time_update_exclusion, text, principalArn=role)


@case
def is_told_why_it_may_not():
    name = repository("told")
    user, _ = identity("told", "AmazonEC2ContainerRegistryPowerUser")
    try:
        user.client("ecr").list_images(repositoryName=name)
    except ClientError as error:
        said = error.response["Error"]["Message"]
    end = "because no identity-based policy allows the ecr:ListImages action"
    assert said.startswith("User: arn:aws:iam::000000000000:user/") and said.endswith(end), said


run()
