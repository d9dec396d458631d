// Command journey drives a registry through the AWS SDK for Go and prints one line per case.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/debug"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

var (
	layer      = []byte("a layer from Go")
	configBlob = []byte("{}")
)

type journey struct {
	client     *ecr.Client
	prefix     string
	repository string
	failed     bool
}

func main() {
	ctx := context.Background()
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	prefix := os.Getenv("REPOSITORY_PREFIX")
	j := &journey{client: ecr.NewFromConfig(loaded), prefix: prefix, repository: prefix + "/app"}
	fmt.Println("version", version())
	if os.Getenv("VERSION_ONLY") != "" {
		return
	}
	j.check(ctx, "creates_a_repository", j.createsARepository)
	j.check(ctx, "reads_an_authorization_token", j.readsAnAuthorizationToken)
	j.check(ctx, "uploads_a_layer_in_parts", j.uploadsALayerInParts)
	j.check(ctx, "puts_an_image_and_describes_it", j.putsAnImageAndDescribesIt)
	j.check(ctx, "downloads_the_layer_from_its_url", j.downloadsTheLayerFromItsURL)
	j.check(ctx, "maps_a_missing_repository_to_its_exception", j.mapsAMissingRepository)
	j.check(ctx, "maps_an_existing_repository_to_its_exception", j.mapsAnExistingRepository)
	j.check(ctx, "maps_a_missing_image_to_its_exception", j.mapsAMissingImage)
	j.check(ctx, "reads_the_resume_point_from_a_refused_part", j.readsTheResumePoint)
	j.check(ctx, "pages_through_repositories", j.pagesThroughRepositories)
	if j.failed {
		os.Exit(1)
	}
}

func (j *journey) createsARepository(ctx context.Context) error {
	out, err := j.client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &j.repository})
	if err != nil {
		return err
	}
	if uri := aws.ToString(out.Repository.RepositoryUri); !strings.HasSuffix(uri, "/"+j.repository) {
		return fmt.Errorf("repository URI %q", uri)
	}
	return nil
}

func (j *journey) readsAnAuthorizationToken(ctx context.Context) error {
	out, err := j.client.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return err
	}
	token, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	if err != nil || !strings.HasPrefix(string(token), "AWS:") {
		return fmt.Errorf("token is not for AWS: %w", err)
	}
	return nil
}

func (j *journey) uploadsALayerInParts(ctx context.Context) error {
	for _, blob := range [][]byte{layer, configBlob} {
		if err := j.upload(ctx, blob); err != nil {
			return err
		}
	}
	out, err := j.client.BatchCheckLayerAvailability(ctx, &ecr.BatchCheckLayerAvailabilityInput{
		RepositoryName: &j.repository, LayerDigests: []string{digest(layer), digest(configBlob)},
	})
	if err != nil {
		return err
	}
	for _, found := range out.Layers {
		if found.LayerAvailability != types.LayerAvailabilityAvailable {
			return fmt.Errorf("layer %s is %s", aws.ToString(found.LayerDigest), found.LayerAvailability)
		}
	}
	return nil
}

func (j *journey) putsAnImageAndDescribesIt(ctx context.Context) error {
	put, err := j.client.PutImage(ctx, &ecr.PutImageInput{
		RepositoryName: &j.repository, ImageTag: aws.String("v1"),
		ImageManifest: aws.String(manifest()), ImageManifestMediaType: aws.String(manifestType),
	})
	if err != nil {
		return err
	}
	out, err := j.client.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: &j.repository})
	if err != nil {
		return err
	}
	if got := aws.ToString(out.ImageDetails[0].ImageDigest); got != aws.ToString(put.Image.ImageId.ImageDigest) {
		return fmt.Errorf("described %s", got)
	}
	return nil
}

func (j *journey) downloadsTheLayerFromItsURL(ctx context.Context) error {
	out, err := j.client.GetDownloadUrlForLayer(ctx, &ecr.GetDownloadUrlForLayerInput{
		RepositoryName: &j.repository, LayerDigest: aws.String(digest(layer)),
	})
	if err != nil {
		return err
	}
	answer, err := http.Get(aws.ToString(out.DownloadUrl))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if !bytes.Equal(body, layer) {
		return fmt.Errorf("status %d with other bytes", answer.StatusCode)
	}
	return nil
}

func (j *journey) mapsAMissingRepository(ctx context.Context) error {
	absent := j.prefix + "/absent"
	_, err := j.client.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: &absent})
	var missing *types.RepositoryNotFoundException
	if !errors.As(err, &missing) {
		return fmt.Errorf("got %v", err)
	}
	if !strings.HasPrefix(missing.ErrorMessage(), "The repository with name '"+absent+"' does not exist") {
		return errors.New(missing.ErrorMessage())
	}
	return nil
}

func (j *journey) mapsAnExistingRepository(ctx context.Context) error {
	_, err := j.client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &j.repository})
	var exists *types.RepositoryAlreadyExistsException
	if !errors.As(err, &exists) {
		return fmt.Errorf("got %v", err)
	}
	return nil
}

func (j *journey) mapsAMissingImage(ctx context.Context) error {
	_, err := j.client.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: &j.repository, ImageIds: []types.ImageIdentifier{{ImageTag: aws.String("absent")}},
	})
	var missing *types.ImageNotFoundException
	if !errors.As(err, &missing) {
		return fmt.Errorf("got %v", err)
	}
	return nil
}

func (j *journey) readsTheResumePoint(ctx context.Context) error {
	started, err := j.client.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: &j.repository})
	if err != nil {
		return err
	}
	if err := j.part(ctx, started.UploadId, 0, []byte("ten bytes.")); err != nil {
		return err
	}
	err = j.part(ctx, started.UploadId, 20, []byte("gap"))
	var refused *types.InvalidLayerPartException
	if !errors.As(err, &refused) {
		return fmt.Errorf("got %v", err)
	}
	if last := aws.ToInt64(refused.LastValidByteReceived); last != 9 {
		return fmt.Errorf("last valid byte %d", last)
	}
	return nil
}

func (j *journey) pagesThroughRepositories(ctx context.Context) error {
	wanted := map[string]bool{}
	for i := range 5 {
		name := fmt.Sprintf("%s/page-%d", j.prefix, i)
		wanted[name] = true
		if _, err := j.client.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &name}); err != nil {
			return err
		}
	}
	pages := ecr.NewDescribeRepositoriesPaginator(j.client, &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, repository := range page.Repositories {
			delete(wanted, aws.ToString(repository.RepositoryName))
		}
	}
	if len(wanted) > 0 {
		return fmt.Errorf("never listed: %v", wanted)
	}
	return nil
}

func (j *journey) upload(ctx context.Context, blob []byte) error {
	started, err := j.client.InitiateLayerUpload(ctx, &ecr.InitiateLayerUploadInput{RepositoryName: &j.repository})
	if err != nil {
		return err
	}
	if err := j.part(ctx, started.UploadId, 0, blob); err != nil {
		return err
	}
	_, err = j.client.CompleteLayerUpload(ctx, &ecr.CompleteLayerUploadInput{
		RepositoryName: &j.repository, UploadId: started.UploadId, LayerDigests: []string{digest(blob)},
	})
	return err
}

func (j *journey) part(ctx context.Context, upload *string, first int64, blob []byte) error {
	_, err := j.client.UploadLayerPart(ctx, &ecr.UploadLayerPartInput{
		RepositoryName: &j.repository, UploadId: upload, LayerPartBlob: blob,
		PartFirstByte: &first, PartLastByte: aws.Int64(first + int64(len(blob)) - 1),
	})
	return err
}

func (j *journey) check(ctx context.Context, name string, body func(context.Context) error) {
	if err := body(ctx); err != nil {
		j.failed = true
		fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	fmt.Println("ok", name)
}

func manifest() string {
	descriptor := func(mediaType string, blob []byte) map[string]any {
		return map[string]any{"mediaType": mediaType, "digest": digest(blob), "size": len(blob)}
	}
	text, _ := json.Marshal(map[string]any{
		"schemaVersion": 2,
		"mediaType":     manifestType,
		"config":        descriptor("application/vnd.oci.image.config.v1+json", configBlob),
		"layers":        []any{descriptor("application/vnd.oci.image.layer.v1.tar", layer)},
	})
	return string(text)
}

func digest(blob []byte) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(blob))
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if strings.HasSuffix(module.Path, "/service/ecr") {
			return module.Version
		}
	}
	return "unknown"
}
