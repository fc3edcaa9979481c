//! What a database's conditions say follows from decisions and from the engine, and nothing of a secret is among it.

use jiyun_crds::v1alpha1::condition;
use serde_json::json;

use super::*;
use crate::database::valid::tests::database;

fn claim() -> Arc<Claim> {
    let line = |meter: &str, pool: &str| json!({"meter": meter, "pool": pool, "dimensions": {}, "quantity": 1});
    let claim: Claim = serde_json::from_value(json!({
        "id": 7, "account": "finance", "system": "budget",
        "subject": {"kind": "CloudDatabase", "namespace": "dept-finance", "name": "pg", "uid": "u-1"},
        "item": "database-2c8g", "specDigest": "d", "approvedSpec": {}, "reservedAt": "2026-11-01T00:00:00Z",
        "lines": [line("DatabaseInstances", "Compute/hygon"), line("BlockStorage", "Storage/standard")],
    }))
    .unwrap();
    Arc::new(claim)
}

fn approved() -> Approved {
    let valid = crate::database::valid::validate(&database(|_| {}), &crate::database::valid::tests::found());
    valid.unwrap().approved
}

fn engine(power: Power, state: Option<DatabaseState>) -> Engine {
    let connection = DatabaseConnection {
        host: "pg-rw.engine-finance.svc".into(),
        read_only_host: None,
        port: 5432,
        database: "app".into(),
        credentials_secret_ref: LocalRef::new("pg-credentials"),
    };
    Engine {
        state,
        ready_instances: Some(1),
        power,
        connection: Some(connection),
        problem: None,
        missing: false,
        lag: None,
        unheard: false,
        followed: true,
    }
}

fn told(engine: Engine) -> CloudDatabaseStatus {
    let standing = Standing::Admitted { claim: claim(), objection: None, engine, approved: Box::new(approved()) };
    status(&database(|_| {}), &standing, Timestamp::UNIX_EPOCH)
}

fn reason(status: &CloudDatabaseStatus, kind: ConditionType) -> (String, String) {
    let found = condition::find(&status.conditions, kind).unwrap();
    (found.status.clone(), found.reason.clone())
}

#[test]
fn each_state_of_the_engine_has_its_reason() {
    let changing = || DatabaseState::Changing("Setting up primary".into());
    for (power, state, ready) in [
        (Power::On, Some(DatabaseState::Running), ("True", "Running")),
        (Power::Off, Some(DatabaseState::Stopped), ("True", "Stopped")),
        (Power::On, Some(DatabaseState::Stopped), ("False", "Starting")),
        (Power::Off, Some(DatabaseState::Running), ("False", "Stopping")),
        (Power::On, Some(changing()), ("False", "Starting")),
        (Power::On, None, ("False", "Starting")),
    ] {
        let told = told(engine(power, state.clone()));
        let (status, reason) = reason(&told, ConditionType::Ready);
        assert_eq!((status.as_str(), reason.as_str()), ready, "{power:?} {state:?}");
    }
}

#[test]
fn whoever_cannot_sign_in_yet_has_no_database() {
    let without = Engine { connection: None, ..engine(Power::On, Some(DatabaseState::Running)) };
    assert!(!without.settled());
    let told = told(without);
    assert_eq!(reason(&told, ConditionType::Provisioned), ("False".into(), "Provisioning".into()));
    assert_eq!(reason(&told, ConditionType::Ready).0, "False");
    assert_eq!(told.connection, None);
}

#[test]
fn a_database_that_is_behind_what_was_approved_is_not_ready_and_says_in_what() {
    for (lag, word) in [(Lag::Instances, "instances"), (Lag::Sizes, "one after the other"), (Lag::Storage, "storage")] {
        let behind = Engine { lag: Some(lag), ..engine(Power::On, Some(DatabaseState::Running)) };
        assert!(!behind.settled());
        let told = told(behind);
        assert_eq!(reason(&told, ConditionType::Ready), ("False".into(), "Resizing".into()));
        let message = &condition::find(&told.conditions, ConditionType::Ready).unwrap().message;
        assert!(message.contains(word), "{message}");
        assert_eq!(reason(&told, ConditionType::Provisioned).0, "True", "it goes on answering");
    }
}

#[test]
fn what_stands_in_the_way_of_a_change_is_told_and_the_database_goes_on() {
    let ordered = Ordered::awaited("grow".to_owned());
    let objection = Some(Box::new(Objection::Ordered(ordered)));
    let engine = engine(Power::On, Some(DatabaseState::Running));
    let standing = Standing::Admitted { claim: claim(), objection, engine, approved: Box::new(approved()) };
    let told = status(&database(|_| {}), &standing, Timestamp::UNIX_EPOCH);
    assert_ne!(reason(&told, ConditionType::Accepted).0, "True");
    assert_eq!(reason(&told, ConditionType::Ready).0, "True");
    assert_eq!(told.order_ref, Some(LocalRef::new("grow")));
}

#[test]
fn a_fault_and_an_engine_that_is_not_there_are_told_as_what_they_are() {
    let failed = told(engine(Power::On, Some(DatabaseState::Failed("Not enough disk space".into()))));
    assert_eq!(reason(&failed, ConditionType::Provisioned), ("False".into(), "EngineError".into()));
    let missing = told(Engine { missing: true, ..engine(Power::On, None) });
    for kind in [ConditionType::Provisioned, ConditionType::Ready] {
        assert_eq!(reason(&missing, kind), ("False".into(), "EngineMissing".into()));
    }
    let undecided = Standing::Undecided(Reason::EngineMissing);
    let waiting = status(&database(|_| {}), &undecided, Timestamp::UNIX_EPOCH);
    assert_eq!(reason(&waiting, ConditionType::Admitted), ("Unknown".into(), "EngineMissing".into()));
    assert!(waiting.conditions[1].message.contains("CloudNativePG"), "{:?}", waiting.conditions);
}

#[test]
fn a_database_that_does_not_go_says_so_after_ten_minutes() {
    let mut late = database(|_| {});
    let asked = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH);
    late.metadata.deletion_timestamp = Some(asked);
    let claim = Arc::new(Claim { billable_until: Some(Timestamp::UNIX_EPOCH), ..Arc::unwrap_or_clone(claim()) });
    let standing = Standing::Ending { claim, waiting_for: Some("Cluster pg".into()) };
    for (second, expected) in [(599, "Deleting"), (600, "DeletionStuck")] {
        let told = status(&late, &standing, Timestamp::from_second(second).unwrap());
        assert_eq!(reason(&told, ConditionType::Ready), ("False".into(), expected.into()));
    }
}

#[test]
fn a_client_finds_pools_claim_and_connection_in_the_status() {
    let told = told(engine(Power::On, Some(DatabaseState::Running)));
    assert_eq!(told.claim_id.as_deref(), Some("claim-7"));
    assert_eq!(told.pool_ref, Some(LocalRef::new("hygon")));
    assert_eq!(told.storage_pool_ref, Some(LocalRef::new("standard")));
    let granted = told.granted.unwrap();
    let granted = (granted.class.as_str(), granted.instances, granted.storage_size.as_str());
    assert_eq!(granted, ("database-2c8g", 3, "20Gi"));
    assert_eq!(told.connection.unwrap().credentials_secret_ref, LocalRef::new("pg-credentials"));
}

#[test]
fn only_what_does_what_was_asked_is_left_alone() {
    let admitted =
        |objection, engine| Standing::Admitted { claim: claim(), objection, engine, approved: Box::new(approved()) };
    assert!(admitted(None, engine(Power::On, Some(DatabaseState::Running))).is_settled());
    assert!(!admitted(None, engine(Power::On, None)).is_settled());
    let rejection = Rejection::unknown_reference("spec.classRef.name", "DatabaseClass", "gone");
    let rejection = Box::new(Objection::Invalid(rejection));
    assert!(!admitted(Some(rejection), engine(Power::On, Some(DatabaseState::Running))).is_settled());
    assert!(!Standing::Undecided(Reason::EngineMissing).is_settled());
}
