//! Public registries: aliases, catalog data, tags, and what is kept apart from private ones.

use std::time::Duration;

use bytes::Bytes;
use longshore_registry::{
    Error,
    body::Whole,
    oci::{
        Repository,
        blob::HeadBlob,
        manifest::{Accept, PullManifest},
        upload::{Mount, PushBlob, StartUpload, Started},
    },
    op::{
        image::{DescribeImages, PutImage},
        repository::{DeleteRepository, DescribeRepositories, SetRepositoryPolicy},
        resource::ListTagsForResource,
    },
    principal::Caller,
    public::{
        alias::{self, NotGiven, registry_of},
        image::DescribeImageTags,
        registry::{DescribeRegistries, GetRegistryCatalogData, PutRegistryCatalogData},
        repository::{CreateRepository, GetRepositoryCatalogData, PutRepositoryCatalogData},
    },
};
use longshore_types::{account::Registry, alias::RegistryAlias, digest::Digest};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, OTHER, TestCore, digest_of, name, name_of, oci_manifest, texts};

async fn create(t: &TestCore, name: &str) -> Value {
    let created = t.public::<CreateRepository>(json!({ "repositoryName": name }));
    created.await.unwrap()["repository"].take()
}

fn at(repository: &str) -> Repository {
    Repository {
        registry: Registry::public(ACCOUNT.parse().unwrap()),
        name: name(repository),
    }
}

async fn blob(t: &TestCore, repository: &str, bytes: &[u8]) -> Digest {
    let digest = digest_of(bytes);
    let push = PushBlob {
        repository: at(repository),
        digest,
        body: Box::new(Whole::new(Bytes::copy_from_slice(bytes))),
    };
    t.run(push).await.unwrap();
    digest
}

/// Puts an image under a tag.
async fn put(t: &TestCore, repository: &str, seed: &str, tag: &str) {
    blob(t, repository, seed.as_bytes()).await;
    let manifest = oci_manifest(seed.as_bytes(), &[seed.as_bytes()]).to_string();
    let input = json!({ "repositoryName": repository, "imageManifest": manifest, "imageTag": tag });
    t.public::<PutImage>(input).await.unwrap();
}

async fn aliases(t: &TestCore) -> Vec<(String, bool, bool)> {
    let told = t.public::<DescribeRegistries>(json!({})).await.unwrap();
    let list = told["registries"][0]["aliases"].as_array().unwrap().clone();
    let read = |alias: &Value| {
        let is = |member: &str| alias[member].as_bool().unwrap();
        let name = alias["name"].as_str().unwrap().to_owned();
        (name, is("defaultRegistryAlias"), is("primaryRegistryAlias"))
    };
    list.iter().map(read).collect()
}

#[tokio::test]
async fn the_first_repository_gives_the_registry_its_default_alias() {
    let t = TestCore::start().await;
    let told = t.public::<DescribeRegistries>(json!({})).await.unwrap();
    let none = json!({ "registryId": ACCOUNT, "registryUri": "", "verified": false, "aliases": [],
        "registryArn": format!("arn:aws:ecr-public::{ACCOUNT}:registry/{ACCOUNT}") });
    assert_eq!(told, json!({ "registries": [none] }));
    let first = create(&t, "team/app").await;
    let [(alias, true, true)] = &aliases(&t).await[..] else {
        panic!("not one default alias");
    };
    assert_eq!(alias.len(), 8);
    let expected = json!({
        "repositoryArn": format!("arn:aws:ecr-public::{ACCOUNT}:repository/team/app"),
        "registryId": ACCOUNT,
        "repositoryName": "team/app",
        "repositoryUri": format!("localhost:5050/public/{alias}/team/app"),
        "createdAt": 1_700_000_000.123,
    });
    assert_eq!(first, expected);
    create(&t, "other").await;
    assert_eq!(aliases(&t).await.len(), 1);
    let parsed: RegistryAlias = alias.parse().unwrap();
    let found = registry_of(&t.core, &parsed).await.unwrap();
    assert_eq!(found, Some(Registry::public(ACCOUNT.parse().unwrap())));
    // The same name is free in the private registry, and each service tells of its own.
    t.repository("team/app").await;
    let public = t.public::<DescribeRepositories>(json!({})).await.unwrap();
    assert_eq!(
        texts(&public["repositories"], "repositoryName"),
        ["other", "team/app"]
    );
    let private = t.ok::<DescribeRepositories>(json!({})).await;
    assert_eq!(
        texts(&private["repositories"], "repositoryName"),
        ["team/app"]
    );
}

#[tokio::test]
async fn an_operator_gives_aliases_within_bounds() {
    let t = TestCore::start().await;
    let owner = ACCOUNT.parse().unwrap();
    let give = |alias: &str| alias::give(&t.core.meta, owner, alias.parse().unwrap());
    // Before the first repository, which then still gives the default.
    give("team").await.unwrap();
    let created = create(&t, "app").await;
    assert_eq!(created["repositoryUri"], "localhost:5050/public/team/app");
    let default = aliases(&t).await.into_iter().find(|alias| alias.1);
    let (default, _, is_primary) = default.unwrap();
    assert!(!is_primary);
    // Again and back; an alias is never taken away.
    give("team-2").await.unwrap();
    give("team").await.unwrap();
    let primary: Vec<_> = aliases(&t)
        .await
        .into_iter()
        .filter(|alias| alias.2)
        .collect();
    assert_eq!(primary, [("team".to_owned(), false, true)]);
    assert_eq!(aliases(&t).await.len(), 3);
    assert!(matches!(give("aws-team").await, Err(NotGiven::Reserved(_))));
    assert!(matches!(give("public").await, Err(NotGiven::Reserved(_))));
    let absent = alias::give(
        &t.core.meta,
        OTHER.parse().unwrap(),
        "free".parse().unwrap(),
    );
    assert!(matches!(absent.await, Err(NotGiven::NoAccount(_))));
    for number in 3..10 {
        give(&format!("team-{number}")).await.unwrap();
    }
    assert!(matches!(give("team-10").await, Err(NotGiven::TooMany(_))));
    // What was refused changed nothing.
    let primary = aliases(&t).await.into_iter().find(|alias| alias.2).unwrap();
    assert_eq!(primary.0, "team-9");
    let default: RegistryAlias = default.parse().unwrap();
    assert!(registry_of(&t.core, &default).await.unwrap().is_some());
}

#[tokio::test]
async fn names_that_only_private_repositories_may_have_are_refused() {
    let t = TestCore::start().await;
    for bad in ["a--b", "a__b", &"a".repeat(206)] {
        let input = json!({ "repositoryName": bad });
        let refused = t.public::<CreateRepository>(input).await.unwrap_err();
        assert_eq!(name_of(&refused), "InvalidParameter", "{bad}");
        t.repository(bad).await;
    }
    create(&t, &"a".repeat(205)).await;
    assert!(aliases(&t).await.len() == 1);
}

#[tokio::test]
async fn catalog_data_changes_member_by_member() {
    let t = TestCore::start().await;
    create(&t, "app").await;
    let get = || t.public::<GetRepositoryCatalogData>(json!({ "repositoryName": "app" }));
    let absent = get().await.unwrap_err();
    assert_eq!(name_of(&absent), "RepositoryCatalogDataNotFound");
    let put = |data: Value| {
        let input = json!({ "repositoryName": "app", "catalogData": data });
        t.public::<PutRepositoryCatalogData>(input)
    };
    let all = json!({ "description": "d", "architectures": ["ARM", "x86"], "operatingSystems": ["Linux"],
        "aboutText": "a", "usageText": "u" });
    assert_eq!(put(all.clone()).await.unwrap()["catalogData"], all);
    let some = put(json!({ "description": "", "architectures": [], "usageText": "v" }));
    let expected = json!({ "operatingSystems": ["Linux"], "aboutText": "a", "usageText": "v" });
    assert_eq!(some.await.unwrap()["catalogData"], expected);
    assert_eq!(get().await.unwrap()["catalogData"], expected);
    for (bad, member) in [
        (json!({ "description": "é".repeat(1025) }), "description"),
        (json!({ "aboutText": "a".repeat(25_601) }), "aboutText"),
        (json!({ "usageText": "a".repeat(25_601) }), "usageText"),
        (json!({ "architectures": vec!["a"; 51] }), "architectures"),
        (json!({ "architectures": [""] }), "architectures"),
        (
            json!({ "operatingSystems": ["a".repeat(51)] }),
            "operatingSystems",
        ),
        (json!({ "logoImageBlob": "AAAA" }), "logoImageBlob"),
    ] {
        let refused = put(bad).await.unwrap_err();
        assert!(matches!(refused, Error::InvalidParameter(_)), "{member}");
        assert!(refused.to_string().contains(member), "{refused}");
    }
    assert_eq!(get().await.unwrap()["catalogData"], expected);
    let most = json!({ "description": "é".repeat(1024), "aboutText": "a".repeat(25_600),
        "architectures": vec!["a".repeat(50); 50] });
    put(most).await.unwrap();
    // It goes with the repository, and the sweepers leave nothing behind.
    let delete = json!({ "repositoryName": "app" });
    t.public::<DeleteRepository>(delete).await.unwrap();
    t.sweep().await;
    create(&t, "app").await;
    assert_eq!(
        name_of(&get().await.unwrap_err()),
        "RepositoryCatalogDataNotFound"
    );
}

#[tokio::test]
async fn a_registry_is_called_as_its_owner_says() {
    let t = TestCore::start().await;
    let get = || t.public::<GetRegistryCatalogData>(json!({}));
    let named = |name: &str| json!({ "registryCatalogData": { "displayName": name } });
    let nothing = json!({ "registryCatalogData": {} });
    assert_eq!(get().await.unwrap(), nothing);
    let put = |input: Value| t.public::<PutRegistryCatalogData>(input);
    let longest = "é".repeat(100);
    let answer = put(json!({ "displayName": longest })).await.unwrap();
    assert_eq!(answer, named(&longest));
    assert_eq!(get().await.unwrap(), answer);
    let refused = put(json!({ "displayName": "é".repeat(101) })).await;
    assert!(matches!(refused, Err(Error::InvalidParameter(_))));
    assert_eq!(put(json!({})).await.unwrap(), nothing);
    assert_eq!(get().await.unwrap(), nothing);
}

#[tokio::test]
async fn pages_of_tags_are_the_list() {
    let t = TestCore::start().await;
    create(&t, "app").await;
    for tag in ["b", "a", "d", "c", "e"] {
        put(&t, "app", "one", tag).await;
    }
    put(&t, "app", "two", "f").await;
    for size in 1..=7 {
        let (mut tags, mut token) = (Vec::new(), None);
        loop {
            let mut input = json!({ "repositoryName": "app", "maxResults": size });
            if let Some(token) = token.take() {
                input["nextToken"] = token;
            }
            let page = t.public::<DescribeImageTags>(input).await.unwrap();
            let list = &page["imageTagDetails"];
            assert!(list.as_array().unwrap().len() <= size);
            tags.extend(texts(list, "imageTag"));
            match page.get("nextToken") {
                Some(next) => token = Some(next.clone()),
                None => break,
            }
        }
        assert_eq!(tags, ["a", "b", "c", "d", "e", "f"], "{size}");
    }
}

#[tokio::test]
async fn a_tag_is_as_old_as_it_has_named_its_image() {
    let t = TestCore::start().await;
    create(&t, "app").await;
    put(&t, "app", "one", "v1").await;
    let told = async || {
        let input = json!({ "repositoryName": "app" });
        let page = t.public::<DescribeImageTags>(input).await.unwrap();
        page["imageTagDetails"][0].clone()
    };
    let first = told().await;
    assert_eq!(first["createdAt"], 1_700_000_000.123);
    t.advance(Duration::from_secs(10));
    put(&t, "app", "one", "v2").await;
    assert_eq!(told().await["createdAt"], first["createdAt"]);
    put(&t, "app", "two", "v1").await;
    let moved = told().await;
    assert_eq!(moved["createdAt"], 1_700_000_010.123);
    let digest = |tag: &Value| tag["imageDetail"]["imageDigest"].clone();
    assert_ne!(digest(&moved), digest(&first));
}

#[tokio::test]
async fn images_are_told_without_what_only_private_ones_have() {
    let t = TestCore::start().await;
    create(&t, "app").await;
    put(&t, "app", "one", "v1").await;
    let pull = PullManifest {
        repository: at("app"),
        reference: "v1".parse().unwrap(),
        accept: Accept::anything(),
        whole: true,
    };
    t.run_as(Caller::Anonymous, pull).await.unwrap();
    t.sweep().await;
    let input = json!({ "repositoryName": "app" });
    let images = t.public::<DescribeImages>(input).await.unwrap();
    let image = images["imageDetails"][0].as_object().unwrap();
    let mut members: Vec<&str> = image.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "artifactMediaType",
            "imageDigest",
            "imageManifestMediaType",
            "imagePushedAt",
            "imageSizeInBytes",
            "imageTags",
            "registryId",
            "repositoryName"
        ]
    );
}

#[tokio::test]
async fn nothing_is_shared_between_a_public_and_a_private_registry() {
    let t = TestCore::start().await;
    create(&t, "app").await;
    t.repository("app").await;
    let secret = t.blob("app", b"what only the private repository has").await;
    let head = |repository: Repository, caller: Caller| {
        let digest = secret;
        t.run_as(caller, HeadBlob { repository, digest })
    };
    assert!(head(t.at("app"), t.caller.clone()).await.is_ok());
    for caller in [t.caller.clone(), Caller::Anonymous] {
        let refused = head(at("app"), caller).await.unwrap_err();
        assert!(matches!(refused, Error::BlobUnknown));
    }
    // Neither by the name of a repository nor without one is it mounted, although the caller may read both.
    for from in [None, Some(name("app"))] {
        let digest = secret;
        let mount = StartUpload {
            repository: at("app"),
            mount: Some(Mount { digest, from }),
            sha512: false,
        };
        assert!(matches!(t.run(mount).await.unwrap(), Started::Upload(_)));
    }
    // The same bytes are stored for each registry apart.
    let before = t.files();
    let big = vec![7; 100_000];
    blob(&t, "app", &big).await;
    t.blob("app", &big).await;
    assert_eq!(t.files(), before + 2);
}

#[tokio::test]
async fn neither_a_policy_nor_anything_else_keeps_anybody_from_pulling() {
    let t = TestCore::start().await;
    create(&t, "app").await;
    put(&t, "app", "one", "v1").await;
    let deny = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Principal": "*",
        "Action": "ecr-public:*" } });
    let set = json!({ "repositoryName": "app", "policyText": deny.to_string(), "force": true });
    t.public::<SetRepositoryPolicy>(set).await.unwrap();
    for caller in [t.caller.clone(), Caller::Anonymous] {
        let pull = PullManifest {
            repository: at("app"),
            reference: "v1".parse().unwrap(),
            accept: Accept::anything(),
            whole: true,
        };
        t.run_as(caller, pull).await.unwrap();
    }
    let put = PushBlob {
        repository: at("app"),
        digest: digest_of(b"x"),
        body: Box::new(Whole::new(Bytes::from_static(b"x"))),
    };
    assert!(matches!(t.run(put).await, Err(Error::AccessDenied(_))));
}

#[tokio::test]
async fn tags_of_one_service_are_not_told_by_the_other() {
    let t = TestCore::start().await;
    let tags = json!([{ "Key": "k", "Value": "v" }]);
    let created = t.public::<CreateRepository>(json!({ "repositoryName": "app", "tags": tags }));
    let arn = created.await.unwrap()["repository"]["repositoryArn"].clone();
    let input = json!({ "resourceArn": arn });
    let told = t
        .public::<ListTagsForResource>(input.clone())
        .await
        .unwrap();
    assert_eq!(told, json!({ "tags": tags }));
    assert_eq!(
        t.refused::<ListTagsForResource>(input).await.0,
        "InvalidParameter"
    );
    // Without its tags, no repository is made.
    let bad = json!({ "repositoryName": "none", "tags": [{ "Key": "aws:k", "Value": "v" }] });
    t.public::<CreateRepository>(bad).await.unwrap_err();
    let all = t.public::<DescribeRepositories>(json!({})).await.unwrap();
    assert_eq!(texts(&all["repositories"], "repositoryName"), ["app"]);
}
