import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.TreeSet;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.util.VersionInfo;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.ecr.EcrClient;
import software.amazon.awssdk.services.ecr.model.ImageNotFoundException;
import software.amazon.awssdk.services.ecr.model.InvalidLayerPartException;
import software.amazon.awssdk.services.ecr.model.RepositoryAlreadyExistsException;
import software.amazon.awssdk.services.ecr.model.RepositoryNotFoundException;
import software.amazon.awssdk.services.ecr.model.Repository;

/** Drives a registry through the AWS SDK for Java and prints one line per case. */
public final class Journey {
    private static final String MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
    private static final String PREFIX = System.getenv("REPOSITORY_PREFIX");
    private static final String REPOSITORY = PREFIX + "/app";
    private static final byte[] LAYER = "a layer from Java".getBytes(StandardCharsets.UTF_8);
    private static final byte[] CONFIG = "{}".getBytes(StandardCharsets.UTF_8);

    private final EcrClient ecr = EcrClient.builder().httpClient(UrlConnectionHttpClient.create()).build();
    private boolean failed;

    public static void main(String[] arguments) {
        System.out.println("version " + VersionInfo.SDK_VERSION);
        if (System.getenv("VERSION_ONLY") != null) {
            return;
        }
        Journey journey = new Journey();
        journey.check("creates_a_repository", journey::createsARepository);
        journey.check("reads_an_authorization_token", journey::readsAnAuthorizationToken);
        journey.check("uploads_a_layer_in_parts", journey::uploadsALayerInParts);
        journey.check("puts_an_image_and_describes_it", journey::putsAnImageAndDescribesIt);
        journey.check("downloads_the_layer_from_its_url", journey::downloadsTheLayerFromItsUrl);
        journey.check("maps_a_missing_repository_to_its_exception", journey::mapsAMissingRepository);
        journey.check("maps_an_existing_repository_to_its_exception", journey::mapsAnExistingRepository);
        journey.check("maps_a_missing_image_to_its_exception", journey::mapsAMissingImage);
        journey.check("reads_the_resume_point_from_a_refused_part", journey::readsTheResumePoint);
        journey.check("pages_through_repositories", journey::pagesThroughRepositories);
        System.exit(journey.failed ? 1 : 0);
    }

    private void createsARepository() {
        Repository created = ecr.createRepository(r -> r.repositoryName(REPOSITORY)).repository();
        expect(REPOSITORY.equals(created.repositoryName()), "name " + created.repositoryName());
        expect(created.repositoryUri().endsWith("/" + REPOSITORY), "uri " + created.repositoryUri());
        expect(created.createdAt() != null, "no creation time");
    }

    private void readsAnAuthorizationToken() {
        var data = ecr.getAuthorizationToken(r -> {}).authorizationData().get(0);
        String token = new String(Base64.getDecoder().decode(data.authorizationToken()), StandardCharsets.UTF_8);
        expect(token.startsWith("AWS:"), "token is not for AWS");
        expect(data.proxyEndpoint().startsWith("http"), "endpoint " + data.proxyEndpoint());
    }

    private void uploadsALayerInParts() {
        upload(LAYER);
        upload(CONFIG);
        var layers = ecr.batchCheckLayerAvailability(
                r -> r.repositoryName(REPOSITORY).layerDigests(digest(LAYER), digest(CONFIG))).layers();
        expect(layers.stream().allMatch(l -> l.layerAvailabilityAsString().equals("AVAILABLE")), layers.toString());
    }

    private void putsAnImageAndDescribesIt() {
        var image = ecr.putImage(r -> r.repositoryName(REPOSITORY).imageTag("v1")
                .imageManifest(manifest()).imageManifestMediaType(MANIFEST_TYPE)).image();
        var detail = ecr.describeImages(r -> r.repositoryName(REPOSITORY)).imageDetails().get(0);
        expect(image.imageId().imageDigest().equals(detail.imageDigest()), "digests differ");
        expect(detail.imageTags().contains("v1"), "tags " + detail.imageTags());
        expect(detail.imageManifestMediaType().equals(MANIFEST_TYPE), detail.imageManifestMediaType());
    }

    private void downloadsTheLayerFromItsUrl() throws Exception {
        String url = ecr.getDownloadUrlForLayer(r -> r.repositoryName(REPOSITORY).layerDigest(digest(LAYER))).downloadUrl();
        byte[] body = HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(URI.create(url)).build(), HttpResponse.BodyHandlers.ofByteArray()).body();
        expect(Arrays.equals(body, LAYER), "other bytes");
    }

    private void mapsAMissingRepository() {
        try {
            ecr.describeImages(r -> r.repositoryName(PREFIX + "/absent"));
        } catch (RepositoryNotFoundException e) {
            String message = e.awsErrorDetails().errorMessage();
            expect(message.startsWith("The repository with name '" + PREFIX + "/absent' does not exist"), message);
            return;
        }
        expect(false, "no exception");
    }

    private void mapsAnExistingRepository() {
        try {
            ecr.createRepository(r -> r.repositoryName(REPOSITORY));
        } catch (RepositoryAlreadyExistsException e) {
            expect(e.statusCode() == 400, "status " + e.statusCode());
            return;
        }
        expect(false, "no exception");
    }

    private void mapsAMissingImage() {
        try {
            ecr.describeImages(r -> r.repositoryName(REPOSITORY).imageIds(i -> i.imageTag("absent")));
        } catch (ImageNotFoundException e) {
            expect(e.requestId() != null, "no request id");
            return;
        }
        expect(false, "no exception");
    }

    private void readsTheResumePoint() {
        String id = ecr.initiateLayerUpload(r -> r.repositoryName(REPOSITORY)).uploadId();
        part(id, 0, "ten bytes.".getBytes(StandardCharsets.UTF_8));
        try {
            part(id, 20, "gap".getBytes(StandardCharsets.UTF_8));
        } catch (InvalidLayerPartException e) {
            expect(e.lastValidByteReceived() == 9, "last valid byte " + e.lastValidByteReceived());
            return;
        }
        expect(false, "no exception");
    }

    private void pagesThroughRepositories() {
        var wanted = new TreeSet<String>();
        for (int i = 0; i < 5; i++) {
            String name = PREFIX + "/page-" + i;
            wanted.add(name);
            ecr.createRepository(r -> r.repositoryName(name));
        }
        var seen = new TreeSet<String>();
        ecr.describeRepositoriesPaginator(r -> r.maxResults(2)).repositories()
                .forEach(r -> seen.add(r.repositoryName()));
        expect(seen.containsAll(wanted), "seen " + seen);
    }

    private void upload(byte[] bytes) {
        String id = ecr.initiateLayerUpload(r -> r.repositoryName(REPOSITORY)).uploadId();
        part(id, 0, bytes);
        String completed = ecr.completeLayerUpload(
                r -> r.repositoryName(REPOSITORY).uploadId(id).layerDigests(digest(bytes))).layerDigest();
        expect(completed.equals(digest(bytes)), "digest " + completed);
    }

    private void part(String id, long first, byte[] bytes) {
        ecr.uploadLayerPart(r -> r.repositoryName(REPOSITORY).uploadId(id).partFirstByte(first)
                .partLastByte(first + bytes.length - 1).layerPartBlob(SdkBytes.fromByteArray(bytes)));
    }

    private static String manifest() {
        return """
                {"schemaVersion":2,"mediaType":"%s",\
                "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},\
                "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%d}]}"""
                .formatted(MANIFEST_TYPE, digest(CONFIG), CONFIG.length, digest(LAYER), LAYER.length);
    }

    private static String digest(byte[] bytes) {
        try {
            return "sha256:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (java.security.NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void expect(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    private interface Body {
        void run() throws Exception;
    }

    private void check(String name, Body body) {
        try {
            body.run();
            System.out.println("ok " + name);
        } catch (Exception e) {
            failed = true;
            System.out.println("not ok " + name + ": " + e.toString().replace('\n', ' '));
        }
    }
}
