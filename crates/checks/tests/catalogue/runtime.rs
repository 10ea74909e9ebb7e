//! Runtime: what a container may do to its host, and how it starts, ends and says that it is well.

use stack::{Condition, Probe, ProbeKind, Restart};

use crate::shapes::{after, bind, healthcheck, red_green, stack};

#[test]
fn a_privileged_container_is_found() {
    let red = stack().service("web", "web:1", |web| web.privileged = true);
    let green = stack().service("web", "web:1", |_| {});
    red_green("privileged", &red, "`web` is privileged: root inside is root on the host", &green);
}

#[test]
fn the_engines_socket_is_found_even_read_only() {
    let red = stack().service("traefik", "traefik:3", |it| bind(it, "/var/run/docker.sock", true));
    let green = stack().service("traefik", "traefik:3", |it| bind(it, "/srv/traefik.yaml", true));
    let message = "`traefik` mounts `/var/run/docker.sock`: the engine's control socket";
    red_green("engine-socket", &red, message, &green);
}

#[test]
fn a_capability_that_reaches_the_host_is_found() {
    let red = stack().service("vpn", "vpn:1", |vpn| vpn.cap_add = vec!["CAP_SYS_ADMIN".to_owned()]);
    let green = stack().service("bao", "openbao:2", |bao| bao.cap_add = vec!["IPC_LOCK".to_owned()]);
    red_green("dangerous-capability", &red, "`vpn` is given `CAP_SYS_ADMIN`", &green);
}

#[test]
fn a_path_that_controls_the_host_is_found_where_it_is_writable() {
    let red = stack().service("agent", "agent:1", |agent| bind(agent, "/etc/", false));
    let green = stack().service("agent", "agent:1", |agent| bind(agent, "/etc/", true));
    let message = "`agent` mounts `/etc/`: writable, and it controls the host";
    red_green("sensitive-mount", &red, message, &green);
}

#[test]
fn a_service_that_nothing_asks_is_found() {
    let red = stack().service("web", "web:1", |web| web.healthcheck = Some(healthcheck(&["NONE"]))).service(
        "db",
        "postgres:16",
        |db| db.healthcheck = Some(healthcheck(&["CMD", "pg_isready"])),
    );
    let probe = Probe::new(ProbeKind::Tcp);
    let green = stack()
        .service("web", "web:1", |web| {
            web.probes.push(probe);
            after(web, "migrate", Condition::ServiceCompletedSuccessfully);
        })
        .service("migrate", "web:1", |_| {});
    red_green("no-healthcheck", &red, "nothing tells whether `web` works", &green);
}

#[test]
fn a_service_that_does_not_wait_for_its_database_is_found() {
    let web = |condition| {
        stack()
            .service("db", "postgres:16", |_| {})
            .service("web", "web:1", |web| after(web, "db", condition))
    };
    let message = "`web` does not wait until `db` (PostgreSQL) is ready";
    let (red, green) = (web(Condition::ServiceStarted), web(Condition::ServiceHealthy));
    red_green("depends-on-not-healthy", &red, message, &green);
}

#[test]
fn a_key_store_is_not_waited_for_because_it_starts_sealed() {
    let green = stack()
        .service("bao", "openbao:2", |_| {})
        .service("web", "web:1", |web| after(web, "bao", Condition::ServiceStarted));
    assert!(green.messages("depends-on-not-healthy").is_empty());
}

#[test]
fn a_one_shot_that_is_restarted_for_ever_is_found() {
    let with = |restart| {
        stack().service("migrate", "web:1", |migrate| migrate.restart = restart).service(
            "web",
            "web:1",
            |web| after(web, "migrate", Condition::ServiceCompletedSuccessfully),
        )
    };
    let message = "others wait for `migrate` to end, and it is restarted for ever";
    let (red, green) = (with(Restart::Always), with(Restart::OnFailure(Some(3))));
    red_green("endless-restart-one-shot", &red, message, &green);
}

#[test]
fn a_service_without_a_memory_limit_is_worth_a_note() {
    let red = stack().service("web", "web:1", |_| {});
    let green = stack().service("web", "web:1", |web| web.resources.memory_bytes = Some(512 << 20));
    red_green("no-memory-limit", &red, "`web` may take all memory of the host", &green);
}
