use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::lifecycle::{Action, Selection};
use crate::wildcard;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[derive(Clone, Debug)]
struct Image {
    name: String,
    tags: Vec<String>,
    pushed_at: Timestamp,
    /// How many days ago it was last pulled.
    pulled: Option<u32>,
    /// How many days ago it was archived, if it is.
    archived: Option<u32>,
}

impl Image {
    fn class(&self) -> Class {
        if self.archived.is_some() {
            Class::Archive
        } else {
            Class::Standard
        }
    }

    fn used_at(&self) -> Timestamp {
        let pulled = self.pulled.map(|days| NOW.minus(DAY * days));
        pulled.map_or(self.pushed_at, |pulled| pulled.max(self.pushed_at))
    }
}

fn image(name: &str, tags: &[&str], days: u32) -> Image {
    Image {
        name: name.to_owned(),
        tags: tags.iter().map(ToString::to_string).collect(),
        pushed_at: NOW.minus(DAY * days),
        pulled: None,
        archived: None,
    }
}

/// Names of the images that a policy expires, each with the priority of its rule.
fn expired(policy: &LifecyclePolicy, images: &[Image]) -> BTreeSet<(String, u32)> {
    let mut images: Vec<&Image> = images.iter().collect();
    images.sort_by(|a, b| (b.pushed_at, &a.name).cmp(&(a.pushed_at, &b.name)));
    let mut tally = policy.tally();
    let mut expired = BTreeSet::new();
    for image in images {
        let facts = Facts {
            class: image.class(),
            pushed_at: image.pushed_at,
            used_at: image.used_at(),
            archived_at: image.archived.map(|days| NOW.minus(DAY * days)),
            tags: &image.tags,
        };
        let may_act = policy.may_act(NOW, &facts).map(|rule| rule.priority);
        // The numbers are all that is remembered.
        tally = policy.resume(tally.counts().to_vec()).unwrap();
        if let Some(rule) = policy.judge(&mut tally, NOW, &facts) {
            assert_eq!(may_act, Some(rule.priority));
            assert!(expired.insert((image.name.clone(), rule.priority)));
        }
    }
    expired
}

/// The rules as the guide words them: all are evaluated against all images, then applied in order of priority.
fn naive(policy: &LifecyclePolicy, images: &[Image]) -> BTreeSet<(String, u32)> {
    let mut identified = BTreeSet::new();
    let mut marked = BTreeSet::new();
    for rule in policy.rules() {
        let tags = |image: &&Image, matches: &dyn Fn(&str) -> bool| {
            image.tags.iter().any(|tag| matches(tag))
        };
        let mut selected: Vec<&Image> = images
            .iter()
            .filter(|image| image.class() == rule.class)
            .filter(|image| {
                let mut patterns = rule.excluded.iter();
                !patterns.any(|pattern| tags(image, &|tag| wildcard::matches(pattern, tag)))
            })
            .filter(|image| match &rule.selection {
                Selection::Any => true,
                Selection::Untagged => image.tags.is_empty(),
                Selection::Patterns(list) => list
                    .iter()
                    .all(|pattern| tags(image, &|tag| wildcard::matches(pattern, tag))),
                Selection::Prefixes(list) => list
                    .iter()
                    .all(|prefix| tags(image, &|tag| tag.starts_with(prefix.as_str()))),
            })
            .collect();
        selected.sort_by(|a, b| (b.pushed_at, &a.name).cmp(&(a.pushed_at, &b.name)));
        let over: Vec<&Image> = match rule.condition {
            Condition::CountMoreThan(kept) => {
                selected.iter().copied().skip(kept as usize).collect()
            }
            Condition::PushedDaysAgo(days) => selected
                .iter()
                .copied()
                .filter(|image| NOW.since(image.pushed_at) > DAY * days)
                .collect(),
            Condition::PulledDaysAgo(days) => selected
                .iter()
                .copied()
                .filter(|image| NOW.since(image.used_at()) > DAY * days)
                .collect(),
            Condition::ArchivedDaysAgo(days) => selected
                .iter()
                .copied()
                .filter(|image| image.archived.is_some_and(|archived| archived > days))
                .collect(),
        };
        for image in over {
            if !identified.contains(&image.name) {
                marked.insert((image.name.clone(), rule.priority));
            }
        }
        identified.extend(selected.iter().map(|image| image.name.clone()));
    }
    marked
}

fn policy(rules: &[(&[&str], &str, u32)]) -> LifecyclePolicy {
    let rule = |(idx, (patterns, count, number)): (usize, &(&[&str], &str, u32))| {
        let mut selection = json!({"countType": count, "countNumber": number});
        if *count == "sinceImagePushed" {
            selection["countUnit"] = json!("days");
        }
        match patterns {
            ["any" | "untagged"] => selection["tagStatus"] = json!(patterns[0]),
            patterns => {
                selection["tagStatus"] = json!("tagged");
                selection["tagPatternList"] = json!(patterns);
            }
        }
        json!({"rulePriority": idx + 1, "selection": selection, "action": {"type": "expire"}})
    };
    let rules: Vec<_> = rules.iter().enumerate().map(rule).collect();
    json!({ "rules": rules }).to_string().parse().unwrap()
}

const COUNT: &str = "imageCountMoreThan";
const AGE: &str = "sinceImagePushed";

#[track_caller]
fn assert_vector(images: &[Image], rules: &[(&[&str], &str, u32)], expected: &[(&str, u32)]) {
    let expected = expected
        .iter()
        .map(|(name, rule)| ((*name).to_owned(), *rule));
    let (policy, expected) = (policy(rules), expected.collect());
    assert_eq!(expired(&policy, images), expected);
    assert_eq!(naive(&policy, images), expected);
}

#[test]
fn an_image_that_an_earlier_rule_identifies_is_not_taken_by_a_later_one() {
    let images = [
        image("A", &["beta-1", "prod-1"], 10),
        image("B", &["beta-2", "prod-2"], 9),
        image("C", &["beta-3"], 8),
    ];
    assert_vector(
        &images,
        &[(&["prod*"], COUNT, 1), (&["beta*"], COUNT, 1)],
        &[("A", 1)],
    );
    assert_vector(
        &images,
        &[(&["beta*"], COUNT, 1), (&["prod*"], COUNT, 1)],
        &[("A", 1), ("B", 1)],
    );
}

#[test]
fn all_patterns_of_a_list_must_be_matched() {
    let images = [
        image("A", &["alpha-1"], 12),
        image("B", &["beta-1"], 11),
        image("C", &["alpha-2", "beta-2"], 10),
        image("D", &["alpha-3"], 4),
        image("E", &["beta-3"], 3),
        image("F", &["alpha-4", "beta-4"], 2),
    ];
    assert_vector(&images, &[(&["alpha*", "beta*"], AGE, 5)], &[("C", 1)]);
    let images = [
        image("A", &["alpha-1", "beta-1", "gamma-1"], 10),
        image("B", &["alpha-2", "beta-2"], 9),
        image("C", &["alpha-3", "beta-3", "gamma-2"], 8),
    ];
    assert_vector(
        &images,
        &[(&["alpha*", "beta*"], COUNT, 1)],
        &[("A", 1), ("B", 1)],
    );
}

#[test]
fn any_takes_tagged_and_untagged_images() {
    let images = [
        image("A", &["alpha-1"], 4),
        image("B", &["beta-1"], 3),
        image("C", &[], 2),
        image("D", &["alpha-2"], 1),
    ];
    assert_vector(
        &images,
        &[(&["any"], COUNT, 1)],
        &[("A", 1), ("B", 1), ("C", 1)],
    );
}

#[test]
fn a_last_rule_for_any_image_takes_what_no_other_identifies() {
    let images = [
        image("A", &["alpha-1", "beta-1"], 4),
        image("B", &[], 3),
        image("C", &["alpha-2"], 2),
        image("D", &["b6a9c3f"], 1),
        image("E", &[], 1),
    ];
    // D and E are both a day old, E the newer of the two.
    let ordered: Vec<Image> = images
        .iter()
        .cloned()
        .map(|mut image| {
            if image.name == "E" {
                image.pushed_at = image.pushed_at.plus(Duration::from_hours(1));
            }
            image
        })
        .collect();
    assert_vector(
        &ordered,
        &[
            (&["alpha*"], COUNT, 1),
            (&["untagged"], AGE, 1),
            (&["any"], COUNT, 1),
        ],
        &[("A", 1), ("B", 2), ("D", 3)],
    );
}

#[test]
fn an_image_is_older_than_a_day_after_a_day_and_not_at_it() {
    let aged = |millis: i64| Image {
        pushed_at: NOW
            .minus(DAY)
            .minus(Duration::from_millis(5))
            .plus(Duration::from_millis(u64::try_from(5 - millis).unwrap())),
        ..image("A", &[], 0)
    };
    let policy = policy(&[(&["untagged"], AGE, 1)]);
    assert!(expired(&policy, &[aged(0)]).is_empty());
    assert_eq!(expired(&policy, &[aged(1)]).len(), 1);
}

#[test]
fn a_tally_of_another_policy_is_refused() {
    let policy = policy(&[(&["untagged"], AGE, 1), (&["any"], COUNT, 1)]);
    assert_eq!(policy.resume(vec![1]), Err(InvalidTally));
    assert_eq!(policy.resume(vec![1, 2, 3]), Err(InvalidTally));
}

fn images() -> impl Strategy<Value = Vec<Image>> {
    let tags = prop::collection::btree_set("[ab][12]?", 0..4);
    let maybe = || prop::option::of(0_u32..6);
    let image = (tags, 0_u32..6, 0_i64..3, maybe(), maybe());
    prop::collection::vec(image, 0..14).prop_map(|images| {
        type Drawn = (BTreeSet<String>, u32, i64, Option<u32>, Option<u32>);
        let image = |(idx, (tags, days, millis, pulled, archived)): (usize, Drawn)| Image {
            name: format!("{idx:02}"),
            tags: tags.into_iter().collect(),
            pushed_at: NOW
                .minus(DAY * days)
                .minus(Duration::from_millis(millis.unsigned_abs())),
            pulled,
            archived,
        };
        images.into_iter().enumerate().map(image).collect()
    })
}

fn policies() -> impl Strategy<Value = LifecyclePolicy> {
    let condition = prop_oneof![
        (1_u32..5).prop_map(Condition::CountMoreThan),
        (1_u32..5).prop_map(Condition::PushedDaysAgo),
        (1_u32..5).prop_map(Condition::PulledDaysAgo),
        (1_u32..5).prop_map(Condition::ArchivedDaysAgo),
    ];
    let class = prop_oneof![Just(Class::Standard), Just(Class::Archive)];
    let excluded = prop::collection::vec("[ab*][12*]?", 0..2);
    let list = || prop::collection::vec("[ab*][12*]?", 1..3);
    let selection = prop_oneof![
        4 => list().prop_map(Selection::Patterns),
        2 => list().prop_map(Selection::Prefixes),
        1 => Just(Selection::Untagged),
        1 => Just(Selection::Any),
    ];
    prop::collection::vec((class, selection, excluded, condition), 1..6).prop_map(|rules| {
        let rule = |(priority, (class, selection, excluded, condition))| Rule {
            priority,
            class,
            selection,
            excluded,
            condition,
            action: Action::Expire,
        };
        // Evaluation needs nothing of what makes policies valid beside the order.
        LifecyclePolicy {
            rules: (1..).zip(rules).map(rule).collect(),
            undo: None,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn one_pass_agrees_with_the_rules_as_they_are_worded(policy in policies(), images in images()) {
        prop_assert_eq!(expired(&policy, &images), naive(&policy, &images));
    }

    #[test]
    fn the_order_in_which_images_are_given_does_not_matter(
        policy in policies(),
        (images, shuffled) in images().prop_flat_map(|images| (Just(images.clone()), Just(images).prop_shuffle())),
    ) {
        prop_assert_eq!(naive(&policy, &images), naive(&policy, &shuffled));
        prop_assert_eq!(expired(&policy, &images), expired(&policy, &shuffled));
    }

    #[test]
    fn no_image_is_acted_on_twice_and_only_by_the_first_rule_that_selects_it(policy in policies(), images in images()) {
        let expired = expired(&policy, &images);
        let names: BTreeSet<&String> = expired.iter().map(|(name, _)| name).collect();
        prop_assert_eq!(names.len(), expired.len());
        for (name, priority) in &expired {
            let image = images.iter().find(|image| image.name == *name).unwrap();
            prop_assert_eq!(policy.identify(image.class(), &image.tags).unwrap().priority, *priority);
        }
    }

    #[test]
    fn a_rule_that_counts_keeps_at_least_so_many(policy in policies(), images in images()) {
        let expired = expired(&policy, &images);
        for rule in policy.rules() {
            if let Condition::CountMoreThan(kept) = rule.condition {
                let selected = images.iter().filter(|image| rule.takes(image.class(), &image.tags));
                let left = selected.clone().filter(|image| !expired.contains(&(image.name.clone(), rule.priority)));
                prop_assert!(left.count() >= selected.count().min(kept as usize));
            }
        }
    }
}
