use longshore_types::name::Reference;
use serde_json::json;

use super::{DAY, age, count, delete, left, preview, put, run, set, start};
use crate::harness::{TestCore, digest_of, index, referrer, texts};

/// Pushes an artifact that refers to `subject`, and returns its manifest and digest.
async fn refer(t: &TestCore, subject: &str, seed: &str) -> (String, String) {
    t.blob("app", seed.as_bytes()).await;
    let manifest = referrer(seed.as_bytes(), subject, "application/x-signature").to_string();
    let digest = t.put("app", &manifest, None).await;
    (manifest, digest)
}

#[tokio::test]
async fn a_referrer_stays_while_its_subject_does() {
    let t = start().await;
    let image = t.manifest("app", "image").await;
    let subject = t.put("app", &image, Some("v1")).await;
    let (attested, attestation) = refer(&t, &image, "attestation").await;
    let (_, signature) = refer(&t, &attested, "signature").await;
    t.advance(DAY * 30);
    put(&t, &[age(1, &["untagged"], 1), count(2, &["any"], 1)]).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&subject, &attestation, &signature]));
}

#[tokio::test]
async fn referrers_go_with_their_subject_and_the_preview_shows_them() {
    let t = start().await;
    let image = t.manifest("app", "image").await;
    let subject = t.put("app", &image, Some("v1")).await;
    let (attested, attestation) = refer(&t, &image, "attestation").await;
    let (_, signature) = refer(&t, &attested, "signature").await;
    t.advance(DAY * 30);
    let kept = t.image("app", "kept", Some("v2")).await;
    let rules = [count(4, &["v*"], 1)];
    let shown = preview(&t, &rules).await;
    assert_eq!(
        texts(&shown["previewResults"], "imageDigest"),
        [subject, attestation, signature]
    );
    for result in shown["previewResults"].as_array().unwrap() {
        assert_eq!(result["appliedRulePriority"], 4);
    }
    put(&t, &rules).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&kept]));
}

#[tokio::test]
async fn referrers_of_what_somebody_deletes_go_with_the_next_run() {
    let t = start().await;
    put(&t, &[age(1, &["never"], 1)]).await;
    let image = t.manifest("app", "image").await;
    let subject = t.put("app", &image, Some("v1")).await;
    let (attested, attestation) = refer(&t, &image, "attestation").await;
    let (_, signature) = refer(&t, &attested, "signature").await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&subject, &attestation, &signature]));
    delete(&t, &subject).await;
    assert_eq!(left(&t).await, set(&[&attestation, &signature]));
    let shown = preview(&t, &[age(1, &["never"], 1)]).await;
    assert_eq!(shown["summary"], json!({"expiringImageTotalCount": 2}));
    assert_eq!(shown["previewResults"][0].get("appliedRulePriority"), None);
    run(&t).await;
    assert!(left(&t).await.is_empty());
}

#[tokio::test]
async fn a_subject_that_comes_back_keeps_its_referrers() {
    let t = start().await;
    put(&t, &[age(1, &["never"], 1)]).await;
    let image = t.manifest("app", "image").await;
    let subject = t.put("app", &image, Some("v1")).await;
    let (_, signature) = refer(&t, &image, "signature").await;
    delete(&t, &subject).await;
    t.put("app", &image, Some("v1")).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&subject, &signature]));
    // Nor does an earlier deletion count against a later referrer.
    delete(&t, &subject).await;
    t.advance(DAY);
    let (_, later) = refer(&t, &image, "later signature").await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&later]));
}

#[tokio::test]
async fn a_referrer_whose_subject_never_came_is_an_image_like_others() {
    let t = start().await;
    put(&t, &[age(1, &["untagged"], 14)]).await;
    let (_, early) = refer(&t, "a subject that is somewhere else", "signature").await;
    t.advance(DAY * 13);
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&early]));
    t.advance(DAY);
    run(&t).await;
    assert!(left(&t).await.is_empty());
}

#[tokio::test]
async fn without_a_policy_referrers_stay() {
    let t = start().await;
    let image = t.manifest("app", "image").await;
    let subject = t.put("app", &image, Some("v1")).await;
    let (_, signature) = refer(&t, &image, "signature").await;
    delete(&t, &subject).await;
    put(&t, &[age(1, &["never"], 1)]).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&signature]));
}

#[tokio::test]
async fn a_referrer_that_an_index_names_waits_for_the_index() {
    let t = start().await;
    let image = t.manifest("app", "image").await;
    let subject = t.put("app", &image, Some("v1")).await;
    let (signed, signature) = refer(&t, &image, "signature").await;
    let bundle = t.put("app", &index(&[&signed]), Some("bundle")).await;
    t.advance(DAY * 30);
    put(&t, &[age(1, &["v*"], 14)]).await;
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&signature, &bundle]));
    delete(&t, &bundle).await;
    run(&t).await;
    assert!(left(&t).await.is_empty());
    drop(subject);
}

#[tokio::test]
async fn a_subject_is_known_by_all_its_digests() {
    let t = start().await;
    put(&t, &[age(1, &["untagged"], 14), age(2, &["v*"], 14)]).await;
    let image = t.manifest("app", "image").await;
    let long = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, image.as_bytes());
    let long = longshore_types::digest::Digest::sha512(long.as_ref().try_into().unwrap());
    t.push("app", &image, Reference::Digest(long))
        .await
        .unwrap();
    let subject = t.put("app", &image, Some("keep")).await;
    let refer = |seed: &'static str| {
        let mut manifest = referrer(seed.as_bytes(), &image, "application/x-signature");
        manifest["subject"]["digest"] = json!(long.to_string());
        let t = &t;
        async move {
            t.blob("app", seed.as_bytes()).await;
            t.put("app", &manifest.to_string(), None).await
        }
    };
    let first = refer("first").await;
    t.advance(DAY * 30);
    run(&t).await;
    assert_eq!(left(&t).await, set(&[&subject, &first]));
    t.put("app", &image, Some("v1")).await;
    t.advance(DAY * 30);
    run(&t).await;
    assert!(left(&t).await.is_empty());
    t.put("app", &image, Some("keep")).await;
    t.push("app", &image, Reference::Digest(long))
        .await
        .unwrap();
    refer("second").await;
    t.advance(DAY);
    delete(&t, &digest_of(image.as_bytes()).to_string()).await;
    run(&t).await;
    assert!(left(&t).await.is_empty());
}
