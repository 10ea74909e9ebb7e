//! A small stack, and the smallest loop that follows a plan: what every test here needs.

use std::{collections::BTreeMap, time::Duration};

use plan::{Entry, Facts, Next, Outcome, Output, Plan, Policy, Progress, Step};
use stack::{
    Attachment, BackupSpec, Condition, Dependency, DrillSpec, Mount, MountSource, NetworkKey, Port, Probe,
    ProbeKind, ProbeRole, SecretKind, SecretName, SecretSpec, Service, ServiceName, Shape, StackName, State,
    StateKind, Transit, VolumeKey,
};
use testkit::{Behaviour, ModelHost, Refusal};

/// A machine on which every image of the stack lies.
pub(crate) fn machine() -> ModelHost {
    let images = ["pg:16", "bao:2", "migrate:1", "app:1", "app:2"];
    let mut host = images.into_iter().fold(ModelHost::new("blog"), ModelHost::with_image);
    host.behave("migrate:1", Behaviour::Ends { code: 0 });
    host
}

/// db and bao with a volume each, a migration that runs once, and web in front of them.
pub(crate) fn blog(version: u32) -> Shape {
    let app = format!("app:{version}");
    let ready = ProbeKind::Http {
        path: "/ready".to_owned(),
        status: Vec::new(),
        json: [("status".to_owned(), "ok".into())].into(),
        host: None,
        tls: false,
    };
    let mut web = Service { image: app.clone(), probes: vec![probe(ready)], ..Service::default() };
    web.ports = vec![Port { host_ip: None, published: Some(8080), target: 80, protocol: "tcp".to_owned() }];
    web.networks = on(&["data", "edge"]);
    web.depends_on =
        [after("db", Condition::ServiceHealthy), after("migrate", Condition::ServiceCompletedSuccessfully)]
            .into();
    let mut migrate =
        Service { image: "migrate:1".to_owned(), networks: on(&["data"]), ..Service::default() };
    migrate.depends_on = [after("db", Condition::ServiceHealthy)].into();
    let services = [
        ("db", store("pg:16", "dbdata")),
        ("bao", store("bao:2", "baodata")),
        ("migrate", migrate),
        ("web", web),
    ];
    let secret = |kind| SecretSpec { kind, from: None, required: true };
    let postgres = StateKind::Postgres { database: "blog".to_owned(), user: "postgres".to_owned() };
    Shape {
        stack: StackName::from("blog"),
        name: "local".to_owned(),
        production: false,
        live: false,
        engine: None,
        min_healthy: Duration::from_secs(10),
        timeout: Duration::from_secs(60),
        files: vec!["compose.yaml".to_owned()],
        directory: "/srv/blog".to_owned(),
        publishes: None,
        origins: Vec::new(),
        services: services.map(|(name, service)| (ServiceName::from(name), service)).into(),
        networks: ["data", "edge"].map(|key| (NetworkKey::from(key), stack::Network::default())).into(),
        volumes: ["dbdata", "baodata"].map(|key| (VolumeKey::from(key), stack::Volume::default())).into(),
        secrets: [
            (SecretName::from("db_password"), secret(SecretKind::Password { length: 24 })),
            (SecretName::from("app_keys"), secret(SecretKind::Approle)),
        ]
        .into(),
        states: [
            (ServiceName::from("db"), State { kind: postgres, heartbeat: None }),
            (ServiceName::from("bao"), State { kind: StateKind::Transit(transit()), heartbeat: None }),
        ]
        .into(),
        backup: BackupSpec { to: vec!["/mnt/backups".to_owned()], ..BackupSpec::default() },
        drill: DrillSpec::default(),
    }
}

fn transit() -> Transit {
    Transit {
        key: "blog".to_owned(),
        port: 8200,
        shares: 5,
        threshold: 3,
        holders: Vec::new(),
        credential: SecretName::from("app_keys"),
        volume: Some(VolumeKey::from("baodata")),
        dev_token: None,
    }
}

fn store(image: &str, volume: &str) -> Service {
    let source = MountSource::Volume { volume: VolumeKey::from(volume) };
    let mounts = vec![Mount { target: "/data".to_owned(), source, read_only: false }];
    let probes = vec![probe(ProbeKind::Tcp)];
    Service { image: image.to_owned(), mounts, networks: on(&["data"]), probes, ..Service::default() }
}

fn probe(kind: ProbeKind) -> Probe {
    Probe { kind, port: Some(80), role: ProbeRole::Ready, timeout: Duration::from_secs(5) }
}

fn on(networks: &[&str]) -> BTreeMap<NetworkKey, Attachment> {
    networks.iter().map(|&key| (NetworkKey::from(key), Attachment::default())).collect()
}

fn after(service: &str, condition: Condition) -> (ServiceName, Dependency) {
    (ServiceName::from(service), Dependency { condition, required: true, restart: false })
}

/// What planners are told, at the machine's time.
pub(crate) fn policy(facts: &Facts) -> Policy {
    Policy {
        now: facts.seen_at,
        random: [1, 2, 3, 4],
        tool: "test".to_owned(),
        state_dir: "/var/lib/seaworthy".to_owned(),
        confirmed: Some("blog".to_owned()),
    }
}

/// Plans from what the machine looks like now.
pub(crate) fn planned(
    host: &ModelHost,
    plan: impl FnOnce(&Facts, &Policy) -> Result<Plan, diag::Stop>,
) -> Plan {
    let facts = host.observe();
    plan(&facts, &policy(&facts)).expect("it can be planned")
}

/// Follows a plan to its end, from wherever its journal stands.
pub(crate) fn follow(
    host: &mut ModelHost,
    plan: &Plan,
    journal: &mut Vec<Entry>,
) -> Result<Outcome, Refusal> {
    host.turn_to(&plan.project);
    let at = plan.made_at;
    loop {
        let progress = Progress::fold(plan, journal.iter()).expect("the loop writes no impossible entry");
        match progress.next(plan) {
            Next::Over => return Ok(progress.outcome.expect("it is over")),
            Next::End(outcome) => journal.push(Entry::Ended { at, outcome }),
            Next::Do(step) => {
                let id = step.id.clone();
                journal.push(Entry::Started { step: id.clone(), at });
                let entry = match host.act(step, &step.action, journal) {
                    Ok(output) => Entry::Succeeded { step: id, at, output },
                    Err(Refusal::Failed(because)) if step.forgiving => {
                        Entry::Succeeded { step: id, at, output: Output::Left { because } }
                    }
                    Err(Refusal::Failed(because)) => Entry::Failed { step: id, at, because: vec![because] },
                    Err(Refusal::Waiting(instruction)) => {
                        journal.push(Entry::Waiting { step: id, at, instruction: instruction.clone() });
                        return Err(Refusal::Waiting(instruction));
                    }
                    Err(other) => return Err(other),
                };
                journal.push(entry);
            }
            Next::TakeBack(step) => take_back(host, step, at, journal)?,
        }
    }
}

fn take_back(
    host: &mut ModelHost,
    step: &Step,
    at: jiff::Timestamp,
    journal: &mut Vec<Entry>,
) -> Result<(), Refusal> {
    let id = step.id.clone();
    journal.push(Entry::Undoing { step: id.clone(), at });
    for action in &step.undo {
        match host.act(step, action, journal) {
            Ok(_) => {}
            Err(Refusal::Failed(because)) => {
                journal.push(Entry::UndoFailed { step: id.clone(), at, because: vec![because.clone()] });
                let (because, undo_error) = (Vec::new(), vec![because]);
                journal.push(Entry::Ended { at, outcome: Outcome::Stuck { step: id, because, undo_error } });
                return Ok(());
            }
            Err(other) => return Err(other),
        }
    }
    journal.push(Entry::Undone { step: id, at });
    Ok(())
}

/// Follows a plan that nothing interrupts.
pub(crate) fn run(host: &mut ModelHost, plan: &Plan) -> Outcome {
    follow(host, plan, &mut Vec::new()).expect("nothing interrupts it")
}

/// The stack bootstrapped and deployed, with three posts written.
pub(crate) fn running() -> ModelHost {
    let mut host = machine();
    let shape = blog(1);
    let bootstrap = planned(&host, |facts, policy| plan::bootstrap(&shape, &[], facts, policy));
    assert_eq!(run(&mut host, &bootstrap), Outcome::Applied);
    let deploy = planned(&host, |facts, policy| plan::deploy(&shape, facts, policy));
    assert_eq!(run(&mut host, &deploy), Outcome::Applied);
    host.write_rows("blog-db-1", "posts", 3);
    host
}
