//! Pages of every list, joined, are the list, whatever their size.

use std::collections::BTreeMap;

use longshore_registry::{
    Operation,
    iam::{
        access_key::{CreateAccessKey, ListAccessKeys},
        group::{AddUserToGroup, CreateGroup, GetGroup, ListGroups, ListGroupsForUser},
        user::{CreateUser, ListUserTags, ListUsers},
    },
    op::{
        image::{DescribeImages, ListImages},
        repository::DescribeRepositories,
    },
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::harness::{TestCore, digest_of, oci_manifest};

/// Reads all pages of a list, checking that none is longer than asked.
async fn joined<O>(t: &TestCore, mut input: Value, list: &str, size: usize) -> Vec<Value>
where
    O: Operation<Output: Serialize> + DeserializeOwned,
{
    input["maxResults"] = json!(size);
    let mut all = Vec::new();
    loop {
        let mut page = t.ok::<O>(input.clone()).await;
        let items = page[list].as_array_mut().unwrap();
        assert!(items.len() <= size);
        all.append(items);
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return all,
        }
    }
}

/// Images with their tags, put in any order; what a list must then answer.
type Images = BTreeMap<String, Vec<String>>;

async fn put_all(t: &TestCore, tags: &[usize]) -> Images {
    t.repository("app").await;
    t.blob("app", b"{}").await;
    let mut images = Images::new();
    for (idx, count) in tags.iter().enumerate() {
        let mut manifest = oci_manifest(b"{}", &[]);
        manifest["annotations"] = json!({"idx": idx.to_string()});
        let manifest = manifest.to_string();
        let digest = digest_of(manifest.as_bytes()).to_string();
        let names: Vec<String> = (0..*count).map(|tag| format!("t{idx}-{tag}")).collect();
        if names.is_empty() {
            t.put("app", &manifest, None).await;
        }
        for name in &names {
            t.put("app", &manifest, Some(name)).await;
        }
        images.insert(digest, names);
    }
    images
}

fn entries(images: &Images, tagged: bool, untagged: bool) -> Vec<Value> {
    let mut entries = Vec::new();
    for (digest, tags) in images {
        if tags.is_empty() && untagged {
            entries.push(json!({"imageDigest": digest}));
        }
        let tags = tags.iter().filter(|_| tagged);
        entries.extend(tags.map(|tag| json!({"imageDigest": digest, "imageTag": tag})));
    }
    entries
}

async fn check(tags: &[usize], size: usize) {
    let t = TestCore::start().await;
    let images = put_all(&t, tags).await;
    for (status, tagged, untagged) in [
        ("ANY", true, true),
        ("TAGGED", true, false),
        ("UNTAGGED", false, true),
    ] {
        let input = json!({"repositoryName": "app", "filter": {"tagStatus": status}});
        let listed = joined::<ListImages>(&t, input.clone(), "imageIds", size).await;
        assert_eq!(listed, entries(&images, tagged, untagged), "{status}");
        let described = joined::<DescribeImages>(&t, input, "imageDetails", size).await;
        let expected: Vec<&String> = images
            .iter()
            .filter(|(_, tags)| if tags.is_empty() { untagged } else { tagged })
            .map(|(digest, _)| digest)
            .collect();
        let digests: Vec<&str> = described
            .iter()
            .map(|image| image["imageDigest"].as_str().unwrap())
            .collect();
        assert_eq!(digests, expected, "{status}");
        for image in &described {
            let digest = image["imageDigest"].as_str().unwrap();
            let tags = image.get("imageTags").cloned().unwrap_or(json!([]));
            assert_eq!(tags, json!(images[digest]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_images_join_to_the_list(
        tags in prop::collection::vec(0_usize..4, 0..9),
        size in 1_usize..12,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&tags, size));
    }
}

#[tokio::test]
async fn pages_of_repositories_join_to_the_list_in_order_of_name() {
    let t = TestCore::start().await;
    let mut names = ["bb", "a0", "a-b", "a/b", "cc", "a.b"];
    for name in names {
        t.repository(name).await;
    }
    names.sort_unstable();
    for size in 1..8 {
        let all = joined::<DescribeRepositories>(&t, json!({}), "repositories", size).await;
        let all: Vec<&str> = all
            .iter()
            .map(|repository| repository["repositoryName"].as_str().unwrap())
            .collect();
        assert_eq!(all, names, "{size}");
    }
}

#[tokio::test]
async fn a_token_does_not_continue_the_list_of_the_next_repository_of_the_name() {
    let t = TestCore::start().await;
    put_all(&t, &[0, 0]).await;
    let input = json!({"repositoryName": "app", "maxResults": 1});
    let described = t.ok::<DescribeImages>(input.clone()).await["nextToken"].take();
    let listed = t.ok::<ListImages>(input).await["nextToken"].take();
    t.delete_repository("app").await;
    put_all(&t, &[0, 0]).await;
    for (token, other) in [(&described, &listed), (&listed, &described)] {
        assert!(token.is_string() && other.is_string());
    }
    let input = |token: &Value| json!({"repositoryName": "app", "nextToken": token});
    for token in [described, listed] {
        assert_eq!(
            t.refused::<DescribeImages>(input(&token)).await.0,
            "InvalidParameter"
        );
        assert_eq!(
            t.refused::<ListImages>(input(&token)).await.0,
            "InvalidParameter"
        );
    }
}

/// The same for a list of IAM, which goes on by markers.
async fn joined_by_marker<O>(t: &TestCore, input: &Value, list: &str, size: usize) -> Vec<Value>
where
    O: Operation<Output: Serialize> + DeserializeOwned,
{
    let mut input = input.clone();
    input["MaxItems"] = json!(size);
    let mut all = Vec::new();
    loop {
        let mut page = t.ok::<O>(input.clone()).await;
        let items = page[list].as_array_mut().unwrap();
        assert!(items.len() <= size);
        all.append(items);
        assert_eq!(page["IsTruncated"], json!(page.get("Marker").is_some()));
        match page.get("Marker") {
            // IAM's clients send no longer one.
            Some(marker) => {
                assert!(marker.as_str().unwrap().len() <= 320, "{marker}");
                input["Marker"] = marker.clone();
            }
            None => return all,
        }
    }
}

#[tokio::test]
async fn pages_of_iams_lists_join_to_the_list() {
    let t = TestCore::start().await;
    let names: Vec<String> = (0..7)
        .map(|idx| format!("{idx}{}", "n".repeat(63)))
        .collect();
    let is_all = |items: &[Value], member: &str| {
        let mut told: Vec<_> = items
            .iter()
            .map(|item| item[member].as_str().unwrap())
            .collect();
        // What is listed by id has no order that anybody could foresee.
        told.sort_unstable();
        assert_eq!(told, names);
    };
    let (path, all, first) = (format!("/{}/", "p".repeat(510)), "g".repeat(128), &names[0]);
    let tag = |key: &String| json!({"Key": key, "Value": ""});
    let tags: Vec<_> = names.iter().map(tag).collect();
    t.ok::<CreateGroup>(json!({"GroupName": all})).await;
    for name in &names {
        let user = json!({"UserName": name, "Path": path, "Tags": tags});
        t.ok::<CreateUser>(user).await;
        t.ok::<CreateGroup>(json!({"GroupName": name, "Path": path}))
            .await;
        for (group, user) in [(&all, name), (name, first)] {
            let member = json!({"GroupName": group, "UserName": user});
            t.ok::<AddUserToGroup>(member).await;
        }
    }
    for _ in 0..2 {
        t.ok::<CreateAccessKey>(json!({"UserName": first})).await;
    }
    let (within, of_all, of_first) = (
        json!({"PathPrefix": path}),
        json!({"GroupName": all}),
        json!({"UserName": first}),
    );
    for size in 1..9 {
        let users = joined_by_marker::<ListUsers>(&t, &within, "Users", size).await;
        is_all(&users, "UserName");
        let groups = joined_by_marker::<ListGroups>(&t, &within, "Groups", size).await;
        is_all(&groups, "GroupName");
        let members = joined_by_marker::<GetGroup>(&t, &of_all, "Users", size).await;
        is_all(&members, "UserName");
        let tags = joined_by_marker::<ListUserTags>(&t, &of_first, "Tags", size).await;
        is_all(&tags, "Key");
        let mut of = joined_by_marker::<ListGroupsForUser>(&t, &of_first, "Groups", size).await;
        of.retain(|group| group["GroupName"] != all.as_str());
        is_all(&of, "GroupName");
        let keys =
            joined_by_marker::<ListAccessKeys>(&t, &of_first, "AccessKeyMetadata", size).await;
        assert_eq!(keys.len(), 2);
    }
}
