//! Drives a registry through the AWS SDK for Rust and prints one line per case.

use std::env;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{Credentials, Region};
use aws_sdk_ecr::primitives::Blob;
use aws_sdk_ecr::types::{ImageIdentifier, LayerAvailability};
use sha2::{Digest, Sha256};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &[u8] = b"a layer from Rust";
const CONFIG: &[u8] = b"{}";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    println!("version {}", aws_sdk_ecr::meta::PKG_VERSION);
    if env::var_os("VERSION_ONLY").is_some() {
        return Ok(ExitCode::SUCCESS);
    }
    let prefix = env::var("REPOSITORY_PREFIX")?;
    let journey = Journey {
        client: client()?,
        repository: format!("{prefix}/app"),
        prefix,
    };
    let outcomes = [
        ("creates_a_repository", journey.creates_a_repository().await),
        (
            "reads_an_authorization_token",
            journey.reads_an_authorization_token().await,
        ),
        (
            "uploads_a_layer_in_parts",
            journey.uploads_a_layer_in_parts().await,
        ),
        (
            "puts_an_image_and_describes_it",
            journey.puts_an_image_and_describes_it().await,
        ),
        (
            "downloads_the_layer_from_its_url",
            journey.downloads_the_layer_from_its_url().await,
        ),
        (
            "maps_a_missing_repository_to_its_exception",
            journey.maps_a_missing_repository().await,
        ),
        (
            "maps_an_existing_repository_to_its_exception",
            journey.maps_an_existing_repository().await,
        ),
        (
            "maps_a_missing_image_to_its_exception",
            journey.maps_a_missing_image().await,
        ),
        (
            "reads_the_resume_point_from_a_refused_part",
            journey.reads_the_resume_point().await,
        ),
        (
            "pages_through_repositories",
            journey.pages_through_repositories().await,
        ),
    ];
    let mut code = ExitCode::SUCCESS;
    for (name, outcome) in outcomes {
        match outcome {
            Ok(()) => println!("ok {name}"),
            Err(error) => {
                code = ExitCode::FAILURE;
                println!("not ok {name}: {}", format!("{error:#}").replace('\n', " "));
            }
        }
    }
    Ok(code)
}

fn client() -> Result<Client> {
    let credentials = Credentials::new(
        env::var("AWS_ACCESS_KEY_ID")?,
        env::var("AWS_SECRET_ACCESS_KEY")?,
        None,
        None,
        "environment",
    );
    let config = aws_sdk_ecr::Config::builder()
        .behavior_version_latest()
        .credentials_provider(credentials)
        .region(Region::new(env::var("AWS_REGION")?))
        .endpoint_url(env::var("AWS_ENDPOINT_URL")?)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Ok(Client::from_conf(config))
}

struct Journey {
    client: Client,
    prefix: String,
    repository: String,
}

impl Journey {
    async fn creates_a_repository(&self) -> Result<()> {
        let out = self
            .client
            .create_repository()
            .repository_name(&self.repository)
            .send()
            .await?;
        let uri = out
            .repository()
            .and_then(|r| r.repository_uri())
            .context("no repository URI")?;
        ensure!(
            uri.ends_with(&format!("/{}", self.repository)),
            "repository URI {uri}"
        );
        Ok(())
    }

    async fn reads_an_authorization_token(&self) -> Result<()> {
        let out = self.client.get_authorization_token().send().await?;
        let data = out
            .authorization_data()
            .first()
            .context("no authorization data")?;
        // "QVdTO" is how "AWS:" begins in base64.
        ensure!(
            data.authorization_token()
                .context("no token")?
                .starts_with("QVdTO"),
            "token is not for AWS"
        );
        ensure!(data.expires_at().is_some(), "no expiry");
        Ok(())
    }

    async fn uploads_a_layer_in_parts(&self) -> Result<()> {
        self.upload(LAYER).await?;
        self.upload(CONFIG).await?;
        let out = self
            .client
            .batch_check_layer_availability()
            .repository_name(&self.repository)
            .layer_digests(digest(LAYER))
            .layer_digests(digest(CONFIG))
            .send()
            .await?;
        ensure!(out.layers().len() == 2, "{} layers", out.layers().len());
        for layer in out.layers() {
            ensure!(
                layer.layer_availability() == Some(&LayerAvailability::Available),
                "{layer:?}"
            );
        }
        Ok(())
    }

    async fn puts_an_image_and_describes_it(&self) -> Result<()> {
        let put = self
            .client
            .put_image()
            .repository_name(&self.repository)
            .image_tag("v1")
            .image_manifest(manifest())
            .image_manifest_media_type(MANIFEST_TYPE)
            .send()
            .await?;
        let digest = put
            .image()
            .and_then(|i| i.image_id())
            .and_then(|i| i.image_digest())
            .context("no digest")?;
        let out = self
            .client
            .describe_images()
            .repository_name(&self.repository)
            .send()
            .await?;
        let [detail] = out.image_details() else {
            bail!("{} images", out.image_details().len())
        };
        ensure!(
            detail.image_digest() == Some(digest),
            "described {:?}",
            detail.image_digest()
        );
        Ok(())
    }

    async fn downloads_the_layer_from_its_url(&self) -> Result<()> {
        let out = self
            .client
            .get_download_url_for_layer()
            .repository_name(&self.repository)
            .layer_digest(digest(LAYER))
            .send()
            .await?;
        ensure!(
            fetch(out.download_url().context("no URL")?)? == LAYER,
            "other bytes"
        );
        Ok(())
    }

    async fn maps_a_missing_repository(&self) -> Result<()> {
        let absent = format!("{}/absent", self.prefix);
        let outcome = self
            .client
            .describe_images()
            .repository_name(&absent)
            .send()
            .await;
        let Err(error) = outcome else {
            bail!("no error")
        };
        let error = error.into_service_error();
        ensure!(error.is_repository_not_found_exception(), "{error:?}");
        let message = error.meta().message().unwrap_or_default();
        ensure!(
            message.starts_with(&format!(
                "The repository with name '{absent}' does not exist"
            )),
            "{message}"
        );
        Ok(())
    }

    async fn maps_an_existing_repository(&self) -> Result<()> {
        let outcome = self
            .client
            .create_repository()
            .repository_name(&self.repository)
            .send()
            .await;
        let Err(error) = outcome else {
            bail!("no error")
        };
        let error = error.into_service_error();
        ensure!(error.is_repository_already_exists_exception(), "{error:?}");
        Ok(())
    }

    async fn maps_a_missing_image(&self) -> Result<()> {
        let absent = ImageIdentifier::builder().image_tag("absent").build();
        let outcome = self
            .client
            .describe_images()
            .repository_name(&self.repository)
            .image_ids(absent)
            .send()
            .await;
        let Err(error) = outcome else {
            bail!("no error")
        };
        let error = error.into_service_error();
        ensure!(error.is_image_not_found_exception(), "{error:?}");
        Ok(())
    }

    async fn reads_the_resume_point(&self) -> Result<()> {
        let upload = self.initiate().await?;
        self.part(&upload, 0, b"ten bytes.").await?;
        let Err(error) = self.part(&upload, 20, b"gap").await else {
            bail!("no error")
        };
        let error = error.downcast::<aws_sdk_ecr::Error>()?;
        let aws_sdk_ecr::Error::InvalidLayerPartException(refused) = error else {
            bail!("{error:?}")
        };
        ensure!(
            refused.last_valid_byte_received() == Some(9),
            "{:?}",
            refused.last_valid_byte_received()
        );
        Ok(())
    }

    async fn pages_through_repositories(&self) -> Result<()> {
        let wanted: Vec<_> = (0..5)
            .map(|i| format!("{}/page-{i}", self.prefix))
            .collect();
        for name in &wanted {
            self.client
                .create_repository()
                .repository_name(name)
                .send()
                .await?;
        }
        let mut seen = Vec::new();
        let mut pages = self
            .client
            .describe_repositories()
            .into_paginator()
            .page_size(2)
            .send();
        while let Some(page) = pages.next().await {
            seen.extend(
                page?
                    .repositories()
                    .iter()
                    .filter_map(|r| r.repository_name().map(str::to_owned)),
            );
        }
        ensure!(
            wanted.iter().all(|name| seen.contains(name)),
            "seen {seen:?}"
        );
        Ok(())
    }

    async fn upload(&self, bytes: &[u8]) -> Result<()> {
        let upload = self.initiate().await?;
        self.part(&upload, 0, bytes).await?;
        let done = self
            .client
            .complete_layer_upload()
            .repository_name(&self.repository)
            .upload_id(upload)
            .layer_digests(digest(bytes))
            .send()
            .await?;
        ensure!(
            done.layer_digest() == Some(digest(bytes).as_str()),
            "completed as {:?}",
            done.layer_digest()
        );
        Ok(())
    }

    async fn initiate(&self) -> Result<String> {
        let out = self
            .client
            .initiate_layer_upload()
            .repository_name(&self.repository)
            .send()
            .await?;
        Ok(out.upload_id().context("no upload id")?.to_owned())
    }

    async fn part(&self, upload: &str, first: i64, bytes: &[u8]) -> Result<()> {
        self.client
            .upload_layer_part()
            .repository_name(&self.repository)
            .upload_id(upload)
            .part_first_byte(first)
            .part_last_byte(first + i64::try_from(bytes.len())? - 1)
            .layer_part_blob(Blob::new(bytes))
            .send()
            .await
            .map_err(aws_sdk_ecr::Error::from)?;
        Ok(())
    }
}

fn manifest() -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}}]}}"#,
        digest(CONFIG),
        CONFIG.len(),
        digest(LAYER),
        LAYER.len()
    )
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold("sha256:".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Reads a plain HTTP URL to its end, without any credentials.
fn fetch(url: &str) -> Result<Vec<u8>> {
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .context("no HTTP URL")?;
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .context("no end of headers")?;
    Ok(answer.split_off(end + 4))
}
