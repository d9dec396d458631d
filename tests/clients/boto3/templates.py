"""Drives repository creation templates through boto3, as Terraform does, and prints one line per case."""

import json

import boto3

from harness import ACCOUNT, CONFIG, PREFIX, case, fails, run

ecr = boto3.client("ecr", config=CONFIG)
iam = boto3.client("iam")


def create(suffix, **members):
    members.setdefault("appliedFor", ["CREATE_ON_PUSH"])
    made = ecr.create_repository_creation_template(prefix=f"{PREFIX}/{suffix}", **members)
    assert made["registryId"] == ACCOUNT, made
    return made["repositoryCreationTemplate"]


def find(suffix):
    """Reads one template as Terraform's refresh does: all pages, exactly one of the prefix."""
    pages = ecr.get_paginator("describe_repository_creation_templates")
    found = [t for page in pages.paginate(prefixes=[f"{PREFIX}/{suffix}"]) for t in page["repositoryCreationTemplates"]]
    return found[0] if len(found) == 1 else None


def policy(action):
    statement = {"Sid": "x", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def lifecycle(count):
    selection = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


@case
def lives_as_terraform_has_it_live():
    made = create(
        "tf",
        description="first",
        imageTagMutability="IMMUTABLE",
        encryptionConfiguration={"encryptionType": "AES256"},
        repositoryPolicy=policy("ecr:BatchGetImage"),
        lifecyclePolicy=lifecycle(7),
        resourceTags=[{"Key": "Name", "Value": "tf"}],
        customRoleArn=f"arn:aws:iam::{ACCOUNT}:role/tf",
        appliedFor=["CREATE_ON_PUSH", "PULL_THROUGH_CACHE"],
    )
    read = find("tf")
    assert read == made, (read, made)
    assert json.loads(read["repositoryPolicy"]) == json.loads(policy("ecr:BatchGetImage")), read
    # Only what has changed is sent.
    ecr.update_repository_creation_template(prefix=f"{PREFIX}/tf", description="second")
    changed = find("tf")
    assert changed.pop("description") == "second" and changed.pop("updatedAt") >= read.pop("updatedAt")
    read.pop("description")
    assert changed == read, (changed, read)
    ecr.delete_repository_creation_template(prefix=f"{PREFIX}/tf")
    assert find("tf") is None
    fails(
        "TemplateNotFoundException",
        ecr.delete_repository_creation_template,
        says=f"The repository creation template with prefix '{PREFIX}/tf' does not exist",
        prefix=f"{PREFIX}/tf",
    )


@case
def pages_through_templates():
    names = [f"pages/{number}" for number in range(5)]
    for name in names:
        create(name)
    wanted = [f"{PREFIX}/{name}" for name in names]
    pages = ecr.get_paginator("describe_repository_creation_templates")
    pages = pages.paginate(prefixes=wanted, PaginationConfig={"PageSize": 2})
    seen = [[t["prefix"] for t in page["repositoryCreationTemplates"]] for page in pages]
    assert [len(page) for page in seen] == [2, 2, 1] and sum(seen, []) == wanted, seen


@case
def is_told_what_no_template_can_have():
    create("taken")
    fails(
        "TemplateAlreadyExistsException",
        ecr.create_repository_creation_template,
        prefix=f"{PREFIX}/taken/",
        appliedFor=["REPLICATION"],
    )
    bad = "InvalidParameterException"
    for members in [
        {"appliedFor": ["SOMETIMES"]},
        {"imageTagMutability": "MUTABLE_WITH_EXCLUSION"},
        {"encryptionConfiguration": {"encryptionType": "KMS"}},
        {"repositoryPolicy": "{}"},
        {"lifecyclePolicy": "{}"},
        {"customRoleArn": "arn:aws:iam::999999999999:role/x"},
        {"resourceTags": [{"Key": "aws:x", "Value": ""}]},
        {"description": "x" * 257},
    ]:
        fails(bad, ecr.update_repository_creation_template, prefix=f"{PREFIX}/taken", **members)
    fails(bad, ecr.create_repository_creation_template, prefix="Not/A/Prefix", appliedFor=["REPLICATION"])
    fails(bad, ecr.create_repository_creation_template, prefix=f"{PREFIX}/new")
    fails(bad, ecr.describe_repository_creation_templates, maxResults=1001)


@case
def has_its_own_role():
    create("role")
    role = iam.get_role(RoleName="AWSServiceRoleForECRTemplate")["Role"]
    assert role["Path"] == "/aws-service-role/ecr.amazonaws.com/", role
    trusted = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert trusted == {"Service": "ecr.amazonaws.com"}, role


run()
