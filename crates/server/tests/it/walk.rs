//! Every path leads through one gate: all operations and all requests under `/v2/` are made by everybody, and each answer
//! is held against one that is computed from AWS's rules (`rules`) and from which action a call needs (`table`). What is
//! answered otherwise is in `walk/exceptions.txt`, with the reason.

mod answer;
mod ecr;
mod exceptions;
mod iam;
mod methods;
mod people;
mod public;
mod routes;
mod rules;
mod scene;
mod sts;
mod swaps;
mod table;
mod tables;

use self::{
    answer::Wire,
    exceptions::Found,
    iam::Named,
    people::Person,
    rules::{Need, Opened, decide},
    scene::Scene,
    table::On,
};
use crate::harness::{Account, Answer, Call, Request, basic};

/// Somebody, or nobody, at a repository with that policy.
#[derive(Clone, Copy)]
struct Visit<'a> {
    person: Option<&'a Person>,
    opened: Opened,
}

impl Visit<'_> {
    fn label(self) -> String {
        let who = self.person.map_or("anonymous", |person| person.name);
        match self.opened {
            Opened::Closed => who.to_owned(),
            Opened::ToStrangers => format!("{who} where strangers may"),
            Opened::ToAll => format!("{who} where all may pull"),
        }
    }

    /// Whether it is somebody of the other account.
    fn is_strange(self, scene: &Scene) -> bool {
        self.person
            .is_some_and(|person| person.account == scene.theirs.id)
    }

    /// The account whose registry and identities the caller means without saying so.
    fn home(self, scene: &Scene) -> &Account {
        if self.is_strange(scene) {
            &scene.theirs
        } else {
            &scene.ours
        }
    }

    /// Sends a call, signed if there is somebody to sign it.
    async fn send(self, call: Call) -> Answer {
        match self.person {
            Some(person) => person.signer.sign(call).send().await,
            None => call.request.send().await,
        }
    }

    /// Sends a request under `/v2/` with the caller's password, if there is one.
    async fn send_v2(self, request: Request) -> Answer {
        let request = match self.person {
            Some(person) => request.header("Authorization", basic("AWS", &person.password)),
            None => request,
        };
        request.send().await
    }
}

fn everybody(scene: &Scene) -> Vec<Visit<'_>> {
    let closed = |person| Visit {
        person,
        opened: Opened::Closed,
    };
    let people = scene.people.iter().map(Some);
    std::iter::once(None).chain(people).map(closed).collect()
}

/// Everybody, and whoever an open repository makes a difference to.
fn everybody_at_repositories(scene: &Scene) -> Vec<Visit<'_>> {
    let mut visits = everybody(scene);
    let visit = |person, opened| Visit { person, opened };
    visits.extend([
        visit(Some(scene.person("stranger")), Opened::ToStrangers),
        visit(Some(scene.person("nobody")), Opened::ToAll),
        visit(None, Opened::ToAll),
    ]);
    visits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_of_registries() {
    let scene = Scene::peopled().await;
    let mut found = Found::default();
    for (service, operation, action, on) in table::of_registries() {
        // Whoever is refused changes nothing, so that one repository does for all of them.
        let refused = ecr::ask(&scene, operation, on, &scene.ours, Opened::Closed).await;
        for visit in everybody_at_repositories(&scene) {
            let mut need = Need {
                action: action.to_owned(),
                resource: refused.resource.clone(),
                owner: (on != On::Registry).then(|| scene.ours.id.clone()),
                is_in_repository: on == On::Repository,
                or: None,
            };
            let is_allowed = decide_api(visit, &need).is_ok();
            let fresh = if is_allowed || visit.opened != Opened::Closed {
                Some(ecr::ask(&scene, operation, on, visit.home(&scene), visit.opened).await)
            } else {
                None
            };
            let asked = fresh.as_ref().unwrap_or(&refused);
            need.resource.clone_from(&asked.resource);
            let call = Call::new(&scene.ours.admin, service, operation, &asked.input);
            let answer = visit.send(call).await;
            let needs = with_beside(&scene, operation, need, &asked.input);
            let decided = needs.iter().try_for_each(|need| decide_api(visit, need));
            let expected = match decided {
                Ok(()) => "200".to_owned(),
                Err(refusal) => Wire::Json.refusal(&refusal),
            };
            found.compare(
                &format!("{service} {operation}"),
                &visit.label(),
                &expected,
                &Wire::Json.read(&answer),
            );
        }
        // It was no mistake of the call that it was refused, and it is all still there.
        let input = &refused.input;
        scene.ours.admin.done(service, operation, input).await;
    }
    found.conclude(&["ecr ", "longshore "]);
}

/// All that an operation needs, its own action first.
fn with_beside(scene: &Scene, operation: &str, need: Need, input: &serde_json::Value) -> Vec<Need> {
    let (on_it, on_made) = table::beside(operation);
    let made = ecr::made(scene, input).unwrap_or_default();
    let action = |need: &Need, action: &str| Need {
        action: action.to_owned(),
        ..need.clone()
    };
    let on_it = on_it.iter().map(|name| action(&need, name));
    let on_made = on_made.iter().map(|name| Need {
        resource: made.clone(),
        is_in_repository: false,
        ..action(&need, name)
    });
    let beside: Vec<Need> = on_it.chain(on_made).collect();
    std::iter::once(need).chain(beside).collect()
}

/// Without a signature the API knows nobody, whatever policies say.
fn decide_api(visit: Visit<'_>, need: &Need) -> Result<(), rules::Refusal> {
    let opened = if visit.person.is_some() {
        visit.opened
    } else {
        Opened::Closed
    };
    decide(visit.person, std::slice::from_ref(need), opened)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_of_iam() {
    let scene = Scene::peopled().await;
    let mut found = Found::default();
    for operation in tables::operations("iam") {
        let refused = iam::ask(&scene, &scene.ours, &operation).await;
        let named = refused.named(&operation);
        for visit in everybody(&scene) {
            let is_strange = visit.is_strange(&scene);
            let mut need = Need {
                action: format!("iam:{operation}"),
                resource: refused.resource.clone(),
                owner: (!is_strange || named == Named::ByArn).then(|| scene.ours.id.clone()),
                is_in_repository: false,
                or: None,
            };
            let is_single = iam::is_single(&operation);
            let is_absent = is_strange && named == Named::ByName && !is_single;
            let is_allowed = decide_api(visit, &need).is_ok() && !is_absent;
            let fresh = if is_allowed || is_single {
                Some(iam::ask(&scene, visit.home(&scene), &operation).await)
            } else {
                None
            };
            let asked = fresh.as_ref().unwrap_or(&refused);
            need.resource.clone_from(&asked.resource);
            let call = Call::new(&scene.ours.admin, "iam", &operation, &asked.input);
            let answer = visit.send(call).await;
            let expected = match decide_api(visit, &need) {
                Ok(()) if is_absent => "404 NoSuchEntity".to_owned(),
                Ok(()) => asked.answer.unwrap_or("200").to_owned(),
                Err(refusal) => Wire::Query.refusal(&refusal),
            };
            found.compare(
                &format!("iam {operation}"),
                &visit.label(),
                &expected,
                &Wire::Query.read(&answer),
            );
        }
        let last = if iam::is_single(&operation) {
            iam::ask(&scene, &scene.ours, &operation).await
        } else {
            refused
        };
        let answer = scene.ours.admin.call("iam", &operation, &last.input).await;
        let answer = Wire::Query.read(&answer);
        assert_eq!(answer, last.answer.unwrap_or("200"), "{operation}");
    }
    found.conclude(&["iam "]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_of_sts_and_organizations() {
    let scene = Scene::peopled().await;
    let mut found = Found::default();
    for operation in tables::operations("sts") {
        for visit in everybody(&scene) {
            let (input, resource) = sts::ask(&scene, visit.home(&scene), &operation).await;
            let expected = match decide_api(visit, &sts::need(&operation, resource)) {
                Ok(()) => "200".to_owned(),
                Err(refusal) => Wire::Query.refusal(&refusal),
            };
            let answer = visit
                .send(Call::new(&scene.ours.admin, "sts", &operation, &input))
                .await;
            found.compare(
                &format!("sts {operation}"),
                &visit.label(),
                &expected,
                &Wire::Query.read(&answer),
            );
        }
    }
    found.conclude(&["sts "]);
    let mut found = Found::default();
    for operation in tables::operations("organizations") {
        for visit in everybody(&scene) {
            let input = sts::ask_organizations(&scene, &operation).await;
            let need = sts::need_of_organizations(&operation);
            let expected = match decide_api(visit, &need) {
                // The guide of Organizations: only the management account may call most operations.
                Ok(()) if visit.is_strange(&scene) && operation != "DescribeOrganization" => {
                    "400 AccessDeniedException You don't have permissions to access this resource."
                        .to_owned()
                }
                Ok(()) => "200".to_owned(),
                Err(refusal) => Wire::Json.refusal(&refusal),
            };
            let answer = visit
                .send(Call::new(
                    &scene.ours.admin,
                    "organizations",
                    &operation,
                    &input,
                ))
                .await;
            found.compare(
                &format!("organizations {operation}"),
                &visit.label(),
                &expected,
                &Wire::Json.read(&answer),
            );
        }
    }
    found.conclude(&["organizations "]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_v2() {
    let scene = Scene::peopled().await;
    let mut found = Found::default();
    for (name, method, actions, status) in table::ROUTES {
        let wire = if *method == "HEAD" {
            Wire::V2Head
        } else {
            Wire::V2
        };
        let refused = routes::ask(&scene, name, method, Opened::Closed).await;
        for visit in everybody_at_repositories(&scene) {
            let decided = |repository: &str| {
                let needs: Vec<Need> = actions
                    .iter()
                    .map(|need| routes::need(&scene, repository, need))
                    .collect();
                decide(visit.person, &needs, visit.opened)
            };
            let fresh = if decided(&refused.repository).is_ok() || visit.opened != Opened::Closed {
                Some(routes::ask(&scene, name, method, visit.opened).await)
            } else {
                None
            };
            let asked = fresh.as_ref().unwrap_or(&refused);
            let expected = match decided(&asked.repository) {
                Ok(()) => status.to_string(),
                Err(refusal) => wire.refusal(&refusal),
            };
            let answer = visit.send_v2(asked.request.clone()).await;
            found.compare(
                &format!("v2 {method} {name}"),
                &visit.label(),
                &expected,
                &wire.read(&answer),
            );
        }
        let password = scene.ours.admin.password().await;
        let request = refused
            .request
            .header("Authorization", basic("AWS", &password));
        let answer = request.send().await;
        assert_eq!(answer.status, *status, "{method} {name}: {}", answer.text());
    }
    found.conclude(&["v2 "]);
}
