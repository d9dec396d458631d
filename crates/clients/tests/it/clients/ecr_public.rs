//! Public registries: the AWS command line interface and boto3 call every operation, and docker, skopeo and crane push
//! with a name and pull without one.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::docker::{build, docker};
use crate::harness::command::Command;
use crate::harness::image::{self, digest};
use crate::harness::{Case, Cases, Client, Scene};

pub(crate) fn client() -> Client {
    Client {
        name: "ecr-public",
        version: super::aws_cli::version,
        cases: Cases::Functions(CASES),
    }
}

/// boto3, through a program that tells of its own cases.
pub(crate) fn boto3() -> Client {
    Client {
        name: "boto3-public",
        version: super::boto3::version,
        cases: Cases::Program(|scene| {
            let program = scene.programs().join("boto3/public.py");
            scene.program(super::boto3::python(scene).arg(program))
        }),
    }
}

const CASES: &[Case] = &[
    Case::new("aws_manages_a_repository", aws_manages_a_repository),
    Case::new("aws_tells_catalog_data", aws_tells_catalog_data),
    Case::new("aws_tells_of_the_registry", aws_tells_of_the_registry),
    Case::new("aws_pushes_an_image_by_api", aws_pushes_an_image_by_api),
    Case::new(
        "docker_pushes_and_anybody_pulls",
        docker_pushes_and_anybody_pulls,
    ),
    Case::new(
        "skopeo_pushes_and_anybody_pulls",
        skopeo_pushes_and_anybody_pulls,
    ),
    Case::new(
        "crane_pushes_and_anybody_pulls",
        crane_pushes_and_anybody_pulls,
    ),
];

fn aws(scene: &Scene<'_>, verb: &str) -> Command {
    scene
        .command("aws")
        .args(["ecr-public", verb, "--output", "json"])
}

fn on(scene: &Scene<'_>, verb: &str, name: &str) -> Command {
    aws(scene, verb).args(["--repository-name", name])
}

/// Makes a repository; returns its name and its URI.
fn repository(scene: &Scene<'_>, suffix: &str) -> Result<(String, String)> {
    let name = format!("{}/{suffix}", scene.prefix());
    let created = on(scene, "create-repository", &name).json()?;
    let uri = created["repository"]["repositoryUri"].as_str();
    let uri = uri.context("no URI")?;
    let begins = format!("{}/public/", scene.host());
    ensure!(
        uri.starts_with(&begins) && uri.ends_with(&name),
        "{created}"
    );
    Ok((name, uri.to_owned()))
}

fn password(scene: &Scene<'_>) -> Result<String> {
    scene
        .command("aws")
        .args(["ecr-public", "get-login-password"])
        .text()
}

/// Logs every client of the case in to public registries.
fn log_in(scene: &Scene<'_>) -> Result<()> {
    scene
        .with_password(scene.host(), &password(scene)?)
        .map(drop)
}

fn aws_manages_a_repository(scene: &Scene<'_>) -> Result<()> {
    let (name, uri) = repository(scene, "app")?;
    on(scene, "create-repository", &name).refused(&["RepositoryAlreadyExistsException"])?;
    on(scene, "create-repository", "a--b").refused(&["InvalidParameterException"])?;
    let described = aws(scene, "describe-repositories")
        .args(["--repository-names", &name])
        .json()?;
    let repository = &described["repositories"][0];
    let arn = format!("arn:aws:ecr-public::000000000000:repository/{name}");
    ensure!(
        repository["repositoryArn"] == arn.as_str() && repository["repositoryUri"] == uri.as_str(),
        "{described}"
    );
    ensure!(
        repository.get("imageTagMutability").is_none(),
        "{described}"
    );
    let tagged = |verb: &str| aws(scene, verb).args(["--resource-arn", &arn]);
    tagged("tag-resource")
        .args(["--tags", "Key=team,Value=web"])
        .run()?;
    let tags = tagged("list-tags-for-resource").json()?;
    ensure!(
        tags == json!({"tags": [{"Key": "team", "Value": "web"}]}),
        "{tags}"
    );
    tagged("untag-resource")
        .args(["--tag-keys", "team"])
        .run()?;
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": "000000000000"},
        "Action": ["ecr-public:PutImage", "ecr-public:UploadLayerPart"]});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    on(scene, "get-repository-policy", &name).refused(&["RepositoryPolicyNotFoundException"])?;
    on(scene, "set-repository-policy", &name)
        .args(["--policy-text", &policy])
        .run()?;
    let read = on(scene, "get-repository-policy", &name).json()?;
    ensure!(read["policyText"] == policy.as_str(), "{read}");
    on(scene, "delete-repository-policy", &name).run()?;
    on(scene, "delete-repository-policy", &name).refused(&["RepositoryPolicyNotFoundException"])?;
    on(scene, "delete-repository", &name).run()?;
    on(scene, "delete-repository", &name).refused(&["RepositoryNotFoundException"])
}

fn aws_tells_catalog_data(scene: &Scene<'_>) -> Result<()> {
    let (name, _) = repository(scene, "app")?;
    on(scene, "get-repository-catalog-data", &name)
        .refused(&["RepositoryCatalogDataNotFoundException"])?;
    let put = |data: &Value| {
        on(scene, "put-repository-catalog-data", &name).args(["--catalog-data", &data.to_string()])
    };
    let data = json!({"description": "an app", "architectures": ["ARM 64", "x86-64"],
        "operatingSystems": ["Linux"], "aboutText": "# About", "usageText": "Use it."});
    put(&data).run()?;
    let told = on(scene, "get-repository-catalog-data", &name).json()?;
    let told = &told["catalogData"];
    for member in [
        "description",
        "architectures",
        "operatingSystems",
        "aboutText",
        "usageText",
    ] {
        ensure!(told[member] == data[member], "{member}: {told}");
    }
    for wrong in [
        json!({"description": "d".repeat(1025)}),
        json!({"aboutText": "a".repeat(25_601)}),
        json!({"architectures": vec!["a"; 51]}),
        // This command line sends the text itself; boto3 sends pictures.
        json!({"logoImageBlob": "GIF89a"}),
    ] {
        put(&wrong).refused(&["InvalidParameterException"])?;
    }
    Ok(())
}

fn aws_tells_of_the_registry(scene: &Scene<'_>) -> Result<()> {
    let (_, uri) = repository(scene, "app")?;
    let described = aws(scene, "describe-registries").json()?;
    let registry = &described["registries"][0];
    let registry_uri = registry["registryUri"].as_str().context("no URI")?;
    ensure!(uri.starts_with(registry_uri), "{described}");
    ensure!(
        registry["registryArn"] == "arn:aws:ecr-public::000000000000:registry/000000000000"
            && registry["verified"] == false
            && registry["aliases"][0]["defaultRegistryAlias"] == true,
        "{described}"
    );
    let named = aws(scene, "put-registry-catalog-data")
        .args(["--display-name", "Our team"])
        .json()?;
    ensure!(
        named == json!({"registryCatalogData": {"displayName": "Our team"}}),
        "{named}"
    );
    let read = aws(scene, "get-registry-catalog-data").json()?;
    ensure!(read == named, "{read}");
    let token = aws(scene, "get-authorization-token").json()?;
    ensure!(
        token["authorizationData"]["authorizationToken"].is_string(),
        "no token"
    );
    aws(scene, "describe-registries")
        .args(["--region", "eu-west-1"])
        .refused(&["UnsupportedCommandException"])
}

fn aws_pushes_an_image_by_api(scene: &Scene<'_>) -> Result<()> {
    let (name, uri) = repository(scene, "app")?;
    let alias = uri.split('/').nth(2).context("no alias")?;
    let layer = image::noise(7, 20_000);
    let on = |verb: &str| on(scene, verb, &name).args(["--registry-id", alias]);
    let check = ["--layer-digests", &digest(&layer)];
    let checked = on("batch-check-layer-availability").args(check).json()?;
    ensure!(
        checked["layers"][0]["layerAvailability"] == "UNAVAILABLE",
        "{checked}"
    );
    let begun = on("initiate-layer-upload").json()?;
    let upload = begun["uploadId"].as_str().context("no upload")?;
    let blob = scene.file("layer", &layer)?;
    on("upload-layer-part")
        .args(["--upload-id", upload, "--part-first-byte", "0"])
        .args(["--part-last-byte", &(layer.len() - 1).to_string()])
        .args(["--layer-part-blob", &format!("fileb://{}", blob.display())])
        .run()?;
    on("complete-layer-upload")
        .args(["--upload-id", upload])
        .args(check)
        .run()?;
    let descriptor =
        json!({"mediaType": image::OCI_LAYER, "digest": digest(&layer), "size": layer.len()});
    let manifest = json!({"schemaVersion": 2, "mediaType": image::OCI_MANIFEST,
        "config": descriptor, "layers": [descriptor]})
    .to_string();
    for tag in ["v1", "v2", "v3"] {
        on("put-image")
            .args(["--image-manifest", &manifest, "--image-tag", tag])
            .run()?;
    }
    on("put-image")
        .args(["--image-manifest", &manifest, "--image-tag", "v1"])
        .refused(&["ImageAlreadyExistsException"])?;
    aws_tells_of_an_image(scene, &name, &manifest)?;
    let registry = ["--repository-name", &name, "--registry-id", "nobodys"];
    aws(scene, "initiate-layer-upload")
        .args(registry)
        .refused(&["RegistryNotFoundException"])?;
    let deleted = on("batch-delete-image")
        .args(["--image-ids", "imageTag=v1"])
        .json()?;
    ensure!(deleted["imageIds"][0]["imageTag"] == "v1", "{deleted}");
    self::on(scene, "delete-repository", &name).refused(&["RepositoryNotEmptyException"])?;
    self::on(scene, "delete-repository", &name)
        .arg("--force")
        .run()
        .map(drop)
}

/// What is told of an image that has the tags v1 to v3.
fn aws_tells_of_an_image(scene: &Scene<'_>, name: &str, manifest: &str) -> Result<()> {
    let images = on(scene, "describe-images", name).json()?;
    let image = &images["imageDetails"][0];
    ensure!(
        image["imageDigest"] == digest(manifest.as_bytes()) && image.get("imageStatus").is_none(),
        "{images}"
    );
    on(scene, "describe-images", name)
        .args(["--image-ids", "imageTag=absent"])
        .refused(&["ImageNotFoundException"])?;
    // The command line goes through all pages by itself.
    let tags = on(scene, "describe-image-tags", name)
        .args(["--page-size", "1"])
        .json()?;
    let tags = tags["imageTagDetails"].as_array().context("no tags")?;
    let names: Vec<_> = tags.iter().map(|tag| tag["imageTag"].as_str()).collect();
    ensure!(names == [Some("v1"), Some("v2"), Some("v3")], "{names:?}");
    let detail = &tags[0]["imageDetail"];
    ensure!(detail["imageDigest"] == image["imageDigest"], "{detail}");
    Ok(())
}

fn docker_pushes_and_anybody_pulls(scene: &Scene<'_>) -> Result<()> {
    let (_, uri) = repository(scene, "app")?;
    let tagged = format!("{uri}:v1");
    build(scene, &tagged, "public")?;
    docker(scene)?
        .args([
            "login",
            "--username",
            "AWS",
            "--password-stdin",
            scene.host(),
        ])
        .stdin(password(scene)?.as_bytes())?
        .run()?;
    docker(scene)?.args(["push", &tagged]).run()?;
    docker(scene)?.args(["logout", scene.host()]).run()?;
    docker(scene)?.args(["rmi", "--force", &tagged]).run()?;
    docker(scene)?.args(["pull", &tagged]).run()?;
    // Whoever is logged in to private registries pulls, too.
    docker(scene)?.args(["rmi", "--force", &tagged]).run()?;
    scene.logged_in()?;
    docker(scene)?.args(["pull", &tagged]).run().map(drop)
}

fn skopeo_pushes_and_anybody_pulls(scene: &Scene<'_>) -> Result<()> {
    let (_, uri) = repository(scene, "app")?;
    let copy = || {
        let command = scene.command("skopeo");
        command.args(["copy", "--src-tls-verify=false", "--dest-tls-verify=false"])
    };
    let target = format!("docker://{uri}:v1");
    let (layout, digest) = image::single(scene.path("layout"), b"public by skopeo")?;
    let source = format!("oci:{}:v1", layout.path.display());
    copy().args([&source, &target]).refused(&["unauthorized"])?;
    log_in(scene)?;
    copy()
        .args(["--preserve-digests", &source, &target])
        .run()?;
    scene.logged_out()?;
    let told = scene
        .command("skopeo")
        .args(["inspect", "--tls-verify=false", &target])
        .json()?;
    ensure!(told["Digest"] == digest.as_str(), "{told}");
    copy().args([&target, "oci:back:v1"]).run().map(drop)
}

fn crane_pushes_and_anybody_pulls(scene: &Scene<'_>) -> Result<()> {
    let ((_, uri), (_, other)) = (repository(scene, "app")?, repository(scene, "other")?);
    let crane = |verb: &str| scene.command("crane").arg(verb);
    let (layout, digest) = image::multi(scene.path("layout"), b"public by crane")?;
    let tagged = format!("{uri}:v1");
    crane("push")
        .arg(&layout.path)
        .arg(&tagged)
        .refused(&["UNAUTHORIZED"])?;
    // A private login is none here.
    scene.logged_in()?;
    crane("push")
        .arg(&layout.path)
        .arg(&tagged)
        .refused(&["UNAUTHORIZED"])?;
    log_in(scene)?;
    crane("push").arg(&layout.path).arg(&tagged).run()?;
    // Layers are mounted from one repository of the registry into another.
    crane("copy")
        .args([&tagged, &format!("{other}:v1")])
        .run()?;
    scene.logged_out()?;
    ensure!(
        crane("digest").arg(&tagged).text()? == digest,
        "another image"
    );
    ensure!(crane("ls").arg(&other).text()? == "v1", "other tags");
    crane("pull")
        .args([&format!("{other}:v1"), "pulled.tar"])
        .run()
        .map(drop)
}
