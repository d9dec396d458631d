use longshore_types::id::UploadId;
use proptest::prelude::*;
use uuid::Uuid;

use super::{Misrouted, Route};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UPLOAD: &str = "0190163d-8694-739b-aea5-966c26f8ad90";

#[test]
fn fixed_paths_are_known() {
    for (path, route) in [
        ("/v2/", Route::Ping),
        ("/v2", Route::Ping),
        ("/v2/_catalog", Route::Catalog),
        ("/token/", Route::Token),
        ("/token", Route::Token),
        ("/healthz", Route::Health),
        ("/readyz", Route::Ready),
        ("/", Route::Other),
        ("/v3/", Route::Other),
        ("/layers/nonsense", Route::Other),
        (
            &format!("/logos/{UPLOAD}.png"),
            Route::Logo(UPLOAD.parse().unwrap()),
        ),
        (&format!("/logos/{UPLOAD}"), Route::Other),
        ("/logos/nonsense.png", Route::Other),
    ] {
        assert_eq!(Route::parse(path), Ok(route), "{path}");
    }
}

#[test]
fn names_that_end_in_words_of_routes_stay_whole() {
    for name in [
        "ab/blobs/uploads",
        "ab/tags/list",
        "ab/manifests",
        "ab/referrers",
        "ab/blobs",
        "v2/blobs",
    ] {
        let parsed = name.parse().unwrap();
        let path = format!("/v2/{name}/blobs/uploads/");
        assert_eq!(Route::parse(&path), Ok(Route::Uploads(parsed)), "{path}");
        for tail in [
            format!("manifests/{DIGEST}"),
            format!("blobs/{DIGEST}"),
            "tags/list".to_owned(),
            format!("blobs/uploads/{UPLOAD}"),
        ] {
            let path = format!("/v2/{name}/{tail}");
            let route = Route::parse(&path).unwrap();
            assert_eq!(route.repository().unwrap().as_str(), name, "{path}");
            assert_eq!(route.to_string(), path);
        }
    }
}

#[test]
fn the_slash_after_uploads_is_optional() {
    assert_eq!(
        Route::parse("/v2/app/blobs/uploads"),
        Route::parse("/v2/app/blobs/uploads/")
    );
}

#[test]
fn escaped_paths_are_decoded() {
    let escaped = format!("/v2/team%2Fapp/blobs/{}", DIGEST.replace(':', "%3A"));
    assert_eq!(
        Route::parse(&escaped),
        Route::parse(&format!("/v2/team/app/blobs/{DIGEST}"))
    );
    assert_eq!(Route::parse("/v2/app/manifests/%ff"), Err(Misrouted::Path));
}

#[test]
fn what_is_malformed_is_named() {
    for (path, error) in [
        ("/v2/App/tags/list", Misrouted::Name("App".to_owned())),
        ("/v2//tags/list", Misrouted::Name(String::new())),
        (
            "/v2/app/blobs/sha256:1",
            Misrouted::Digest("sha256:1".to_owned()),
        ),
        (
            "/v2/app/manifests/sha256:1",
            Misrouted::Digest("sha256:1".to_owned()),
        ),
        ("/v2/app/manifests/a+b", Misrouted::Tag("a+b".to_owned())),
        (
            "/v2/app/manifests/.INVALID_MANIFEST_NAME",
            Misrouted::Reference,
        ),
        ("/v2/app/blobs/uploads/1", Misrouted::Upload("1".to_owned())),
        ("/v2/app/unknown/1", Misrouted::Path),
        ("/v2/app", Misrouted::Path),
    ] {
        assert_eq!(Route::parse(path), Err(error), "{path}");
    }
}

fn name() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-z0-9]{2,8}",
        Just("blobs".to_owned()),
        Just("uploads".to_owned()),
        Just("manifests".to_owned()),
        Just("tags".to_owned()),
        Just("list".to_owned()),
        Just("referrers".to_owned()),
        Just("v2".to_owned()),
    ];
    prop::collection::vec(word, 1..6).prop_map(|words| words.join("/"))
}

fn route() -> impl Strategy<Value = Route> {
    (
        name(),
        "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}",
        any::<[u8; 32]>(),
        any::<u128>(),
        0..8,
    )
        .prop_map(|(name, tag, hash, id, which)| {
            let name = name.parse().unwrap();
            let digest = longshore_types::digest::Digest::sha256(hash);
            match which {
                0 => Route::Tags(name),
                1 => Route::Manifest(name, tag.parse().unwrap()),
                2 => Route::Manifest(name, longshore_types::name::Reference::Digest(digest)),
                3 => Route::Blob(name, digest),
                4 => Route::Uploads(name),
                5 => Route::Upload(name, UploadId::from_uuid(Uuid::from_u128(id))),
                6 => Route::Referrers(name, digest),
                _ => Route::Layer(digest),
            }
        })
}

proptest! {
    #[test]
    fn a_printed_route_reads_back(route in route()) {
        prop_assert_eq!(Route::parse(&route.to_string()), Ok(route));
    }

    #[test]
    fn any_text_is_read_without_harm(path in "(/v2/)?\\PC{0,80}") {
        let _ = Route::parse(&path);
    }
}
