//! Layouts that somebody made to do harm: each is refused with what is wrong, and does none.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::scene::{
    all_of, descriptor, images_of, json_of, longshore, refusal, run, text, through,
};
use crate::harness::{Image, TestServer, digest_of};

/// A layout in the making.
struct Layout(PathBuf);

impl Layout {
    fn new(dir: &Path, name: &str) -> Self {
        let path = dir.join(name);
        fs::create_dir_all(path.join("blobs/sha256")).unwrap();
        fs::write(path.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self(path)
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        self.0.join("blobs").join(digest.replace(':', "/"))
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.0.join(name)).unwrap();
    }

    /// Gives a file a length that its disk need not have.
    fn lengthen(&self, name: &str, len: u64) {
        let file = File::options().write(true).open(self.0.join(name)).unwrap();
        file.set_len(len).unwrap();
    }

    /// Puts a link in the place of a file.
    fn link(&self, name: &str) {
        fs::rename(self.0.join(name), self.0.join("elsewhere")).unwrap();
        symlink("elsewhere", self.0.join(name)).unwrap();
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let descriptor = descriptor(media_type, bytes);
        fs::write(
            self.blob_path(descriptor["digest"].as_str().unwrap()),
            bytes,
        )
        .unwrap();
        descriptor
    }

    /// An image of one layer; returns the digest of the layer, too.
    fn image(&self, text: &str) -> (Value, String) {
        let layer = self.blob("application/vnd.oci.image.layer.v1.tar", text.as_bytes());
        let manifest = json!({ "schemaVersion": 2, "mediaType": Image::MEDIA_TYPE,
            "config": self.blob("application/vnd.oci.image.config.v1+json", b"{}"), "layers": [layer] });
        let image = self.blob(Image::MEDIA_TYPE, manifest.to_string().as_bytes());
        (image, layer["digest"].as_str().unwrap().to_owned())
    }

    fn list(&self, images: &[(&str, &Value)]) {
        let named = images.iter().map(|(name, image)| {
            let mut image = (*image).clone();
            image["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
            image
        });
        let index = json!({ "schemaVersion": 2, "manifests": named.collect::<Vec<_>>() });
        fs::write(self.0.join("index.json"), index.to_string()).unwrap();
    }

    /// A layout with an image that is spoilt by `spoil`, and one that is whole.
    fn spoilt(dir: &Path, name: &str, spoil: impl FnOnce(&Self, &str)) -> Self {
        let layout = Self::new(dir, name);
        let (good, _) = layout.image("good");
        let (bad, layer) = layout.image("bad");
        layout.list(&[("app:good", &good), ("app:bad", &bad)]);
        spoil(&layout, &layer);
        layout
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_not_what_it_is_called_never_arrives() {
    type Spoil = fn(&Layout, &str);
    let spoils: [(&str, Spoil, &str); 6] = [
        (
            "flipped",
            |layout, layer| fs::write(layout.blob_path(layer), "bae").unwrap(),
            "are not those of the blob",
        ),
        (
            "short",
            |layout, layer| fs::write(layout.blob_path(layer), "b").unwrap(),
            "are not those of the blob",
        ),
        (
            "long",
            |layout, layer| fs::write(layout.blob_path(layer), "bad and more").unwrap(),
            "are not those of the blob",
        ),
        (
            "absent",
            |layout, layer| fs::remove_file(layout.blob_path(layer)).unwrap(),
            "is not in the layout",
        ),
        (
            "linked",
            |layout, layer| {
                fs::write(layout.0.join("elsewhere"), "bad").unwrap();
                fs::remove_file(layout.blob_path(layer)).unwrap();
                symlink("../../elsewhere", layout.blob_path(layer)).unwrap();
            },
            "is no plain file",
        ),
        (
            "pipe",
            |layout, layer| {
                fs::remove_file(layout.blob_path(layer)).unwrap();
                let path = layout.blob_path(layer);
                assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
            },
            "is no plain file",
        ),
    ];
    let server = TestServer::start().await;
    let dir = tempfile::tempdir().unwrap();
    for (name, spoil, reason) in spoils {
        let layout = Layout::spoilt(dir.path(), name, spoil);
        let said = refusal(through(
            &server,
            &["import", text(&layout.0), "--prefix", &format!("{name}/")],
        ))
        .await;
        assert!(
            said.contains(reason) && said.contains(":bad: "),
            "{name}: {said}"
        );
        let images = images_of(&server, &format!("{name}/app")).await;
        assert!(
            images.len() == 1 && images[0].ends_with(" good"),
            "{name}: {images:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_layout_is_refused_before_anything_is_pushed() {
    let server = TestServer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let with = |name: &str, change: &dyn Fn(&Layout)| {
        let layout = Layout::new(dir.path(), name);
        let (image, _) = layout.image("good");
        layout.list(&[("app:v1", &image)]);
        change(&layout);
        layout.0
    };
    let outside =
        r#"{"manifests":[{"mediaType":"a/b","size":1,"digest":"sha256:../../../../etc/passwd"}]}"#;
    let version = r#"{"imageLayoutVersion":"2.0.0"}"#;
    let not_valid = "`index.json` is not valid";
    let cases = [
        (
            with("version", &|it| it.write("oci-layout", version)),
            "version `2.0.0`",
        ),
        (
            with("mark", &|it| it.remove("oci-layout")),
            "`oci-layout` is missing",
        ),
        (
            with("list", &|it| it.remove("index.json")),
            "`index.json` is missing",
        ),
        (with("json", &|it| it.write("index.json", "{")), not_valid),
        (
            with("digest", &|it| it.write("index.json", outside)),
            not_valid,
        ),
        (
            with("deep", &|it| it.write("index.json", &"[".repeat(1_000_000))),
            not_valid,
        ),
        (
            with("huge", &|it| it.lengthen("index.json", 1 << 40)),
            "more than",
        ),
        (
            with("link", &|it| it.link("index.json")),
            "is no plain file",
        ),
        (
            with("nameless", &|it| it.list(&[("v1", &it.image("good").0)])),
            "--repository NAME",
        ),
        (dir.path().join("absent"), "cannot be read"),
    ];
    for (path, reason) in cases {
        let said = refusal(through(&server, &["import", text(&path)])).await;
        assert!(said.contains(reason), "{}: {said}", path.display());
    }
    assert!(all_of(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_two_images_have_is_told_and_is_the_firsts() {
    let server = TestServer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path(), "layout");
    let images = ["first", "second", "third"].map(|text| layout.image(text).0);
    let [first, second, third] = &images;
    layout.list(&[
        ("app:v1", first),
        ("app:v1", second),
        // Twice the same is one.
        ("app:v1", first),
        ("other:v1", second),
        ("app:v2", third),
    ]);
    let said = refusal(through(&server, &["import", text(&layout.0)])).await;
    let digest = second["digest"].as_str().unwrap();
    let reason = format!("failed: app:v1: it is the name of {digest}, too");
    assert!(said.contains(&reason), "{said}");
    assert_eq!(said.matches("failed: ").count(), 1, "{said}");
    let tagged = |image: &Value, tag| format!("{} {tag}", image["digest"].as_str().unwrap());
    let mut expected = [tagged(first, "v1"), tagged(third, "v2")];
    expected.sort();
    assert_eq!(images_of(&server, "app").await, expected);
    assert_eq!(images_of(&server, "other").await, [tagged(second, "v1")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_that_lie_are_told() {
    let server = TestServer::start().await;
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(dir.path(), "layout");
    let (good, _) = layout.image("good");
    let flipped = descriptor(Image::MEDIA_TYPE, b"something else");
    fs::write(
        layout.blob_path(flipped["digest"].as_str().unwrap()),
        "another thing!",
    )
    .unwrap();
    let huge = descriptor(Image::MEDIA_TYPE, b"huge");
    let file = File::create(layout.blob_path(huge["digest"].as_str().unwrap())).unwrap();
    file.set_len(1 << 33).unwrap();
    let text_only = layout.blob(Image::MEDIA_TYPE, b"no manifest at all");
    let index = "application/vnd.oci.image.index.v1+json";
    let mut nested = good.clone();
    for _ in 0..40 {
        let next = json!({ "schemaVersion": 2, "mediaType": index, "manifests": [nested] });
        nested = layout.blob(index, next.to_string().as_bytes());
    }
    let missing = descriptor(Image::MEDIA_TYPE, b"nowhere");
    let sparse = json!({ "schemaVersion": 2, "mediaType": index, "manifests": [good, missing] });
    let sparse = layout.blob(index, sparse.to_string().as_bytes());
    layout.list(&[
        ("app:good", &good),
        ("app:flipped", &flipped),
        ("app:huge", &huge),
        ("app:text", &text_only),
        ("app:nested", &nested),
        ("app:sparse", &sparse),
        ("app:bad/tag:..", &good),
    ]);
    let said = refusal(through(&server, &["import", text(&layout.0)])).await;
    for reason in [
        "app:flipped: the layout's bytes of",
        "app:huge: the manifest",
        "more than 4194304",
        "app:text: the manifest",
        "app:nested: ",
        "more than 32 deep",
        "app:sparse: in the index",
        "is not at the source",
    ] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    let images = images_of(&server, "app").await;
    let tags: Vec<&str> = images
        .iter()
        .filter_map(|image| image.split(' ').nth(1))
        .filter(|tag| *tag != "-")
        .collect();
    assert_eq!(tags, ["good"], "{images:?}");
    // Half an index is taken by those who say so.
    let taken = run(through(
        &server,
        &["import", text(&layout.0), "app:sparse", "--sparse"],
    ))
    .await;
    assert!(taken.status.success(), "{taken:?}");
}

/// A file of an archive: its name, what it is, and what it holds.
type Member<'a> = (&'a str, EntryType, &'a [u8]);

/// Writes an archive of files, each by its name as it is.
fn archive(path: &Path, files: &[Member<'_>]) {
    let mut builder = Builder::new(File::create(path).unwrap());
    for (name, kind, bytes) in files {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_that_reach_outside_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.tar");
    let mark: Member<'_> = (
        "oci-layout",
        EntryType::Regular,
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    );
    let list: Member<'_> = ("index.json", EntryType::Regular, br#"{"manifests":[]}"#);
    let blob = format!(
        "blobs/sha256/{}",
        digest_of(b"x").trim_start_matches("sha256:")
    );
    let cases: [(&[Member<'_>], &str); 7] = [
        (
            &[mark, list, ("../outside", EntryType::Regular, b"x")],
            "a file outside of it: `../outside`",
        ),
        (
            &[
                mark,
                list,
                ("blobs/../../outside", EntryType::Regular, b"x"),
            ],
            "a file outside of it",
        ),
        (
            &[mark, list, ("/etc/passwd", EntryType::Regular, b"x")],
            "a file outside of it",
        ),
        (
            &[mark, list, (&blob, EntryType::Symlink, b"")],
            "is no plain file",
        ),
        (
            &[mark, list, (&blob, EntryType::Link, b"")],
            "is no plain file",
        ),
        (&[mark, list, list], "`index.json` twice"),
        (
            &[("manifest.json", EntryType::Regular, b"[]")],
            "before Docker 25",
        ),
    ];
    for (files, reason) in cases {
        archive(&path, files);
        let said = refusal(longshore(&["import", text(&path)])).await;
        assert!(said.contains(reason), "{said}");
    }

    archive(&path, &[mark, list]);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&[0x1f, 0x8b], &whole[..]].concat()).unwrap();
    assert!(
        refusal(longshore(&["import", text(&path)]))
            .await
            .contains("compressed by gzip")
    );
    fs::write(&path, &whole[..700]).unwrap();
    refusal(longshore(&["import", text(&path)])).await;
    fs::write(&path, b"no archive").unwrap();
    refusal(longshore(&["import", text(&path)])).await;

    // A name of a terabyte takes no memory.
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..13].copy_from_slice(b"././@LongLink");
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 40);
    header.set_cksum();
    fs::write(&path, header.as_bytes()).unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len((1 << 40) + 512)
        .unwrap();
    let output = run(longshore(&["import", text(&path)])).await;
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("too long"),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_changes_nothing_that_links_lead_to() {
    let server = TestServer::start().await;
    let password = server.password().await;
    server.create("app").await;
    let image = Image::new("one", 1);
    server.push(&password, "app", "v1", &image).await;
    let layer = digest_of(image.blobs().nth(1).unwrap()).replace(':', "-");
    let dir = tempfile::tempdir().unwrap();
    let (file, folder) = (dir.path().join("file"), dir.path().join("folder"));
    let on_its_way = format!(".partial/blobs-{layer}");
    for (name, target) in [
        (".partial", &folder),
        (".partial/lock", &file),
        (on_its_way.as_str(), &file),
        ("blobs", &folder),
        ("blobs/sha256", &folder),
        ("index.json", &file),
    ] {
        fs::write(&file, "mine").unwrap();
        fs::create_dir_all(&folder).unwrap();
        let layout = dir.path().join(name.replace('/', "-"));
        let link = layout.join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::write(layout.join("oci-layout"), "").unwrap();
        symlink(target, link).unwrap();
        let said = refusal(through(&server, &["export", "--to", text(&layout)])).await;
        assert!(
            said.contains("is no plain file or directory"),
            "{name}: {said}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine", "{name}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{name}");
    }
    // A name that is to be replaced takes nothing else with it.
    let layout = dir.path().join("replaced");
    fs::create_dir_all(layout.join(".partial")).unwrap();
    for name in ["oci-layout", ".partial/oci-layout", "longshore.json"] {
        symlink(&file, layout.join(name)).unwrap();
    }
    json_of(through(&server, &["export", "--to", text(&layout)])).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    let (archive, partial) = (
        dir.path().join("all.tar"),
        dir.path().join("all.tar.partial"),
    );
    for link in [symlink, fs::hard_link] {
        link(&file, &partial).unwrap();
        let said = refusal(through(&server, &["export", "--to", text(&archive)])).await;
        assert!(
            said.contains("cannot be written") && said.contains("is no plain file"),
            "{said}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        fs::remove_file(&partial).unwrap();
    }
}
