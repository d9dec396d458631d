//! ECR Public's API held against its model.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    answers, api,
    cases::{self, Breach, Source},
    model::{Kind, PUBLIC},
    operations,
    refusals::problem,
    scene::{Answer, Scene, image_digest, layer_digest, manifest},
};

/// What the layer of an image is.
const PART: &[u8] = b"a layer that the image is made of";
/// A repository that is always there.
const EXAMPLE: &str = "contract/example";

/// A server with a public repository.
struct Public(Scene);

impl Public {
    fn open() -> Self {
        let public = Self(Scene::open());
        let create = json!({ "repositoryName": EXAMPLE });
        public.done("CreateRepository", &create);
        public
    }

    /// Calls an operation; its answer must be one that the model allows.
    fn call(&self, operation: &str, input: &Value) -> Answer {
        let target = format!("SpencerFrontendService.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let input = input.to_string();
        let answer = api::post(self.0.connect(), "ecr-public", &headers, &input).unwrap();
        let answer = Answer {
            status: answer.status,
            body: serde_json::from_slice(&answer.body).unwrap(),
        };
        answers::assert_allowed(&PUBLIC, operation, &answer);
        answer
    }

    /// Calls an operation that must succeed.
    fn done(&self, operation: &str, input: &Value) -> Value {
        let answer = self.call(operation, input);
        assert_eq!(answer.status, 200, "{operation} {input}: {answer:?}");
        answer.body
    }

    fn repository(&self) -> String {
        let name = self.0.fresh_name();
        self.done("CreateRepository", &json!({ "repositoryName": name }));
        name
    }

    /// A repository with an image under the tag `tag`.
    fn with_image(&self) -> String {
        let name = self.repository();
        let complete = json!({ "repositoryName": name, "uploadId": self.upload(&name, PART),
            "layerDigests": [layer_digest()] });
        self.done("CompleteLayerUpload", &complete);
        let put = json!({ "repositoryName": name, "imageManifest": manifest(), "imageTag": "tag" });
        self.done("PutImage", &put);
        name
    }

    /// An upload that has one part.
    fn upload(&self, repository: &str, bytes: &[u8]) -> String {
        let named = json!({ "repositoryName": repository });
        let begun = self.done("InitiateLayerUpload", &named);
        let upload = begun["uploadId"].as_str().unwrap();
        let part = json!({ "repositoryName": repository, "uploadId": upload, "partFirstByte": 0,
            "partLastByte": bytes.len() - 1, "layerPartBlob": STANDARD.encode(bytes) });
        self.done("UploadLayerPart", &part);
        upload.to_owned()
    }

    /// Makes what an operation needs and returns an input that succeeds, once.
    fn minimal(&self, operation: &str) -> Value {
        let named = |name: String| json!({ "repositoryName": name });
        let arn = || {
            let name = self.repository();
            format!("arn:aws:ecr-public::000000000000:repository/{name}")
        };
        let with = |mut input: Value, member: &str, value: Value| {
            input[member] = value;
            input
        };
        match operation {
            "CreateRepository" => named(self.0.fresh_name()),
            "DeleteRepository" | "InitiateLayerUpload" => named(self.repository()),
            "DescribeImages" | "DescribeImageTags" => named(self.with_image()),
            "BatchCheckLayerAvailability" => {
                let digests = json!([layer_digest()]);
                with(named(self.with_image()), "layerDigests", digests)
            }
            "BatchDeleteImage" => {
                let ids = json!([{ "imageTag": "tag" }]);
                with(named(self.with_image()), "imageIds", ids)
            }
            "PutImage" => {
                let input = with(named(self.with_image()), "imageManifest", json!(manifest()));
                with(input, "imageTag", json!("other"))
            }
            "SetRepositoryPolicy" => with(named(self.repository()), "policyText", policy()),
            "GetRepositoryPolicy" | "DeleteRepositoryPolicy" => {
                let name = self.repository();
                let set = with(named(name.clone()), "policyText", policy());
                self.done("SetRepositoryPolicy", &set);
                named(name)
            }
            "PutRepositoryCatalogData" => with(
                named(self.repository()),
                "catalogData",
                json!({ "description": "d" }),
            ),
            "GetRepositoryCatalogData" => {
                let name = self.repository();
                let data = json!({ "description": "d" });
                let put = with(named(name.clone()), "catalogData", data);
                self.done("PutRepositoryCatalogData", &put);
                named(name)
            }
            "ListTagsForResource" => json!({ "resourceArn": arn() }),
            "TagResource" => {
                json!({ "resourceArn": arn(), "tags": [{ "Key": "k", "Value": "v" }] })
            }
            "UntagResource" => json!({ "resourceArn": arn(), "tagKeys": ["k"] }),
            "UploadLayerPart" => {
                let name = self.repository();
                let begun = self.done("InitiateLayerUpload", &named(name.clone()));
                json!({ "repositoryName": name, "uploadId": begun["uploadId"], "partFirstByte": 0,
                    "partLastByte": 3, "layerPartBlob": STANDARD.encode(b"part") })
            }
            "CompleteLayerUpload" => {
                let name = self.repository();
                let upload = self.upload(&name, PART);
                json!({ "repositoryName": name, "uploadId": upload, "layerDigests": [layer_digest()] })
            }
            _ => json!({}),
        }
    }
}

fn policy() -> Value {
    let statement = json!({ "Effect": "Allow", "Principal": { "AWS": "000000000000" },
        "Action": "ecr-public:PutImage" });
    json!(json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string())
}

fn source() -> Source {
    Source {
        model: &PUBLIC,
        example,
    }
}

/// A value of a shape, with no member that is not required.
fn example(name: &str) -> Value {
    let shape = PUBLIC.shape(name);
    match (shape.kind, name) {
        (Kind::Structure, "ImageIdentifier") => json!({ "imageTag": "tag" }),
        (Kind::Structure, "Tag") => json!({ "Key": "k", "Value": "v" }),
        (Kind::Structure, _) => {
            let member = |name: &String| (name.clone(), example(&shape.members[name].shape));
            Value::Object(shape.required.iter().map(member).collect::<Map<_, _>>())
        }
        (Kind::List, _) => json!([example(&shape.member.as_ref().unwrap().shape)]),
        (Kind::Boolean, _) => json!(true),
        (Kind::Integer | Kind::Long, _) => json!(shape.min.unwrap_or(0).max(1)),
        (Kind::Blob, _) => json!(STANDARD.encode(png())),
        (Kind::String, "RepositoryName") => json!(EXAMPLE),
        (Kind::String, "ImageDigest") => json!(image_digest()),
        (Kind::String, "MediaType") => json!("application/vnd.oci.image.manifest.v1+json"),
        (Kind::String, name) if name.starts_with("RegistryId") => json!("000000000000"),
        (Kind::String, _) => json!("example"),
        (other, _) => panic!("no example of {other:?} for {name}"),
    }
}

fn png() -> Vec<u8> {
    let side = 60_u32.to_be_bytes();
    let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    [head.as_slice(), &side, &side, b"\0\0\0\0IEND\xaeB`\x82"].concat()
}

fn built() -> Vec<&'static str> {
    let built = operations::works("Amazon ECR Public");
    assert_eq!(built.len(), 23);
    built
}

#[test]
fn every_breach_of_the_model_of_ecr_public_is_refused_with_the_documented_error() {
    let public = Public::open();
    let (mut n_cases, mut problems) = (0, Vec::new());
    for operation in built() {
        let input = public.minimal(operation);
        for case in cases::of(source(), operation, &input) {
            let answer = public.call(operation, &case.input);
            // Tags have errors of their own.
            let of_tags = matches!(
                answer.code(),
                "TooManyTagsException" | "InvalidTagParameterException"
            ) && matches!(case.breach, Breach::Long | Breach::Short)
                && case.at.starts_with("tag");
            if !of_tags {
                problems.extend(problem(operation, &case, &answer));
            }
            n_cases += 1;
        }
    }
    println!("{n_cases} broken inputs refused");
    assert!(n_cases > 300, "only {n_cases} cases");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_member_of_the_model_of_ecr_public_is_taken_when_it_is_right() {
    let public = Public::open();
    let mut problems = Vec::new();
    for operation in built() {
        public.done(operation, &public.minimal(operation));
        let with = cases::with_each_member(source(), operation, &public.minimal(operation));
        for (member, input) in with {
            let expected = match member.as_str() {
                // A page token is sealed by the server; no other text is one.
                "nextToken" => "InvalidParameterException",
                _ => "",
            };
            let mut fresh = public.minimal(operation);
            fresh[&member] = input[&member].clone();
            let answer = public.call(operation, &fresh);
            if answer.code() != expected {
                problems.push(format!("{operation} with {member}: {answer:?}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_is_not_there_is_answered_with_a_declared_error_of_ecr_public() {
    let public = Public::open();
    let mut answered = BTreeSet::new();
    for operation in built() {
        let mut input = public.minimal(operation);
        if input.get("repositoryName").is_some() && operation != "CreateRepository" {
            input["repositoryName"] = json!("contract/absent");
        } else if input.get("resourceArn").is_some() {
            let arn = "arn:aws:ecr-public::000000000000:repository/contract/absent";
            input["resourceArn"] = json!(arn);
        } else if operation == "DescribeRepositories" {
            input["repositoryNames"] = json!(["contract/absent"]);
        } else {
            continue;
        }
        let code = "RepositoryNotFoundException";
        let answer = public.call(operation, &input);
        assert_eq!(answer.code(), code, "{operation}: {answer:?}");
        let members = &PUBLIC.shape(PUBLIC.input(operation)).members;
        if members.contains_key("registryId") {
            // Another account's registry is closed to the caller; an alias that nobody has is none.
            input["registryId"] = json!("999999999999");
            let answer = public.call(operation, &input);
            assert_eq!(
                answer.code(),
                "AccessDeniedException",
                "{operation}: {answer:?}"
            );
            input["registryId"] = json!("nobodys");
            answered.insert(public.call(operation, &input).code().to_owned());
        }
    }
    let expected = ["InvalidParameterException", "RegistryNotFoundException"];
    assert_eq!(answered, expected.map(str::to_owned).into());
}
