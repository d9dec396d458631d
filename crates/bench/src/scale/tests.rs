use super::*;

fn fleet(replicas: usize, clients: usize, request: Request) -> Fleet {
    Fleet {
        name: String::new(),
        replicas,
        replica_cores: 1,
        database_cores: 1,
        one_machine: false,
        flush: 1.0,
        round_trip: 0.0,
        clients,
        requests: vec![request],
    }
}

fn request(replica: f64, database: f64, commits: u32) -> Request {
    Request {
        name: "a".to_owned(),
        weight: 1.0,
        replica,
        database,
        client: 0.0,
        round_trips: u32::from(database > 0.0),
        commits,
    }
}

fn is_near(found: f64, expected: f64) -> bool {
    (found / expected - 1.0).abs() < 0.03
}

#[test]
fn what_binds_is_busy_all_the_time() {
    let outcome = simulate(&fleet(1, 8, request(2.0, 0.0, 0)), 1).unwrap();
    assert!(is_near(outcome.rate, 500.0), "{outcome:?}");
    assert!(is_near(outcome.replicas_busy, 1.0), "{outcome:?}");
}

/// A closed network of two queues with the same demand: N / (N + 1) of what one of them could serve.
#[test]
fn two_equal_queues_serve_what_theory_says() {
    for clients in [1_u16, 2, 4, 16] {
        let fleet = fleet(1, clients.into(), request(2.0, 2.0, 0));
        let outcome = simulate(&fleet, 1).unwrap();
        let n = f64::from(clients);
        let expected = 500.0 * n / (n + 1.0);
        assert!(is_near(outcome.rate, expected), "{expected} {outcome:?}");
    }
}

#[test]
fn replicas_add_up_until_the_database_binds() {
    let rate = |replicas| {
        let fleet = fleet(replicas, 64, request(4.0, 1.0, 0));
        simulate(&fleet, 1).unwrap().rate
    };
    assert!(is_near(rate(1), 250.0) && is_near(rate(2), 500.0));
    assert!(is_near(rate(8), 1000.0), "{}", rate(8));
}

#[test]
fn a_flush_is_for_all_who_wait() {
    let mut committing = fleet(1, 32, request(0.01, 0.01, 1));
    committing.flush = 10.0;
    let outcome = simulate(&committing, 1).unwrap();
    assert!(outcome.commits_per_flush > 10.0, "{outcome:?}");
    assert!(outcome.rate > 1000.0, "{outcome:?}");
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let fleet = fleet(3, 16, request(1.0, 0.5, 1));
    let (one, two) = (simulate(&fleet, 7).unwrap(), simulate(&fleet, 7).unwrap());
    assert!((one.rate - two.rate).abs() < f64::EPSILON);
    assert!(
        simulate(
            &Fleet {
                clients: 0,
                ..fleet
            },
            7
        )
        .is_err()
    );
}
