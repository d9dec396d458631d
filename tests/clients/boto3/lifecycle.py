"""Drives lifecycle policies, and what this registry has beyond ECR, through boto3; prints one line per case."""

import json
import urllib.error
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from harness import CONFIG, MANIFEST, PREFIX, case, digest, fails, run

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
    return {"digest": digest(data), "size": len(data)}


def push(name, tag):
    config = {"mediaType": "application/vnd.oci.image.config.v1+json"} | upload(name, json.dumps({"of": tag}).encode())
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"} | upload(name, tag.encode())
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    put = ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag=tag)
    return put["image"]["imageId"]["imageDigest"]


def policy(*rules):
    rules = [
        {"rulePriority": at, "selection": selection, "action": {"type": "expire"}} for at, selection in enumerate(rules, 1)
    ]
    return json.dumps({"rules": rules})


def newest(number, *patterns):
    of = {"tagStatus": "tagged", "tagPatternList": list(patterns)} if patterns else {"tagStatus": "any"}
    return of | {"countType": "imageCountMoreThan", "countNumber": number}


def beyond(operation, **members):
    """Calls an operation that ECR has not, signed for ECR; returns the status and the answer."""
    session = boto3.session.Session()
    url = ecr.meta.endpoint_url
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"LongshoreRegistry_V20261121.{operation}",
    }
    request = AWSRequest("POST", url, headers, json.dumps(members).encode())
    SigV4Auth(session.get_credentials(), "ecr", ecr.meta.region_name).add_auth(request)
    request = request.prepare()
    try:
        answer = urllib.request.urlopen(urllib.request.Request(request.url, request.body, dict(request.headers)))
        return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def preview(name, text):
    ecr.start_lifecycle_policy_preview(repositoryName=name, lifecyclePolicyText=text)
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(
        repositoryName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    pages = ecr.get_paginator("get_lifecycle_policy_preview").paginate(
        repositoryName=name, PaginationConfig={"PageSize": 2}
    )
    return [result for page in pages for result in page["previewResults"]]


@case
def previews_in_pages():
    name = repository("pages")
    digests = [push(name, f"v{number}") for number in range(6)]
    results = preview(name, policy(newest(1)))
    assert [result["imageDigest"] for result in results] == digests[4::-1], results
    assert {result["action"]["type"] for result in results} == {"EXPIRE"}
    assert {result["appliedRulePriority"] for result in results} == {1}


@case
def refuses_what_is_no_policy():
    name = repository("refusals")
    for text, said in [
        ("{}", "Member must have length greater than or equal to 100"),
        (" " * 100, "Could not map policyString into LifecyclePolicy."),
        (" " * 30721, "Member must have length less than or equal to 30720"),
        (policy(newest(1), newest(2)), "must have the lowest priority"),
        (policy(newest(1, "v*"), newest(2, "v*")), "Each rule must have a unique tagPatternList"),
        (policy(newest(1, "*****")), "more than 4 wildcards"),
        (policy(*[newest(1, f"v{number}") for number in range(51)]), "array is too long"),
    ]:
        for call in [ecr.put_lifecycle_policy, ecr.start_lifecycle_policy_preview]:
            fails("InvalidParameterException", call, says=said, repositoryName=name, lifecyclePolicyText=text)


@case
def knows_one_preview_at_a_time_and_what_is_not_there():
    name = repository("absent")
    for call, error in [
        (ecr.get_lifecycle_policy, "LifecyclePolicyNotFoundException"),
        (ecr.delete_lifecycle_policy, "LifecyclePolicyNotFoundException"),
        (ecr.start_lifecycle_policy_preview, "LifecyclePolicyNotFoundException"),
        (ecr.get_lifecycle_policy_preview, "LifecyclePolicyPreviewNotFoundException"),
    ]:
        fails(error, call, repositoryName=name)
        fails("RepositoryNotFoundException", call, repositoryName="none")
        fails("InvalidParameterException", call, repositoryName="No Name")
    fails("InvalidParameterException", ecr.get_lifecycle_policy_preview, repositoryName=name, maxResults=101)
    fails("InvalidParameterException", ecr.get_lifecycle_policy_preview, repositoryName=name, nextToken="x")


@case
def leases_images_in_use():
    name = repository("leases")
    used, unused = push(name, "v1"), push(name, "v2")
    newest_one = push(name, "v3")
    status, answer = beyond(
        "LeaseImages", repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "none"}], durationSeconds=3600
    )
    assert status == 200, answer
    assert [lease["imageDigest"] for lease in answer["leases"]] == [used], answer
    assert [failure["failureCode"] for failure in answer["failures"]] == ["ImageNotFound"], answer
    status, answer = beyond("ListImageLeases", repositoryName=name)
    assert [lease["imageDigest"] for lease in answer["leases"]] == [used], answer
    results = preview(name, policy(newest(1)))
    assert [result["imageDigest"] for result in results] == [unused], results
    for members, error in [
        ({"repositoryName": name}, "InvalidParameterException"),
        ({"repositoryName": name, "imageIds": [{"imageTag": "v1"}], "durationSeconds": 1}, "InvalidParameterException"),
        ({"repositoryName": "none", "imageIds": [{"imageTag": "v1"}]}, "RepositoryNotFoundException"),
    ]:
        status, answer = beyond("LeaseImages", **members)
        assert (status, answer["__type"]) == (400, error), answer
    status, answer = beyond("DescribeRepositories")
    assert (status, answer["__type"]) == (404, "UnknownOperationException"), answer
    ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": used}])
    assert beyond("ListImageLeases", repositoryName=name)[1]["leases"] == []
    assert newest_one != used


run()
