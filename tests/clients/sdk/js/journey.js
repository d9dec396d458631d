// Drives a registry through the AWS SDK for JavaScript and prints one line per case.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import {
  BatchCheckLayerAvailabilityCommand,
  CompleteLayerUploadCommand,
  CreateRepositoryCommand,
  DescribeImagesCommand,
  ECRClient,
  GetAuthorizationTokenCommand,
  GetDownloadUrlForLayerCommand,
  ImageNotFoundException,
  InitiateLayerUploadCommand,
  InvalidLayerPartException,
  PutImageCommand,
  RepositoryAlreadyExistsException,
  RepositoryNotFoundException,
  UploadLayerPartCommand,
  paginateDescribeRepositories,
} from "@aws-sdk/client-ecr";

const manifestType = "application/vnd.oci.image.manifest.v1+json";
const prefix = process.env.REPOSITORY_PREFIX;
const repositoryName = `${prefix}/app`;
const layer = Buffer.from("a layer from JavaScript");
const config = Buffer.from("{}");
const ecr = new ECRClient({});

const digest = (bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: manifestType,
  config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: digest(config), size: config.length },
  layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: digest(layer), size: layer.length }],
});

async function part(uploadId, first, bytes) {
  return ecr.send(new UploadLayerPartCommand({
    repositoryName, uploadId, partFirstByte: first, partLastByte: first + bytes.length - 1, layerPartBlob: bytes,
  }));
}

async function upload(bytes) {
  const { uploadId } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
  await part(uploadId, 0, bytes);
  const done = await ecr.send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [digest(bytes)] }));
  assert.equal(done.layerDigest, digest(bytes));
}

const cases = {
  async creates_a_repository() {
    const { repository } = await ecr.send(new CreateRepositoryCommand({ repositoryName }));
    assert.equal(repository.repositoryName, repositoryName);
    assert.ok(repository.repositoryUri.endsWith(`/${repositoryName}`));
    assert.ok(repository.createdAt instanceof Date);
  },
  async reads_an_authorization_token() {
    const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
    const [data] = authorizationData;
    assert.match(Buffer.from(data.authorizationToken, "base64").toString(), /^AWS:[^:]+$/);
    assert.ok(data.expiresAt > new Date());
  },
  async uploads_a_layer_in_parts() {
    await upload(layer);
    await upload(config);
    const { layers } = await ecr.send(new BatchCheckLayerAvailabilityCommand({
      repositoryName, layerDigests: [digest(layer), digest(config)],
    }));
    assert.deepEqual(layers.map((l) => l.layerAvailability), ["AVAILABLE", "AVAILABLE"]);
  },
  async puts_an_image_and_describes_it() {
    const { image } = await ecr.send(new PutImageCommand({
      repositoryName, imageTag: "v1", imageManifest: manifest, imageManifestMediaType: manifestType,
    }));
    const { imageDetails } = await ecr.send(new DescribeImagesCommand({ repositoryName }));
    assert.equal(imageDetails.length, 1);
    assert.equal(imageDetails[0].imageDigest, image.imageId.imageDigest);
    assert.deepEqual(imageDetails[0].imageTags, ["v1"]);
  },
  async downloads_the_layer_from_its_url() {
    const { downloadUrl } = await ecr.send(new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest: digest(layer) }));
    const body = Buffer.from(await (await fetch(downloadUrl)).arrayBuffer());
    assert.deepEqual(body, layer);
  },
  async maps_a_missing_repository_to_its_exception() {
    const call = ecr.send(new DescribeImagesCommand({ repositoryName: `${prefix}/absent` }));
    const error = await call.catch((e) => e);
    assert.ok(error instanceof RepositoryNotFoundException, String(error));
    assert.ok(error.message.startsWith(`The repository with name '${prefix}/absent' does not exist`), error.message);
    assert.equal(error.$fault, "client");
  },
  async maps_an_existing_repository_to_its_exception() {
    const error = await ecr.send(new CreateRepositoryCommand({ repositoryName })).catch((e) => e);
    assert.ok(error instanceof RepositoryAlreadyExistsException, String(error));
    assert.equal(error.$metadata.httpStatusCode, 400);
  },
  async maps_a_missing_image_to_its_exception() {
    const call = ecr.send(new DescribeImagesCommand({ repositoryName, imageIds: [{ imageTag: "absent" }] }));
    const error = await call.catch((e) => e);
    assert.ok(error instanceof ImageNotFoundException, String(error));
    assert.ok(error.$metadata.requestId);
  },
  async reads_the_resume_point_from_a_refused_part() {
    const { uploadId } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
    await part(uploadId, 0, Buffer.from("ten bytes."));
    const error = await part(uploadId, 20, Buffer.from("gap")).catch((e) => e);
    assert.ok(error instanceof InvalidLayerPartException, String(error));
    assert.equal(error.lastValidByteReceived, 9);
  },
  async pages_through_repositories() {
    const wanted = [0, 1, 2, 3, 4].map((i) => `${prefix}/page-${i}`);
    for (const name of wanted) await ecr.send(new CreateRepositoryCommand({ repositoryName: name }));
    const seen = new Set();
    for await (const page of paginateDescribeRepositories({ client: ecr, pageSize: 2 }, {})) {
      assert.ok(page.repositories.length <= 2);
      for (const repository of page.repositories) seen.add(repository.repositoryName);
    }
    for (const name of wanted) assert.ok(seen.has(name), name);
  },
};

const { version } = createRequire(import.meta.url)("@aws-sdk/client-ecr/package.json");
console.log(`version ${version}`);
if (process.env.VERSION_ONLY) process.exit();
for (const [name, body] of Object.entries(cases)) {
  try {
    await body();
    console.log(`ok ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`not ok ${name}: ${String(error).replaceAll("\n", " ")}`);
  }
}
