//! A preview shows what the run removes, and both are what the guide's words come to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use longshore_registry::op::image::DescribeImages;
use longshore_types::{
    lifecycle::{Facts, LifecyclePolicy},
    time::Timestamp,
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use super::{age, count, delete, left, make_previews, put, start, text};
use crate::harness::{TestCore, index, referrer, texts};
use longshore_registry::{
    job,
    op::lifecycle::{GetLifecyclePolicyPreview, StartLifecyclePolicyPreview},
};

const CASES: usize = 60;

/// Something that happens in a repository.
#[derive(Clone, Debug)]
enum Event {
    /// An image is pushed, under a tag or none.
    Image(Option<String>),
    /// An index of some of the images before it.
    Index(Vec<usize>, Option<String>),
    /// An artifact that refers to an image before it.
    Referrer(usize),
    /// An image before it is pushed again under a tag.
    Tag(usize, String),
    /// An image is deleted, if no index names it.
    Delete(usize),
}

fn events() -> impl Strategy<Value = Vec<(Event, u64)>> {
    let tag = || "[ab][1-3]";
    let maybe = move || prop::option::of(tag());
    let event = prop_oneof![
        5 => maybe().prop_map(Event::Image),
        3 => (prop::collection::vec(0_usize..20, 1..4), maybe()).prop_map(|(children, tag)| Event::Index(children, tag)),
        3 => (0_usize..20).prop_map(Event::Referrer),
        2 => ((0_usize..20), tag()).prop_map(|(image, tag)| Event::Tag(image, tag)),
        1 => (0_usize..20).prop_map(Event::Delete),
    ];
    prop::collection::vec((event, 1_u64..40), 1..16)
}

fn rules() -> impl Strategy<Value = Vec<Value>> {
    let rule = |priority: u32, patterns: &'static [&'static str]| {
        prop::option::weighted(
            0.5,
            (any::<bool>(), 1_u32..4).prop_map(move |(is_count, number)| {
                if is_count {
                    count(priority, patterns, number)
                } else {
                    age(priority, patterns, number)
                }
            }),
        )
    };
    let rules = (
        rule(1, &["a1"]),
        rule(2, &["a*", "b*"]),
        rule(3, &["untagged"]),
        rule(4, &["*1"]),
        rule(5, &["any"]),
    );
    rules
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e].into_iter().flatten().collect::<Vec<_>>())
        .prop_filter("a policy has rules", |rules| !rules.is_empty())
}

/// An image that was pushed.
#[derive(Clone, Debug)]
struct Pushed {
    manifest: String,
    digest: String,
    children: Vec<String>,
    subject: Option<String>,
}

/// What has happened.
#[derive(Default)]
struct History {
    images: Vec<Pushed>,
    /// When subjects were deleted, in milliseconds.
    gone: BTreeMap<String, i64>,
}

impl History {
    async fn happen(&mut self, t: &TestCore, event: &Event) {
        let n_images = self.images.len();
        let of = |idx: &usize| self.images.get(idx % n_images.max(1)).cloned();
        let seed = format!("event {n_images}");
        match event {
            Event::Image(tag) => {
                let manifest = t.manifest("app", &seed).await;
                self.push(t, manifest, tag.as_deref(), Vec::new(), None)
                    .await;
            }
            Event::Index(children, tag) => {
                let children: BTreeMap<String, String> = children
                    .iter()
                    .filter_map(of)
                    .map(|image| (image.digest, image.manifest))
                    .collect();
                let there = left(t).await;
                if children.is_empty() || !children.keys().all(|child| there.contains(child)) {
                    return;
                }
                let manifests: Vec<&str> = children.values().map(String::as_str).collect();
                let manifest = index(&manifests);
                let children = children.keys().cloned().collect();
                self.push(t, manifest, tag.as_deref(), children, None).await;
            }
            Event::Referrer(subject) => {
                let Some(subject) = of(subject) else { return };
                t.blob("app", seed.as_bytes()).await;
                let manifest = referrer(seed.as_bytes(), &subject.manifest, "application/x-type");
                let subject = Some(subject.digest);
                self.push(t, manifest.to_string(), None, Vec::new(), subject)
                    .await;
            }
            Event::Tag(image, tag) => {
                let there = left(t).await;
                if let Some(image) = of(image).filter(|image| there.contains(&image.digest)) {
                    let tag = longshore_types::name::Reference::Tag(tag.parse().unwrap());
                    t.push("app", &image.manifest, tag).await.unwrap();
                }
            }
            Event::Delete(image) => {
                let there = left(t).await;
                let named = |image: &Pushed| {
                    self.images.iter().any(|index| {
                        there.contains(&index.digest) && index.children.contains(&image.digest)
                    })
                };
                let free = |image: &Pushed| there.contains(&image.digest) && !named(image);
                if let Some(image) = of(image).filter(free) {
                    delete(t, &image.digest).await;
                    let now = t.core.meta.now().as_millis();
                    self.gone.insert(image.digest, now);
                }
            }
        }
    }

    async fn push(
        &mut self,
        t: &TestCore,
        manifest: String,
        tag: Option<&str>,
        children: Vec<String>,
        subject: Option<String>,
    ) {
        // The same index may come twice; over `/v2` that is no error.
        let digest = crate::harness::digest_of(manifest.as_bytes());
        let reference = match tag {
            Some(tag) => longshore_types::name::Reference::Tag(tag.parse().unwrap()),
            None => longshore_types::name::Reference::Digest(digest),
        };
        t.push("app", &manifest, reference).await.unwrap();
        self.images.push(Pushed {
            manifest,
            digest: digest.to_string(),
            children,
            subject,
        });
    }

    /// What a policy removes, worked out over all images at once.
    async fn oracle(&self, t: &TestCore, policy: &LifecyclePolicy) -> BTreeSet<String> {
        let facts = facts(t).await;
        let now = t.core.meta.now();
        let image = |digest: &String| {
            self.images
                .iter()
                .find(|image| image.digest == *digest)
                .unwrap()
        };
        let subject = |digest: &String| {
            image(digest)
                .subject
                .clone()
                .filter(|subject| facts.contains_key(subject))
        };
        let mut newest_first: Vec<(&String, &(Timestamp, Vec<String>))> = facts.iter().collect();
        newest_first.sort_by_key(|(digest, (pushed_at, _))| (*pushed_at, (*digest).clone()));
        newest_first.reverse();
        let (mut tally, mut going) = (policy.tally(), BTreeSet::new());
        for (digest, (pushed_at, tags)) in newest_first {
            if subject(digest).is_some() {
                continue;
            }
            let facts = Facts::pushed(*pushed_at, tags);
            let is_expired = policy.judge(&mut tally, now, &facts).is_some();
            let gone = image(digest)
                .subject
                .as_ref()
                .and_then(|subject| self.gone.get(subject));
            let is_left_behind = gone.is_some_and(|gone| *gone >= pushed_at.as_millis());
            if is_expired || is_left_behind {
                going.insert(digest.clone());
            }
        }
        for _ in 0..self.images.len() {
            let follows =
                |digest: &&String| subject(digest).is_some_and(|subject| going.contains(&subject));
            let followers: Vec<String> = facts.keys().filter(follows).cloned().collect();
            going.extend(followers);
        }
        for _ in 0..=self.images.len() {
            let stays = going.clone();
            going.retain(|digest| {
                let mut indexes = self.images.iter().filter(|index| {
                    index.children.contains(digest) && facts.contains_key(&index.digest)
                });
                indexes.all(|index| stays.contains(&index.digest))
                    && subject(digest).is_none_or(|subject| stays.contains(&subject))
            });
        }
        going
    }
}

/// When the images that are there were pushed, and their tags.
async fn facts(t: &TestCore) -> BTreeMap<String, (Timestamp, Vec<String>)> {
    let images = t
        .ok::<DescribeImages>(json!({"repositoryName": "app", "maxResults": 1000}))
        .await;
    let images = images["imageDetails"].as_array().unwrap().iter();
    images
        .map(|image| {
            let digest = image["imageDigest"].as_str().unwrap().to_owned();
            let pushed_at = serde_json::from_value(image["imagePushedAt"].clone()).unwrap();
            let tags = serde_json::from_value(image["imageTags"].clone()).unwrap_or_default();
            (digest, (pushed_at, tags))
        })
        .collect()
}

async fn check(events: &[(Event, u64)], rules: &[Value]) -> usize {
    let t = start().await;
    put(&t, rules).await;
    let mut history = History::default();
    for (event, hours) in events {
        t.advance(Duration::from_hours(*hours) + Duration::from_millis(1));
        history.happen(&t, event).await;
    }
    t.advance(Duration::from_hours(13));
    let before = left(&t).await;
    let policy: LifecyclePolicy = text(rules).parse().unwrap();
    let expected = history.oracle(&t, &policy).await;

    t.ok::<StartLifecyclePolicyPreview>(json!({"repositoryName": "app"}))
        .await;
    make_previews(&t).await;
    let shown = t
        .ok::<GetLifecyclePolicyPreview>(json!({"repositoryName": "app"}))
        .await;
    let results = texts(&shown["previewResults"], "imageDigest");
    let previewed: BTreeSet<String> = results.iter().cloned().collect();
    assert_eq!(previewed.len(), results.len(), "nothing twice");
    assert_eq!(
        shown["summary"]["expiringImageTotalCount"],
        json!(results.len())
    );
    assert_eq!(previewed, expected, "{shown:#}");

    while job::lifecycle::tick(&t.core, Some(t.core.meta.now()))
        .await
        .unwrap()
        .more
    {
        // At no time is there an index without an image that it was pushed with.
        let there = left(&t).await;
        for index in history
            .images
            .iter()
            .filter(|image| there.contains(&image.digest))
        {
            let children = index
                .children
                .iter()
                .filter(|child| before.contains(*child));
            for child in children {
                assert!(
                    there.contains(child),
                    "{child} went before {}",
                    index.digest
                );
            }
        }
    }
    let removed: BTreeSet<String> = before.difference(&left(&t).await).cloned().collect();
    assert_eq!(removed, previewed);
    removed.len()
}

#[tokio::test]
async fn a_preview_shows_what_the_run_removes() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRunner::deterministic().new_rng());
    let mut n_removed = 0;
    for _ in 0..CASES {
        let (events, rules) = (events(), rules()).new_tree(&mut runner).unwrap().current();
        println!("{events:?}\n{rules:?}");
        n_removed += check(&events, &rules).await;
    }
    assert!(
        n_removed > CASES,
        "only {n_removed} images went in all cases"
    );
}
