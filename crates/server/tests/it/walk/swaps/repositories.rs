//! Registry ids, repository names and ARNs.

use super::{Swap, check_all, v2_by_stranger};
use crate::{
    harness::{Call, Request},
    walk::{
        answer::Wire,
        ecr, routes,
        rules::Opened,
        scene::Scene,
        table::{On, ROUTES, of_registries},
    },
};

#[tokio::test]
async fn a_repository_of_another_account_is_not_told_from_one_that_is_not_there() {
    let scene = Scene::empty().await;
    let stranger = &scene.theirs.admin;
    let mut swaps = Vec::new();
    for (service, operation, _, on) in of_registries() {
        if on != On::Repository {
            continue;
        }
        let asked = ecr::ask(&scene, operation, on, &scene.ours, Opened::Closed).await;
        let name = asked.resource.rsplit('/').next().unwrap().to_owned();
        for (what, absent) in [
            ("name", name.replace("walk", "gone")),
            ("account", name.clone()),
        ] {
            let text = asked
                .input
                .to_string()
                .replace(&format!("{name}\""), &format!("{absent}\""));
            let nobodys = "999999999999";
            let (text, ids) = match what {
                "name" => (text, vec![(name.clone(), absent)]),
                _ => (
                    text.replace(&scene.ours.id, nobodys),
                    vec![(scene.ours.id.clone(), nobodys.to_owned())],
                ),
            };
            let input = serde_json::from_str(&text).unwrap();
            swaps.push(Swap {
                what: format!("{what} of {operation}"),
                real: stranger.sign(Call::new(stranger, service, operation, &asked.input)),
                made_up: stranger.sign(Call::new(stranger, service, operation, &input)),
                ids,
                wire: Wire::Json,
            });
        }
    }
    check_all(&scene, swaps).await;
}

#[tokio::test]
async fn a_repository_under_v2_of_another_account_is_not_told_from_one_that_is_not_there() {
    let scene = Scene::empty().await;
    let password = scene.theirs.admin.password().await;
    let mut swaps = Vec::new();
    for (name, method, _, _) in ROUTES.iter().filter(|(name, ..)| *name != "catalog") {
        let asked = routes::ask(&scene, name, method, Opened::Closed).await;
        let absent = asked.repository.replace("walk", "gone");
        let real = by(&scene, &password, &asked.request);
        let mut made_up = real.clone();
        made_up.target = made_up
            .target
            .replace(&format!("{}/", asked.repository), &format!("{absent}/"));
        swaps.push(Swap {
            what: format!("{method} {name}"),
            real,
            made_up,
            ids: vec![(asked.repository, absent)],
            wire: Wire::V2,
        });
    }
    check_all(&scene, swaps).await;
}

fn by(scene: &Scene, password: &str, request: &Request) -> Request {
    let path = request.target.trim_start_matches("/v2/");
    let mut same = v2_by_stranger(scene, password, &request.method, path);
    let other = request
        .headers
        .iter()
        .filter(|(name, _)| name == "Content-Type");
    same.headers.extend(other.cloned());
    same.body(request.body.clone())
}
