//! `docker-compose.yml` by the project's own rules; that it is a compose file at all is checked by `.ci/run`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Services that run once and end: their exit is their health.
const ONE_SHOT: [&str; 2] = ["simulator", "topics"];

/// The image writes below its own root.
const WRITES_ITS_ROOT: [&str; 1] = ["kafka"];

#[test]
fn every_image_is_pinned() {
    check_services(|_, service| {
        let image = text(&service["image"]);
        let tag = image.split_once(':').map_or("", |(_, tag)| tag);
        tag.starts_with(|first: char| first.is_ascii_digit() || first == 'v') && tag.contains('.')
    });
}

#[test]
fn the_broker_is_the_version_that_the_tests_run() {
    let image = text(&compose()["services"]["kafka"]["image"]).to_owned();
    assert_eq!(
        image,
        format!("apache/kafka:{}", acceptance::kafka::VERSION)
    );
}

#[test]
fn every_port_is_published_on_the_loopback_address_alone() {
    check_services(|_, service| {
        list(&service["ports"])
            .iter()
            .all(|port| text(port).starts_with("127.0.0.1:"))
    });
}

#[test]
fn every_file_that_is_mounted_is_there() {
    check_services(|_, service| {
        list(&service["volumes"])
            .iter()
            .filter_map(|volume| text(volume).split(':').next())
            .filter(|source| source.starts_with("./"))
            .all(|source| root().join(source).exists())
    });
}

#[test]
fn every_named_volume_and_secret_is_declared_and_used() {
    let compose = compose();
    for (kind, used) in [
        ("volumes", mounted_volumes(&compose)),
        ("secrets", given_secrets(&compose)),
    ] {
        let mut declared: Vec<String> = object(&compose[kind]).keys().cloned().collect();
        declared.sort();
        assert_eq!(used, declared, "{kind}");
    }
}

#[test]
fn every_service_that_stays_says_whether_it_is_well() {
    check_services(|name, service| {
        let health = &service["healthcheck"];
        if ONE_SHOT.contains(&name) {
            return health["disable"] == Value::Bool(true) && service["restart"] == "no";
        }
        ["test", "interval", "timeout", "retries", "start_period"]
            .iter()
            .all(|key| !health[*key].is_null())
    });
}

#[test]
fn no_service_has_more_rights_than_it_needs() {
    check_services(|name, service| {
        let may_write = WRITES_ITS_ROOT.contains(&name);
        service["cap_drop"] == serde_json::json!(["ALL"])
            && service["security_opt"] == serde_json::json!(["no-new-privileges:true"])
            && (may_write || service["read_only"] == Value::Bool(true))
            && service["privileged"].is_null()
    });
}

#[test]
fn secrets_are_files_that_are_not_committed() {
    let compose = compose();
    for (name, secret) in object(&compose["secrets"]) {
        let file = text(&secret["file"]);
        assert!(
            file.starts_with("./ops/secrets/"),
            "the secret `{name}` is in `{file}`"
        );
    }
    let ignored =
        fs::read_to_string(root().join("ops/secrets/.gitignore")).expect("ops/secrets/.gitignore");
    assert_eq!(ignored.lines().next(), Some("*"));
}

#[test]
fn what_a_service_waits_for_can_come_about() {
    let compose = compose();
    for (name, service) in object(&compose["services"]) {
        for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
            let needed = match text(&how["condition"]) {
                "service_completed_successfully" => ONE_SHOT.contains(&other.as_str()),
                "service_healthy" => !compose["services"][other]["healthcheck"]["test"].is_null(),
                _ => false,
            };
            assert!(needed, "`{name}` waits for `{other}`: {how}");
        }
    }
}

/// Reports all services that a rule does not hold for.
fn check_services(holds: impl Fn(&str, &Value) -> bool) {
    let compose = compose();
    let services = object(&compose["services"]);
    assert!(!services.is_empty());
    let broken: Vec<&String> = services
        .iter()
        .filter(|(name, service)| !holds(name, service))
        .map(|(name, _)| name)
        .collect();
    assert!(broken.is_empty(), "services that break it: {broken:?}");
}

/// The file with its anchors and merged keys resolved.
fn compose() -> Value {
    let text =
        fs::read_to_string(root().join("docker-compose.yml")).expect("docker-compose.yml is there");
    serde_saphyr::from_str(&text).expect("docker-compose.yml is YAML")
}

fn mounted_volumes(compose: &Value) -> Vec<String> {
    let sources = object(&compose["services"])
        .values()
        .flat_map(|service| list(&service["volumes"]));
    sorted(
        sources
            .filter_map(|volume| text(volume).split(':').next())
            .filter(|name| !name.contains('/')),
    )
}

fn given_secrets(compose: &Value) -> Vec<String> {
    let given = object(&compose["services"])
        .values()
        .flat_map(|service| list(&service["secrets"]));
    sorted(given.map(text))
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("a mapping")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// A list, or none where the key is absent.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
