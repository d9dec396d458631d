//! Repositories of thousands of images, whose rows are made in bulk.

use longshore_store::meta::{Durability, Error, Tx, Value};
use serde_json::json;

use super::{DAY, age, count, left, make_previews, put, run, start};
use crate::harness::TestCore;
use longshore_registry::op::lifecycle::{GetLifecyclePolicyPreview, StartLifecyclePolicyPreview};

/// Several pages and windows of every phase.
const IMAGES: i64 = 3456;

/// The digest of the image `idx`, as rows have it.
fn digest(idx: i64) -> Vec<u8> {
    let mut key = vec![1];
    key.extend_from_slice(&u32::try_from(idx).unwrap().to_be_bytes());
    key.resize(33, 0);
    key
}

/// Makes images pushed a second apart, the first oldest; every third has a tag `v…`, one 6,000 tags `many…`.
async fn fill(t: &TestCore) {
    let fill = |tx: &mut dyn Tx| {
        let found: Option<Vec<u8>> = tx.row("SELECT incarnation FROM repository", &[])?;
        let repository = found.unwrap();
        for idx in 1..=IMAGES {
            tx.execute(
                "INSERT INTO image (incarnation, digest, media_type, manifest_bytes, size, pushed_at, manifest) \
                 VALUES (?1, ?2, 't', 0, 0, ?3, ?1)",
                &[Value::from(&repository), Value::from(&digest(idx)), Value::from(1_600_000_000_000 + idx * 1000)],
            )?;
        }
        let numbered = (3..=IMAGES).step_by(3).map(|idx| (format!("v{idx}"), idx));
        let many = (1..=6000).map(|idx| (format!("many{idx}"), 1));
        for (name, image) in numbered.chain(many) {
            tx.execute(
                "INSERT INTO tag (incarnation, name, image) VALUES (?1, ?2, ?3)",
                &[
                    Value::from(&repository),
                    Value::from(&name),
                    Value::from(&digest(image)),
                ],
            )?;
        }
        Ok::<_, Error>(())
    };
    t.core.meta.write(Durability::Soft, fill).await.unwrap();
}

#[tokio::test]
async fn every_image_of_a_large_repository_is_looked_at_once() {
    let t = start().await;
    fill(&t).await;
    let rules = [count(1, &["v*"], 100), count(2, &["untagged"], 1000)];
    let (tagged, untagged) = (IMAGES / 3, IMAGES - IMAGES / 3 - 1);
    let expiring = tagged - 100 + untagged - 1000;
    let input = json!({"repositoryName": "app", "lifecyclePolicyText": super::text(&rules)});
    t.ok::<StartLifecyclePolicyPreview>(input).await;
    make_previews(&t).await;
    let (mut n_found, mut input) = (0, json!({"repositoryName": "app"}));
    loop {
        let page = t.ok::<GetLifecyclePolicyPreview>(input.clone()).await;
        assert_eq!(
            page["summary"],
            json!({"expiringImageTotalCount": expiring})
        );
        n_found += page["previewResults"].as_array().unwrap().len();
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(i64::try_from(n_found).unwrap(), expiring);
    put(&t, &rules).await;
    run(&t).await;
    assert_eq!(i64::try_from(left(&t).await.len()).unwrap(), 1100 + 1);
}

#[tokio::test]
async fn a_filter_that_passes_few_joins_to_the_whole() {
    let t = start().await;
    fill(&t).await;
    t.advance(DAY * 30);
    let input = json!({
        "repositoryName": "app",
        "lifecyclePolicyText": super::text(&[age(1, &["any"], 14)]),
    });
    t.ok::<StartLifecyclePolicyPreview>(input).await;
    make_previews(&t).await;
    for (status, expected) in [
        ("TAGGED", IMAGES / 3 + 1),
        ("UNTAGGED", IMAGES - IMAGES / 3 - 1),
    ] {
        let mut input = json!({"repositoryName": "app", "filter": {"tagStatus": status}});
        let mut n_found = 0;
        loop {
            let page = t.ok::<GetLifecyclePolicyPreview>(input.clone()).await;
            n_found += page["previewResults"].as_array().unwrap().len();
            match page.get("nextToken") {
                Some(token) => input["nextToken"] = token.clone(),
                None => break,
            }
        }
        assert_eq!(i64::try_from(n_found).unwrap(), expected, "{status}");
    }
}

#[tokio::test]
async fn an_image_with_very_many_tags_goes_with_all_of_them() {
    let t = start().await;
    t.image("app", "one", Some("a")).await;
    t.core
        .meta
        .write(Durability::Soft, |tx: &mut dyn Tx| {
            tx.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
                 INSERT INTO tag (incarnation, name, image) \
                 SELECT incarnation, CASE WHEN i <= 1500 THEN 'a' ELSE 'b' END || i, digest FROM n, image",
                &[],
            )
        })
        .await
        .unwrap();
    t.advance(DAY * 30);
    // The first to go are all those that one of the patterns selects it by.
    put(&t, &[age(1, &["a*", "b*"], 14)]).await;
    run(&t).await;
    assert!(left(&t).await.is_empty());
    assert_eq!(super::tags(&t).await, Vec::<String>::new());
}
