//! What no verb decides by itself: it says all that stands in the way, and touches nothing.

use crate::check;

#[test]
fn a_secret_that_was_never_given_is_named_with_whoever_needs_it() {
    check(
        "running: nothing
         shape: web=app:7(secret session, given token)
         store: session=1",
        "exit 4
         error[unset-secret]: secret `token` was never given, and `web` needs it; hint: seaworthy bootstrap --from-file token=FILE",
    );
}

#[test]
fn a_port_that_somebody_else_holds_is_named_with_its_holder() {
    check(
        "running: nothing
         shape: web=app:7(port 8080)
         also: port 8080 of nginx",
        "exit 4
         error[port-held]: `web` publishes port 8080, and nginx listens there; hint: stop nginx, or publish another port",
    );
}

#[test]
fn what_an_older_engine_would_leave_out_in_silence_is_refused() {
    check(
        "stack: api 1.41
         running: nothing
         shape: web=app:7(annotated blue)",
        "exit 4
         error[engine-too-old]: `services/web` says `annotations`, and this engine's API is 1.41; hint: needs Docker 24 (API 1.43)",
    );
}

#[test]
fn a_stack_that_is_looked_after_from_elsewhere_is_left_alone() {
    check("running: web=app:7(elsewhere)", "exit 4
         error[other-state-dir]: `blog-web-1` is looked after from `/srv/elsewhere`; hint: --state-dir /srv/elsewhere");
}

#[test]
fn production_refuses_the_process_engine() {
    check(
        "stack: production, process engine
         running: nothing
         shape: web=app:7",
        "exit 4
         error[no-process]: the process engine is not told what to run for service `web`; hint: write `[service.web] process = { command = [\"…\"] }` in seaworthy.toml
         error[process-engine-in-production]: the process engine isolates nothing, and this shape is marked production; hint: seaworthy explain production",
    );
}

#[test]
fn production_refuses_a_development_key_store() {
    check(
        "stack: production
         running: bao=bao:2(keys for development) web=app:7
         store: app_keys=1",
        "exit 4
         error[development-key-store]: `bao` is a development key store (2.0), and this shape is marked production; hint: seaworthy explain production",
    );
}

#[test]
fn production_refuses_a_development_key_store_also_before_it_runs() {
    check(
        "stack: production
         running: nothing
         shape: bao=bao:2(keys for development, env TOKEN=root) web=app:7
         store: app_keys=1",
        "exit 4
         error[development-key-store]: `bao` is a development key store, and this shape is marked production; hint: seaworthy explain production",
    );
}

#[test]
fn everything_that_stands_in_the_way_is_said_at_once() {
    check(
        "stack: production, process engine
         running: web=app:7(elsewhere)
         shape: web=app:7(port 80, secret session)
         also: port 80 of apache",
        "exit 4
         error[unset-secret]: secret `session` was never given, and `web` needs it; hint: seaworthy bootstrap
         error[no-process]: the process engine is not told what to run for service `web`; hint: write `[service.web] process = { command = [\"…\"] }` in seaworthy.toml
                  error[port-held]: `web` publishes port 80, and apache listens there; hint: stop apache, or publish another port
error[process-engine-in-production]: the process engine isolates nothing, and this shape is marked production; hint: seaworthy explain production
         error[other-state-dir]: `blog-web-1` is looked after from `/srv/elsewhere`; hint: --state-dir /srv/elsewhere",
    );
}

#[test]
fn a_rollback_is_refused_for_the_same_reasons() {
    check(
        "earlier: web=app:6(port 8080)
         running: web=app:7
         also: port 8080 of nginx
         verb: rollback",
        "exit 4
         error[port-held]: `web` publishes port 8080, and nginx listens there; hint: stop nginx, or publish another port",
    );
}

#[test]
fn production_refuses_to_bootstrap_a_development_key_store() {
    check(
        "stack: production
         running: nothing
         shape: bao=bao:2(keys for development, env TOKEN=root)
         verb: bootstrap",
        "exit 4
         error[development-key-store]: `bao` is a development key store, and this shape is marked production; hint: seaworthy explain production",
    );
}
