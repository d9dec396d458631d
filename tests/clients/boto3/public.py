"""Drives public registries through boto3 and prints one line per case."""

import base64
import json
import urllib.error
import urllib.request

import boto3

from harness import ACCOUNT, CONFIG, MANIFEST, MIB, PREFIX, case, digest, fails, run

public = boto3.client("ecr-public", region_name="us-east-1", config=CONFIG)


def repository(suffix, **members):
    name = f"{PREFIX}/{suffix}"
    return name, public.create_repository(repositoryName=name, **members)


def layer(name, data):
    upload = public.initiate_layer_upload(repositoryName=name)
    assert upload["partSize"] == 10 * MIB, upload
    part = {"repositoryName": name, "uploadId": upload["uploadId"], "partFirstByte": 0}
    sent = public.upload_layer_part(partLastByte=len(data) - 1, layerPartBlob=data, **part)
    assert sent["lastByteReceived"] == len(data) - 1 and sent["registryId"] == ACCOUNT, sent
    complete = {"repositoryName": name, "uploadId": upload["uploadId"], "layerDigests": [digest(data)]}
    return public.complete_layer_upload(**complete)


def manifest(data):
    descriptor = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(data), "size": len(data)}
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor, "layers": [descriptor]})


@case
def pages_through_tags_and_repositories():
    name, _ = repository("pages")
    layer(name, b"one layer")
    tags = [f"t{number:02}" for number in range(7)]
    for tag in tags:
        public.put_image(repositoryName=name, imageManifest=manifest(b"one layer"), imageTag=tag)
    pages = public.get_paginator("describe_image_tags").paginate(repositoryName=name, PaginationConfig={"PageSize": 3})
    found = [detail for page in pages for detail in page["imageTagDetails"]]
    assert [detail["imageTag"] for detail in found] == tags, found
    assert {detail["imageDetail"]["imageDigest"] for detail in found} == {digest(manifest(b"one layer").encode())}
    assert all(detail["createdAt"].timestamp() > 1_700_000_000 for detail in found), found
    for number in range(3):
        repository(f"many{number}")
    pages = public.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2})
    names = [one["repositoryName"] for page in pages for one in page["repositories"]]
    assert names == sorted(names) and name in names, names
    assert len(list(public.get_paginator("describe_registries").paginate())) == 1
    images = public.get_paginator("describe_images").paginate(repositoryName=name)
    (image,) = [image for page in images for image in page["imageDetails"]]
    assert image["imageTags"] == tags and "imageStatus" not in image, image
    fails("InvalidParameterException", public.describe_image_tags, repositoryName=name, maxResults=1001)
    fails("InvalidParameterException", public.describe_image_tags, repositoryName=name, nextToken="x")


@case
def is_told_every_error_of_an_upload():
    name, _ = repository("uploads")
    absent = "01890000-0000-7000-8000-000000000000"
    part = {"repositoryName": name, "partFirstByte": 0, "partLastByte": 3, "layerPartBlob": b"part"}
    fails("UploadNotFoundException", public.upload_layer_part, uploadId=absent, **part)
    complete = {"repositoryName": name, "layerDigests": [digest(b"part")]}
    fails("UploadNotFoundException", public.complete_layer_upload, uploadId=absent, **complete)
    upload = public.initiate_layer_upload(repositoryName=name)["uploadId"]
    fails("EmptyUploadException", public.complete_layer_upload, uploadId=upload, **complete)
    public.upload_layer_part(uploadId=upload, **part)
    gap = fails("InvalidLayerPartException", public.upload_layer_part, uploadId=upload, **{**part, "partFirstByte": 9, "partLastByte": 12})
    assert gap["lastValidByteReceived"] == 3, gap
    fails("InvalidLayerException", public.complete_layer_upload, uploadId=upload, repositoryName=name, layerDigests=[digest(b"x")])
    public.upload_layer_part(uploadId=upload, **{**part, "partFirstByte": 4, "partLastByte": 7})
    both = {"repositoryName": name, "layerDigests": [digest(b"partpart")]}
    fails("LayerPartTooSmallException", public.complete_layer_upload, uploadId=upload, **both)
    layer(name, b"twice")
    fails("LayerAlreadyExistsException", layer, name=name, data=b"twice")


@case
def is_told_every_error_of_an_image():
    name, _ = repository("images")
    layer(name, b"one layer")
    put = {"repositoryName": name, "imageManifest": manifest(b"one layer"), "imageTag": "v1"}
    public.put_image(**put)
    fails("ImageAlreadyExistsException", public.put_image, **put)
    fails("ImageDigestDoesNotMatchException", public.put_image, imageDigest=digest(b"x"), **put)
    fails("LayersNotFoundException", public.put_image, repositoryName=name, imageManifest=manifest(b"absent"))
    child = {"mediaType": MANIFEST, "digest": digest(b"absent"), "size": 7}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [child]}
    fails("ReferencedImagesNotFoundException", public.put_image, repositoryName=name, imageManifest=json.dumps(index))
    fails("InvalidParameterException", public.put_image, repositoryName=name, imageManifest="{")
    many = {**index, "manifests": [child] * 1001}
    fails("LimitExceededException", public.put_image, repositoryName=name, imageManifest=json.dumps(many))
    fails("ImageNotFoundException", public.describe_images, repositoryName=name, imageIds=[{"imageTag": "absent"}])
    checked = public.batch_check_layer_availability(repositoryName=name, layerDigests=[digest(b"one layer"), "nonsense", ""])
    assert checked["layers"][0]["layerAvailability"] == "AVAILABLE", checked
    assert [one["failureCode"] for one in checked["failures"]] == ["InvalidLayerDigest", "MissingLayerDigest"], checked
    gone = public.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}, {"imageTag": "absent"}])
    assert gone["failures"][0]["failureCode"] == "ImageNotFound" and len(gone["imageIds"]) == 1, gone


@case
def is_told_every_error_of_a_repository():
    name, made = repository("told", tags=[{"Key": "k", "Value": "v"}])
    arn = made["repository"]["repositoryArn"]
    assert public.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "k", "Value": "v"}]
    fails("RepositoryAlreadyExistsException", public.create_repository, repositoryName=name)
    reserved = [{"Key": "aws:k", "Value": "v"}]
    fails("InvalidTagParameterException", public.create_repository, repositoryName=name + "2", tags=reserved)
    fails("RepositoryNotFoundException", public.delete_repository, repositoryName=name + "2")
    many = [{"Key": f"k{number}", "Value": ""} for number in range(51)]
    fails("TooManyTagsException", public.tag_resource, resourceArn=arn, tags=many)
    fails("InvalidTagParameterException", public.tag_resource, resourceArn=arn, tags=reserved)
    fails("RepositoryNotFoundException", public.list_tags_for_resource, resourceArn=arn + "2")
    fails("InvalidParameterException", public.list_tags_for_resource, resourceArn=arn.replace("ecr-public:", "ecr:us-east-1"))
    fails("RepositoryPolicyNotFoundException", public.get_repository_policy, repositoryName=name)
    fails("RepositoryPolicyNotFoundException", public.delete_repository_policy, repositoryName=name)
    fails("InvalidParameterException", public.set_repository_policy, repositoryName=name, policyText="{}")
    fails("RepositoryCatalogDataNotFoundException", public.get_repository_catalog_data, repositoryName=name)
    for bad in ["a--b", "a__b", "A", "a", "a" * 206]:
        fails("InvalidParameterException", public.create_repository, repositoryName=bad)
    for call in [public.initiate_layer_upload, public.get_repository_policy, public.describe_images, public.describe_image_tags]:
        fails("RepositoryNotFoundException", call, repositoryName="absent/absent")
    fails("RegistryNotFoundException", public.initiate_layer_upload, repositoryName=name, registryId="nobodys")
    fails("InvalidParameterException", public.initiate_layer_upload, repositoryName=name, registryId="No")
    fails("InvalidParameterException", public.describe_images, repositoryName=name, registryId="nobodys")
    far = boto3.client("ecr-public", region_name="eu-west-1", endpoint_url=public.meta.endpoint_url, config=CONFIG)
    fails("UnsupportedCommandException", far.get_registry_catalog_data)


@case
def names_its_registry():
    before = public.get_registry_catalog_data()["registryCatalogData"]
    named = public.put_registry_catalog_data(displayName="Ours")["registryCatalogData"]
    assert named == public.get_registry_catalog_data()["registryCatalogData"] == {"displayName": "Ours"}, named
    fails("InvalidParameterException", public.put_registry_catalog_data, displayName="n" * 101)
    public.put_registry_catalog_data(displayName=before.get("displayName", ""))


@case
def tells_a_repository_as_it_was_made():
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60).to_bytes(4, "big") * 2 + b"\0\0\0\0IEND\xaeB`\x82"
    data = {"description": "d", "architectures": ["ARM"], "operatingSystems": ["Linux"], "logoImageBlob": png}
    name, made = repository("made", catalogData=data)
    assert set(made["repository"]) == {"repositoryArn", "registryId", "repositoryName", "repositoryUri", "createdAt"}, made
    told = made["catalogData"]
    with urllib.request.urlopen(told["logoUrl"]) as logo:
        assert logo.read() == png
    again = public.put_repository_catalog_data(repositoryName=name, catalogData={"description": "", "aboutText": "a"})
    assert again["catalogData"] == {**{key: told[key] for key in ("architectures", "operatingSystems", "logoUrl")}, "aboutText": "a"}, again
    gone = public.delete_repository(repositoryName=name)["repository"]
    assert gone["repositoryUri"] == made["repository"]["repositoryUri"], gone
    try:
        urllib.request.urlopen(told["logoUrl"])
    except urllib.error.HTTPError as error:
        assert error.code == 404, error
    else:
        raise AssertionError("the logo is still there")


@case
def needs_both_actions_for_a_password():
    iam = boto3.client("iam")
    user = PREFIX.replace("/", "-") + "-user"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    theirs = boto3.client("ecr-public", region_name="us-east-1", config=CONFIG, **keys)
    fails("AccessDeniedException", theirs.get_authorization_token)

    def allow(*actions):
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=policy)

    allow("ecr-public:*")
    fails("AccessDeniedException", theirs.get_authorization_token)
    allow("ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken")
    token = theirs.get_authorization_token()["authorizationData"]["authorizationToken"]
    assert base64.b64decode(token).startswith(b"AWS:")
    iam.attach_user_policy(UserName=user, PolicyArn="arn:aws:iam::aws:policy/AmazonElasticContainerRegistryPublicReadOnly")
    theirs.describe_registries()
    fails("AccessDeniedException", theirs.create_repository, repositoryName="not/allowed")


run()
